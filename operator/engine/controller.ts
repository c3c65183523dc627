/** Runs a reconcile function over a keyed queue with a few workers. Knows no kind. */
import { StalledError, WaitingError } from "./errors.ts";
import { KeyedQueue, realTimers, type Timers } from "./queue.ts";

/**
 * Done, or again after so many seconds (0: at once). `waiting`: what failed before is under way again and may fail
 * again, so failures in a row are counted on.
 */
export type Result = { readonly requeueAfterSeconds?: number; readonly waiting?: boolean };
export type Reconcile = (key: string) => Promise<Result>;

export type ControllerOptions = {
  readonly name: string;
  readonly reconcile: Reconcile;
  readonly workers?: number;
  readonly timers?: Timers;
  /** Told of every failure that is retried, and after how many seconds. */
  readonly onFailure?: (key: string, error: unknown, failuresInARow: number, retrySeconds: number) => void;
  /** Told of every reconcile: what it came to, and the seconds it took. */
  readonly onReconciled?: (key: string, result: ReconcileResult, seconds: number) => void;
  /** Told of every key that a worker takes: the seconds it waited for one. */
  readonly onTaken?: (key: string, seconds: number) => void;
};

export type ReconcileResult = "done" | "requeued" | "waiting" | "stalled" | "failed";

export class Controller {
  readonly queue: KeyedQueue;
  readonly #options: ControllerOptions;
  #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.queue = new KeyedQueue(options.timers ?? realTimers, options.onTaken);
  }

  start(): void {
    this.#workers = Array.from({ length: this.#options.workers ?? 4 }, () => this.#work());
  }

  /** Takes no new key, and waits for those under way. */
  async stop(): Promise<void> {
    this.queue.close();
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    for (let key = await this.queue.take(); key !== undefined; key = await this.queue.take()) {
      const begun = performance.now();
      const result = await this.#settle(key);
      this.#options.onReconciled?.(key, result, (performance.now() - begun) / 1000);
      this.queue.done(key);
    }
  }

  async #settle(key: string): Promise<ReconcileResult> {
    try {
      const { requeueAfterSeconds, waiting } = await this.#options.reconcile(key);
      if (!waiting) this.queue.forget(key);
      if (requeueAfterSeconds === undefined) return "done";
      this.queue.addAfter(key, requeueAfterSeconds);
      return waiting ? "waiting" : "requeued";
    } catch (error) {
      if (error instanceof WaitingError) {
        // Not forgotten: between two failures of the same thing lies the wait for its next try.
        this.queue.addAfter(key, error.requeueAfterSeconds);
        return "waiting";
      }
      if (error instanceof StalledError) {
        this.queue.forget(key);
        return "stalled";
      }
      const seconds = this.queue.addAfterFailure(key);
      this.#options.onFailure?.(key, error, this.queue.failures(key), seconds);
      return "failed";
    }
  }
}
