/** Executor of the embedded run: processes of this machine, inside bubblewrap, and files. */
import { join, resolve } from "node:path";
import type { FileStore } from "../storage/file-store.ts";
import { type Bubblewrap, probe } from "./bubblewrap.ts";
import { Cores } from "./cores.ts";
import { Environments } from "./environments.ts";
import { type Execution, type Executor, type InstallExecution, Outcome, PlatformError } from "./executor.ts";
import { askPython, compileRunner, type PythonFacts } from "./python.ts";
import { type Resident, type ResidentProgram, startResident } from "./resident.ts";
import { runSandboxed } from "./sandboxed.ts";
import { TemporaryDirectories } from "./temporary.ts";
import { runTrusted, workerProgram } from "./trusted.ts";
import { RunnerWorker } from "./worker.ts";

/** Threads that one verb may use. */
const WORKER_CPUS = 2;

export type ProcessExecutorOptions = {
  readonly store: FileStore;
  /** Directory for environments and temporary files, on the file system of the store. */
  readonly home: string;
  /** Python of the runner's own environment. */
  readonly python: string;
  /** Directory that holds autoai_runner and environment.txt. */
  readonly runnerDir: string;
  readonly uv: string;
  /** Cores of this machine to use at a time; an execution takes as many as its limits say. 2 by default. */
  readonly cpus?: number;
  /** Whether generated code may run where no sandbox can be made. */
  readonly allowUnsandboxed: boolean;
  /** Called when an execution is over, well or badly, with the resource to wake. */
  readonly onFinished: (owner: string) => void;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** Path of bubblewrap; found on the PATH by default. */
  readonly bwrap?: string;
  /** Variables of which those that lead to the package index are handed to uv; those of this process by default. */
  readonly variables?: NodeJS.ProcessEnv;
};

type Host = {
  readonly python: PythonFacts;
  readonly environments: Environments;
  readonly bubblewrap: Bubblewrap | undefined;
  readonly missing: string | undefined;
};
type Running = { readonly owner: string; readonly abort: AbortController; readonly done: Promise<void> };

export class ProcessExecutor implements Executor {
  readonly #options: ProcessExecutorOptions;
  readonly #temporary: TemporaryDirectories;
  readonly #running = new Map<string, Running>();
  readonly #failed = new Map<string, unknown>();
  readonly #cores: Cores;
  #host: Promise<Host> | undefined;
  #worker: Promise<RunnerWorker | undefined> | undefined;

  constructor(options: ProcessExecutorOptions) {
    this.#options = { ...options, home: resolve(options.home), runnerDir: resolve(options.runnerDir) };
    this.#temporary = new TemporaryDirectories(join(this.#options.home, "tmp"));
    this.#cores = new Cores(options.cpus ?? 2);
  }

  async ensure(execution: Execution): Promise<Outcome | undefined> {
    const { store } = this.#options;
    const { name, owner, outcomeKey } = execution;
    // Before the store: an execution that ends meanwhile has stored its outcome before it leaves this map.
    if (this.#running.has(name)) return undefined;
    if (await store.exists(outcomeKey)) {
      this.#failed.delete(name);
      return Outcome.parse(JSON.parse(new TextDecoder().decode(await store.get(outcomeKey))));
    }
    if (this.#failed.has(name)) {
      const error = this.#failed.get(name);
      this.#failed.delete(name);
      throw error;
    }
    if (this.#running.has(name)) return undefined;
    const abort = new AbortController();
    const done = this.#run(execution, abort.signal)
      .catch((error) => {
        if (!abort.signal.aborted) this.#failed.set(name, error);
      })
      .finally(() => {
        this.#running.delete(name);
        this.#options.onFinished(owner);
      });
    this.#running.set(name, { owner, abort, done });
    return undefined;
  }

  async cancel(owner: string): Promise<void> {
    const mine = [...this.#running.values()].filter((running) => running.owner === owner);
    for (const { abort } of mine) abort.abort();
    await Promise.all(mine.map(({ done }) => done));
  }

  /**
   * Keeps the libraries of the trusted verbs loaded from now on, in a process of its own: for an operator that is going
   * to need several. Without it, and where it does not work, each verb loads its own.
   */
  warmUp(): void {
    this.#worker ??= this.#startWorker().catch((error: unknown) => {
      this.#options.log("no worker for trusted verbs", { reason: String(error) });
      return undefined;
    });
  }

  #startAgain(): void {
    this.#worker = undefined;
    this.warmUp();
  }

  /** Ends what warmUp began. What runs has to be cancelled before. May be called twice. */
  async close(): Promise<void> {
    const worker = await this.#worker;
    await worker?.close();
  }

  /**
   * A way to start a program of generated code that stays, such as a model's worker, as often as it ends.
   * Throws PlatformError where there is no sandbox for it, or no environment.
   */
  async resident(program: ResidentProgram, signal: AbortSignal): Promise<() => Resident> {
    const { environments, python, bubblewrap, missing } = await this.#prepare();
    const { store, runnerDir, allowUnsandboxed } = this.#options;
    if (missing !== undefined && !allowUnsandboxed) throw unavailable(missing);
    const environment = await environments.path(program.environment, { seconds: 600, signal });
    const host = { store, python, runnerDir, bubblewrap };
    return () => startResident(host, program, environment, this.#temporary);
  }

  /** Why generated code cannot be sandboxed here, or undefined where it can. */
  async sandboxMissing(): Promise<string | undefined> {
    return (await this.#prepare()).missing;
  }

  async #run(execution: Execution, signal: AbortSignal): Promise<void> {
    // Side by side, two programs of two threads on two cores wait for each other's threads, and take many times as long.
    const giveBack = await this.#cores.take(execution.kind === "Sandboxed" ? execution.limits.cpus : 1);
    try {
      signal.throwIfAborted();
      // It may have ended between a caller's look at the store and now.
      if (await this.#options.store.exists(execution.outcomeKey)) return;
      const start = performance.now();
      const outcome = await this.#execute(execution, signal);
      signal.throwIfAborted();
      await this.#options.store.create(
        execution.outcomeKey,
        new TextEncoder().encode(JSON.stringify(outcome)),
      );
      this.#options.log("execution ended", {
        execution: execution.name,
        owner: execution.owner,
        ended: outcome.ended,
        seconds: Math.round(performance.now() - start) / 1000,
      });
    } finally {
      giveBack();
    }
  }

  async #execute(execution: Execution, signal: AbortSignal): Promise<Outcome> {
    const { environments, python, bubblewrap, missing } = await this.#prepare();
    const { store, runnerDir } = this.#options;
    const host = { store, python, runnerDir, bubblewrap };
    const work = { seconds: execution.limits.seconds, signal };
    switch (execution.kind) {
      case "Install":
        return this.#install(environments, execution, work);
      case "Trusted": {
        const worker = await this.#worker;
        // Something ended it: the next one serves those who come later.
        if (worker?.isGone) this.#startAgain();
        else if (worker !== undefined)
          return worker.within((directory) => runTrusted(host, execution, directory, signal, worker));
        return this.#temporary.within((directory) => runTrusted(host, execution, directory, signal));
      }
      case "Sandboxed": {
        if (missing !== undefined && !this.#options.allowUnsandboxed) throw unavailable(missing);
        const environment = await environments.path(execution.environment, { seconds: 600, signal });
        return this.#temporary.within((directory) =>
          runSandboxed(host, execution, environment, directory, signal),
        );
      }
    }
  }

  async #startWorker(): Promise<RunnerWorker | undefined> {
    const { python, bubblewrap } = await this.#prepare();
    const { store, runnerDir } = this.#options;
    const host = { store, python, runnerDir, bubblewrap };
    const worker = new RunnerWorker(workerProgram(host, await this.#temporary.make(), WORKER_CPUS));
    const why = await worker.ready;
    if (why === undefined) return worker;
    this.#options.log("no worker for trusted verbs", { reason: why });
    await worker.close();
    return undefined;
  }

  async #install(
    environments: Environments,
    execution: InstallExecution,
    work: { seconds: number; signal: AbortSignal },
  ): Promise<Outcome> {
    const start = performance.now();
    const resolved = await environments.resolve(execution.packages, work);
    const installed = "lock" in resolved ? await environments.install(resolved.lock, work) : undefined;
    return {
      ended: installed === undefined ? "Refused" : "Completed",
      exitCode: null,
      signal: null,
      seconds: (performance.now() - start) / 1000,
      peakMemoryBytes: 0,
      output: { head: "", tail: "", truncated: 0 },
      ...("refusal" in resolved ? { refusal: resolved.refusal } : {}),
      ...(installed === undefined ? {} : { environment: installed.digest, packages: installed.packages }),
    };
  }

  /** What this machine offers, found out once; asked again where that failed. */
  #prepare(): Promise<Host> {
    this.#host ??= this.#inspect().catch((error) => {
      this.#host = undefined;
      throw error;
    });
    return this.#host;
  }

  async #inspect(): Promise<Host> {
    const { store, home, runnerDir, uv, log } = this.#options;
    const python = await askPython(this.#options.python);
    // Nobody waits for it: what is not compiled yet takes a little longer to load.
    compileRunner(python, runnerDir);
    const found = await probe(this.#options.bwrap ?? "bwrap", python);
    const missing = "missing" in found ? found.missing : undefined;
    if (missing !== undefined) log("no sandbox", { reason: missing });
    const environments = new Environments({
      store,
      directory: join(home, "environments"),
      temporary: this.#temporary,
      python,
      uv,
      runnerDir,
      variables: this.#options.variables ?? process.env,
    });
    return {
      python,
      environments,
      missing,
      bubblewrap: "bubblewrap" in found ? found.bubblewrap : undefined,
    };
  }
}

function unavailable(reason: string): PlatformError {
  return new PlatformError(
    "SandboxUnavailable",
    `generated code needs a sandbox, and ${reason}. Install bubblewrap (Debian, Ubuntu: apt install bubblewrap; ` +
      "Fedora: dnf install bubblewrap) and allow user namespaces, or accept the risk with --unsafe-no-sandbox",
  );
}
