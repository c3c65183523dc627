/** Operators of a real cluster, as processes: each is started again when it ends, as its container would be. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../cluster/cluster.ts";
import { type OperatorProcess, spawnOperator } from "../../cluster/operator-process.ts";

/** When a process ended, or stood still: from then on another one may do what it did. */
export type Ending = { readonly at: number; readonly why: "killed" | "stopped" | "ended" };

export type OperatorsOptions = {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly storeEndpoint: string;
  readonly env: Readonly<Record<string, string>>;
  readonly count: number;
};

/** Seconds until a process that ended is started again, where nothing else was asked for. */
const AGAIN_SECONDS = 1;

export class Operators {
  readonly endings: Ending[] = [];
  /** What they logged at level error. */
  readonly errors: Record<string, unknown>[] = [];
  readonly #options: OperatorsOptions;
  readonly #running = new Map<string, OperatorProcess>();
  #again = AGAIN_SECONDS;
  #isOver = false;

  constructor(options: OperatorsOptions) {
    this.#options = options;
    for (let number = 1; number <= options.count; number++) void this.#keep(`operator-${number}`);
  }

  /** The process that leads, by what it says of itself; undefined where none does just now. */
  async leader(): Promise<OperatorProcess | undefined> {
    for (const one of this.#running.values()) if ((await one.metric("autoai_leader")) === 1) return one;
    return undefined;
  }

  /** Whether all of them have read the cluster, and one leads. */
  async areWell(): Promise<boolean> {
    const all = [...this.#running.values()];
    if (all.length < this.#options.count) return false;
    const ready = await Promise.all(all.map((one) => one.isReady()));
    return ready.every(Boolean) && (await this.leader()) !== undefined;
  }

  /** @param again seconds until it is started again */
  kill(one: OperatorProcess, again: number): void {
    this.#again = again;
    this.endings.push({ at: Date.now(), why: "killed" });
    one.child.kill("SIGKILL");
  }

  stop(one: OperatorProcess): void {
    this.endings.push({ at: Date.now(), why: "stopped" });
    one.child.kill("SIGSTOP");
  }

  /** Ends them all. */
  async close(): Promise<void> {
    this.#isOver = true;
    for (const { child } of this.#running.values()) child.kill("SIGKILL");
    await Promise.all([...this.#running.values()].map(({ exited }) => exited));
  }

  async #keep(identity: string): Promise<void> {
    const { cluster, namespace, storeEndpoint, env } = this.#options;
    while (!this.#isOver) {
      const store = { endpoint: storeEndpoint, stop: () => undefined };
      const one = await spawnOperator(cluster, { identity, namespace, store, env });
      this.#running.set(identity, one);
      await one.exited;
      this.#running.delete(identity);
      this.errors.push(...one.log.filter(({ level }) => level === "error"));
      if (one.child.signalCode === null) this.endings.push({ at: Date.now(), why: "ended" });
      const again = this.#again;
      this.#again = AGAIN_SECONDS;
      await sleep(again * 1000);
    }
  }
}
