/** Executions outside of any job: run, awaited, and cleared away. */
import { randomUUID } from "node:crypto";
import type { Execution, Limits, Outcome } from "../sandbox/executor.ts";
import type { Home, Installation } from "./home.ts";
import { embeddedExecutor } from "./operator.ts";

/** Distributes over the kinds, so that each keeps its own fields. */
type Unnamed<E> = E extends Execution ? Omit<E, "name" | "owner" | "outcomeKey" | "limits"> : never;

export type Once = {
  /** Store prefix for the files of this; gone with `end`. */
  readonly prefix: string;
  /** Waits for the outcome. Throws PlatformError as Executor does. */
  run(execution: Unnamed<Execution>): Promise<Outcome>;
  end(): Promise<void>;
};

const LIMITS: Limits = {
  seconds: 600,
  cpus: 2,
  memoryBytes: 4 * 1024 ** 3,
  diskBytes: 2 * 1024 ** 3,
  processes: 128,
};

export function once(home: Home, installation: Installation, allowUnsandboxed: boolean): Once {
  const prefix = `once/${randomUUID()}`;
  const wake = new Map<string, () => void>();
  const executor = embeddedExecutor({ home, installation, allowUnsandboxed }, (owner) => wake.get(owner)?.());
  let count = 0;
  return {
    prefix,
    async run(unnamed) {
      const name = `once-${count++}`;
      const owner = `${prefix}/${name}`;
      const execution = {
        ...unnamed,
        name,
        owner,
        limits: LIMITS,
        outcomeKey: `${owner}/outcome.json`,
      } as Execution;
      const finished = new Promise<void>((resolve) => wake.set(owner, resolve));
      const outcome = await executor.ensure(execution);
      if (outcome) return outcome;
      await finished;
      const ended = await executor.ensure(execution);
      if (!ended) throw new Error(`${name} ended without an outcome`);
      return ended;
    },
    end: () => home.store.deletePrefix(`${prefix}/`),
  };
}
