/** The operator of the home, in the console's process: it works on what was begun here, one process a job. */
import type { Dataset } from "../../../operator/api/dataset.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import type { KindName, Resource } from "../../../operator/cluster/cluster.ts";
import type { Home, Installation } from "../../../operator/embedded/home.ts";
import { LockedError, lockJob } from "../../../operator/embedded/lock.ts";
import { type EmbeddedOperator, embeddedOperator } from "../../../operator/embedded/operator.ts";
import { jobPrefix, ownerKey } from "../../../operator/evaluation/context.ts";
import { datasetKeys } from "../../../operator/reconcilers/dataset.ts";
import { ConsoleError } from "../errors.ts";

/** Jobs that carry it are gone on with when the console is started again. */
export const MADE_HERE = "autoai.dev/console";

export type WorkOptions = {
  readonly home: Home;
  readonly installation: Installation;
  readonly env: NodeJS.ProcessEnv;
  readonly allowUnsandboxed: boolean;
  readonly onFailure: (key: string, error: unknown) => void;
};

export class EmbeddedWork {
  readonly #home: Home;
  readonly #operator: EmbeddedOperator;
  readonly #locks = new Map<string, () => void>();
  readonly #onFailure: WorkOptions["onFailure"];

  constructor(options: WorkOptions) {
    this.#home = options.home;
    this.#onFailure = options.onFailure;
    this.#operator = embeddedOperator(options);
    options.home.cluster.watch((resource) => {
      if (resource.kind === "TrainingJob" && isOver(resource)) this.#release(ownerKey(resource));
    });
    options.home.cluster.watchDeletions((kind, key) => {
      if (kind === "TrainingJob") this.#release(key);
    });
  }

  start(): void {
    this.#operator.start();
    for (const dataset of this.#home.cluster.list("Dataset")) {
      if (!isOver(dataset) && isMadeHere(dataset)) this.take("Dataset", ownerKey(dataset));
    }
    for (const job of this.#home.cluster.list("TrainingJob")) {
      if (isOver(job) || !isMadeHere(job)) continue;
      try {
        this.take("TrainingJob", ownerKey(job));
      } catch (error) {
        this.#onFailure(ownerKey(job), error);
      }
    }
  }

  /** Works on it from now on. Conflict where another process does. */
  take(kind: KindName, key: string): void {
    if (kind === "TrainingJob" && !this.#locks.has(key)) {
      try {
        this.#locks.set(key, lockJob(this.#home.path, key));
      } catch (error) {
        if (error instanceof LockedError) throw new ConsoleError("Conflict", error.message);
        throw error;
      }
      // Whoever held the lock until now may have written since.
      this.#home.cluster.reload();
    }
    this.#operator.enqueue(kind, key);
  }

  /** Ends what is done for it, then takes the resource and its artifacts away. */
  remove(resource: Dataset | TrainingJob): void {
    const key = ownerKey(resource);
    const { cluster, store } = this.#home;
    const prefix = resource.kind === "Dataset" ? datasetKeys(resource).prefix : jobPrefix(resource);
    this.take(resource.kind, key);
    const { uid } = resource.metadata;
    const clear = (): void => {
      store.deletePrefix(`${prefix}/`).catch((error) => this.#onFailure(key, error));
    };
    this.#cleared.set(`${resource.kind}:${key}:${uid}`, clear);
    cluster.delete(resource.kind, key);
    this.#operator.enqueue(resource.kind, key);
  }

  readonly #cleared = new Map<string, () => void>();

  /** Called with what is gone. */
  gone(kind: KindName, key: string): void {
    for (const [id, clear] of this.#cleared) {
      if (!id.startsWith(`${kind}:${key}:`)) continue;
      this.#cleared.delete(id);
      clear();
    }
  }

  /** What is journaled stays; jobs are gone on with at the next start. */
  async stop(): Promise<void> {
    await this.#operator.stop();
    for (const key of [...this.#locks.keys()]) this.#release(key);
  }

  sandboxMissing(): Promise<string | undefined> {
    return this.#operator.executor.sandboxMissing();
  }

  #release(key: string): void {
    this.#locks.get(key)?.();
    this.#locks.delete(key);
  }
}

/** READY, ERROR or, for data, taken in: nothing more will come of it. */
function isOver({ kind, status }: Resource): boolean {
  if (kind === "TrainingJob") return status !== undefined && "state" in status && status.state !== "TRAINING";
  return Boolean(status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True"));
}

function isMadeHere({ metadata }: Resource): boolean {
  return metadata.annotations?.[MADE_HERE] !== undefined;
}
