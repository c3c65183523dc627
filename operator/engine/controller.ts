/**
 * Runs a reconcile function over a keyed queue, with a few at work at once. Knows no kind.
 *
 * Whoever waits for something slow steps aside meanwhile, so that no key waits because others wait.
 */
import { StalledError, WaitingError } from "./errors.ts";
import { KeyedQueue, realTimers, type Timers } from "./queue.ts";

/**
 * Done, or again after so many seconds (0: at once). `waiting`: what failed before is under way again and may fail
 * again, so failures in a row are counted on. `overtaken`: somebody else was faster; again at once, and after its backoff where that
 * happens in a row.
 */
export type Result = {
  readonly requeueAfterSeconds?: number;
  readonly waiting?: boolean;
  readonly overtaken?: boolean;
};
/** Somebody else was faster: what there is has to be read again. */
export const OVERTAKEN: Result = { overtaken: true };
/** Waits for something slow without being counted as at work; goes on when there is a place again, before new keys. */
export type Aside = <T>(slow: () => Promise<T>) => Promise<T>;
export type Reconcile = (key: string, aside: Aside) => Promise<Result>;

export type ControllerOptions = {
  readonly name: string;
  readonly reconcile: Reconcile;
  /** Reconciles at work at once. */
  readonly workers?: number;
  /** Reconciles that may have stepped aside at once; what is beyond waits in its place. */
  readonly asides?: number;
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
  readonly #running = new Set<Promise<void>>();
  /** Who comes back from aside, in order. */
  readonly #returning: (() => void)[] = [];
  #places = 0;
  #asides = 0;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.queue = new KeyedQueue(options.timers ?? realTimers, options.onTaken);
  }

  start(): void {
    this.#places = this.#options.workers ?? 4;
    this.queue.onReady = () => queueMicrotask(() => this.#fill());
    this.#fill();
  }

  /** Takes no new key, and waits for those under way. */
  async stop(): Promise<void> {
    this.queue.close();
    await Promise.all(this.#running);
  }

  /** Has work begun or gone on with while there are places. */
  #fill(): void {
    while (this.#places > 0) {
      const goOn = this.#returning.shift();
      const key = goOn ? undefined : this.queue.take();
      if (!goOn && key === undefined) return;
      this.#places--;
      if (goOn) goOn();
      else if (key !== undefined) this.#begin(key);
    }
  }

  #begin(key: string): void {
    const work = this.#work(key).finally(() => {
      this.#running.delete(work);
      this.#leave();
    });
    this.#running.add(work);
  }

  #leave(): void {
    this.#places++;
    this.#fill();
  }

  async #work(key: string): Promise<void> {
    const begun = performance.now();
    const result = await this.#settle(key);
    this.#options.onReconciled?.(key, result, (performance.now() - begun) / 1000);
    this.queue.done(key);
  }

  readonly #aside: Aside = async (slow) => {
    if (this.#asides >= (this.#options.asides ?? Number.POSITIVE_INFINITY)) return slow();
    this.#asides++;
    this.#leave();
    try {
      return await slow();
    } finally {
      this.#asides--;
      await new Promise<void>((goOn) => {
        this.#returning.push(goOn);
        this.#fill();
      });
    }
  };

  async #settle(key: string): Promise<ReconcileResult> {
    try {
      const { requeueAfterSeconds, waiting, overtaken } = await this.#options.reconcile(key, this.#aside);
      if (overtaken) {
        this.queue.addAfterConflict(key);
        return "requeued";
      }
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
