import { describe, expect, test } from "vitest";
import { withRemedy } from "./remedy.ts";

describe("a failure of the machine", () => {
  test.each([
    "the environment could not be installed: failed to copy file to /home/x: No space left on device (os error 28)",
    "ENOSPC: no space left on device, write",
    "EDQUOT: disk quota exceeded, open",
  ])("says that the disk is full, and what to do: %s", (message) => {
    expect(withRemedy(message, "/runs")).toBe(
      `${message}\nThe disk of /runs is full: free some room, and run the same command again. It goes on where it was.`,
    );
  });

  test("of another kind is left as it is", () => {
    expect(withRemedy("no answer from the package index", "/runs")).toBe("no answer from the package index");
  });
});
