import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { run } from "./child.ts";

const cwd = mkdtempSync(join(tmpdir(), "child-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const program = (script: string, signal: AbortSignal, seconds = 60) =>
  run({ command: "sh", args: ["-c", script], cwd, variables: {}, seconds, signal });

// What holds the streams open is as bubblewrap's inner process, until that is bound to die with the outer one.
test("a program that is aborted takes with it what it started: its streams are closed", async () => {
  const abort = new AbortController();
  const ended = program("sleep 1000 & touch started; wait", abort.signal);
  await vi.waitFor(() => expect(existsSync(join(cwd, "started"))).toBe(true), { timeout: 60_000 });
  abort.abort();
  expect(await ended).toMatchObject({ signal: "SIGKILL", timedOut: false });
});

test("so does one whose time is over, though it has ended itself", async () => {
  const ended = await program("sleep 1000 & exit 3", new AbortController().signal, 1);
  expect(ended).toMatchObject({ code: 3, timedOut: true });
});
