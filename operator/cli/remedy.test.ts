import { describe, expect, test } from "vitest";
import { briefly, withRemedy } from "./remedy.ts";

const FULL = [
  "the environment could not be installed: failed to copy file to /home/x: No space left on device (os error 28)",
  'Traceback (most recent call last):\n  File "ingest.py", line 47, in add\nOSError: [Errno 28] No space left on device',
  "ENOSPC: no space left on device, write",
  "EDQUOT: disk quota exceeded, open",
];
const TRACEBACK = 'it failed\nTraceback (most recent call last):\n  File "a.py", line 1\nKeyError: 1\n';

describe("a failure of the machine", () => {
  test.each(FULL)("says that the disk is full, and what to do: %s", (message) => {
    expect(withRemedy(message, "/runs")).toBe(
      "the disk of /runs is full: free some room, and run the same command again. It goes on where it was.",
    );
    expect(briefly(message, "/runs")).toBe("the disk of /runs is full");
  });

  test("of another kind is told whole in the end", () => {
    for (const message of ["no answer from the package index", TRACEBACK])
      expect(withRemedy(message, "/runs")).toBe(message);
  });

  test.each([
    ["no answer from the package index", "no answer from the package index"],
    ["it could not be installed: 404\n  cause: one\n  cause: two", "it could not be installed: 404"],
    [TRACEBACK, "KeyError: 1"],
    ["", "it failed without a word"],
  ])("is one line while it is tried again: %j", (message, line) => {
    expect(briefly(message, "/runs")).toBe(line);
  });
});
