/**
 * The runner's worker: one Python process that has loaded the libraries of the trusted verbs and forks a child for each
 * request, secluded as a sandbox of its own would do it. See runner/autoai_runner/worker.py for what is said.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { bounded, type Ended, ending, keepTail, killGroup, OWN_GROUP } from "./child.ts";
import { PlatformError } from "./executor.ts";
import { removeTree, type TemporaryDirectory } from "./temporary.ts";

/** What the worker's directory is called inside its sandbox. */
export const EXCHANGE = "/exchange";
const START_SECONDS = 60;

const Ready = z.strictObject({ ready: z.boolean(), why: z.string().optional() });
const Answer = z.strictObject({
  id: z.int(),
  code: z.int().nullable(),
  signal: z.string().nullable(),
  timedOut: z.boolean(),
  seconds: z.number(),
  said: z.string(),
});

export type WorkerProgram = {
  readonly command: string;
  readonly args: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** Where the directories of requests lie, and what the worker calls that. */
  readonly exchange: TemporaryDirectory;
  readonly inside: string;
};

export type WorkerRequest = {
  readonly verb: string;
  /** Directory as `within` gave it, holding request.json and the inputs. */
  readonly directory: string;
  /** Paths below the directory that the verb may only read. */
  readonly inputs: readonly string[];
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly signal: AbortSignal;
};

type Pending = { readonly resolve: (ended: Ended) => void; readonly reject: (error: unknown) => void };

export class RunnerWorker {
  readonly #program: WorkerProgram;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #stderr: () => string;
  /** Undefined once it can be asked, or why it cannot. Never rejects. */
  readonly ready: Promise<string | undefined>;
  readonly #gone: Promise<void>;
  #isGone = false;
  #isStarting = true;
  #isClosing = false;
  #count = 0;

  /** Starts the process. It ends with this one, by `close`, and by itself where it cannot seclude a child. */
  constructor(program: WorkerProgram) {
    this.#program = program;
    this.#child = spawn(program.command, program.args, {
      cwd: program.exchange.path,
      env: { ...program.variables },
      stdio: "pipe",
      ...OWN_GROUP,
    });
    this.#stderr = keepTail(this.#child.stderr);
    // It may be gone when it is written to: what its end says tells more.
    this.#child.stdin?.on("error", () => undefined);
    let tell = (_why: string | undefined): void => undefined;
    const told = new Promise<string | undefined>((resolve) => {
      tell = resolve;
    });
    const timer = setTimeout(() => killGroup(this.#child), START_SECONDS * 1000);
    this.ready = told.finally(() => {
      clearTimeout(timer);
      this.#isStarting = false;
      this.#hold();
    });
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => {
      try {
        this.#hear(line, tell);
      } catch {
        // Not as agreed: nothing that it says can be trusted any more.
        killGroup(this.#child);
      }
    });
    this.#gone = ending(this.#child, program.command)
      .then(({ code, signal }) => signal ?? `exit code ${code}`, String)
      .then(async (how) => {
        this.#isGone = true;
        tell(`it ended with ${how}: ${bounded(this.#stderr().trim(), 1000) || "it said nothing"}`);
        for (const { reject } of this.#pending.values()) reject(this.#died(how));
        this.#pending.clear();
        await program.exchange.remove();
      });
    this.#hold();
  }

  /** Whether the process is no more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Runs the action with a directory that the worker can reach, which is removed afterwards. */
  async within<T>(action: (directory: string) => Promise<T>): Promise<T> {
    const directory = join(this.#program.exchange.path, randomUUID());
    await mkdir(directory, { mode: 0o700 });
    try {
      return await action(directory);
    } finally {
      await removeTree(directory);
    }
  }

  /** Runs a verb to its end. Throws PlatformError where the worker itself ends before. */
  async run(request: WorkerRequest): Promise<Ended> {
    const { signal, directory, ...asked } = request;
    signal.throwIfAborted();
    if (this.#isGone) throw this.#died("an earlier fault");
    const id = this.#count++;
    const cancel = () => this.#say({ id, cancel: true });
    signal.addEventListener("abort", cancel);
    try {
      return await new Promise<Ended>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject });
        this.#hold();
        const inside = join(this.#program.inside, directory.slice(this.#program.exchange.path.length));
        this.#say({ id, ...asked, directory: inside });
      });
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#pending.delete(id);
      this.#hold();
    }
  }

  /** Ends the process and what it runs. May be called twice. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#hold();
    killGroup(this.#child);
    this.#child.stdin?.destroy();
    await this.#gone;
  }

  #say(document: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(document)}\n`);
  }

  #hear(line: string, tell: (why: string | undefined) => void): void {
    const document = JSON.parse(line) as unknown;
    const first = Ready.safeParse(document);
    if (first.success) {
      if (first.data.ready) tell(undefined);
      else tell(first.data.why ?? "it did not say why");
      return;
    }
    const { id, said, signal, ...ended } = Answer.parse(document);
    this.#pending.get(id)?.resolve({
      ...ended,
      signal: signal as NodeJS.Signals | null,
      stdout: "",
      stderr: said,
    });
  }

  #died(how: string): PlatformError {
    const said = bounded(this.#stderr().trim(), 2000);
    return new PlatformError(
      "RunnerFailed",
      `the runner's worker ended with ${how}: ${said || "it said nothing"}`,
    );
  }

  /** Keeps this process from ending while something is awaited, and only then. */
  #hold(): void {
    const awaited = this.#isStarting || this.#isClosing || this.#pending.size > 0;
    const streams = [this.#child.stdin, this.#child.stdout, this.#child.stderr] as (Socket | null)[];
    for (const handle of [this.#child, ...streams]) {
      if (awaited) handle?.ref();
      else handle?.unref();
    }
  }
}
