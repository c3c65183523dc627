/** A ProcessExecutor in a directory of its own, and one call to run a script in it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Execution, Limits, Outcome, SandboxedExecution } from "../../operator/sandbox/executor.ts";
import { ProcessExecutor, type ProcessExecutorOptions } from "../../operator/sandbox/process-executor.ts";
import { FileStore } from "../../operator/storage/file-store.ts";

const project = join(import.meta.dirname, "../..");
export const python = join(project, ".venv/bin/python");
export const uv = join(project, ".venv/bin/uv");
export const runnerDir = join(project, "runner");

/** Environment without packages: what attacks need is in the standard library. */
export const BARE = "0".repeat(64);
export const LIMITS: Limits = {
  seconds: 20,
  cpus: 1,
  memoryBytes: 512 * 1024 ** 2,
  diskBytes: 32 * 1024 ** 2,
  processes: 20,
};

export type Bench = {
  readonly home: string;
  readonly store: FileStore;
  readonly executor: ProcessExecutor;
  /** Runs an execution to its end. */
  finish(execution: Execution): Promise<Outcome>;
  /** Runs a script as attack.py. */
  attack(source: string, more?: Partial<SandboxedExecution>): Promise<Outcome>;
  close(): void;
};

export function openBench(options: Partial<ProcessExecutorOptions> = {}): Bench {
  const home = options.home ?? mkdtempSync(join(tmpdir(), "sandbox-"));
  const store = options.store ?? new FileStore(join(home, "store"));
  const wake = new Map<string, () => void>();
  const executor = new ProcessExecutor({
    store,
    home,
    python,
    runnerDir,
    uv,
    allowUnsandboxed: false,
    log: () => undefined,
    ...options,
    onFinished: (owner) => {
      options.onFinished?.(owner);
      wake.get(owner)?.();
    },
  });
  const environment = join(home, "environments", BARE);
  execFileSync(uv, ["venv", "-q", "--allow-existing", "--no-project", "--python", python, environment]);
  let count = 0;
  const finish = async (execution: Execution): Promise<Outcome> => {
    for (;;) {
      const finished = new Promise<void>((resolve) => wake.set(execution.owner, resolve));
      const outcome = await executor.ensure(execution);
      if (outcome !== undefined) return outcome;
      await finished;
    }
  };
  return {
    home,
    store,
    executor,
    finish,
    attack: async (source, more = {}) => {
      const name = `attack-${++count}`;
      await store.put(`sources/${name}.py`, new TextEncoder().encode(source));
      return finish({
        kind: "Sandboxed",
        name,
        owner: `default/${name}`,
        limits: LIMITS,
        outputs: {},
        outcomeKey: `outcomes/${name}.json`,
        command: ["attack.py"],
        environment: BARE,
        ...more,
        inputs: { "attack.py": `sources/${name}.py`, ...more.inputs },
      });
    },
    close: () => rmSync(home, { recursive: true, force: true }),
  };
}
