/** A child process with bounded output that ends when it is told to, or when its time is over. */
import { type ChildProcess, spawn } from "node:child_process";
import { PlatformError } from "./executor.ts";

const KEPT_BYTES = 64 * 1024;

export type Ended = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  readonly timedOut: boolean;
};

export type Program = {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly signal: AbortSignal;
};

/** The last bytes of a stream as text: enough to say what went wrong, whatever is printed. */
export function keepTail(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    while (chunks[0] !== undefined && bytes - chunks[0].length >= KEPT_BYTES)
      bytes -= chunks.shift()?.length ?? 0;
  });
  return () => Buffer.concat(chunks).subarray(-KEPT_BYTES).toString("utf8");
}

/** Resolves when the process is gone and its streams are read. Rejects where it could not be started. */
export function ending(
  child: ChildProcess,
  command: string,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) =>
      reject(
        new PlatformError("NotStarted", `could not start ${command}: ${error.message}`, { cause: error }),
      ),
    );
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/** For spawn: a process group of the child's own, which killGroup ends. */
export const OWN_GROUP = { detached: true } as const;

/**
 * Kills a child that was spawned with OWN_GROUP, and whatever it started in its group: until bubblewrap's inner process is bound to die with the outer
 * one, it would stay, hold the streams open, and wait or run for ever.
 */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
}

/** Kills the child, with its group, when the signal aborts or the time is over; `stop` takes the timer away. */
export function killWhen(child: ChildProcess, signal: AbortSignal, seconds: number) {
  let timedOut = false;
  const kill = () => killGroup(child);
  const timer = setTimeout(
    () => {
      timedOut = true;
      kill();
    },
    Math.min(seconds * 1000, 2 ** 31 - 1),
  );
  signal.addEventListener("abort", kill);
  if (signal.aborted) kill();
  return {
    timedOut: () => timedOut,
    stop: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", kill);
    },
  };
}

/** Runs a program to its end. */
export async function run(program: Program): Promise<Ended> {
  const start = performance.now();
  const child = spawn(program.command, program.args, {
    cwd: program.cwd,
    env: { ...program.variables },
    stdio: ["ignore", "pipe", "pipe"],
    ...OWN_GROUP,
  });
  const stdout = keepTail(child.stdout);
  const stderr = keepTail(child.stderr);
  const killer = killWhen(child, program.signal, program.seconds);
  try {
    const { code, signal } = await ending(child, program.command);
    return {
      code,
      signal,
      stdout: stdout(),
      stderr: stderr(),
      seconds: (performance.now() - start) / 1000,
      timedOut: killer.timedOut(),
    };
  } finally {
    killer.stop();
  }
}

/** First and last part of a text that may be long. */
export function bounded(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const half = Math.floor(characters / 2);
  return `${text.slice(0, half)}\n... ${text.length - 2 * half} characters cut ...\n${text.slice(-half)}`;
}
