/** Requests that wait for the worker: whatever queued while it worked is its next batch. */
import { OverloadedError, TimedOutError } from "../errors.ts";
import type { Prediction, RowBatch } from "./runtime.ts";

export type Waiting = {
  readonly rows: RowBatch;
  readonly resolve: (prediction: Prediction) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: number;
};

export type QueueLimits = {
  /** Rows of a batch, however slow the model is; a single request may have more. */
  readonly batchRows: number;
  /** Rows of a batch of a model that is fast enough for them. */
  readonly largeBatchRows: number;
  /** Rows that may wait. */
  readonly waitingRows: number;
  /** Milliseconds that a request may wait. */
  readonly waitMilliseconds: number;
};

/** What a request waits for at most while others are computed, if they are many. */
const LARGE_BATCH_SECONDS = 0.1;

export class BatchQueue {
  readonly #limits: QueueLimits;
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  #rows = 0;
  #cap: number;

  constructor(limits: QueueLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#cap = limits.batchRows;
  }

  /**
   * Told how long a batch took: the next may have as many rows as would take LARGE_BATCH_SECONDS at that rate. What a
   * batch costs is partly the same whatever its size, so a large one is cheaper by the row.
   */
  took(rows: number, seconds: number): void {
    const { batchRows, largeBatchRows } = this.#limits;
    const wanted = (rows * LARGE_BATCH_SECONDS) / Math.max(seconds, 1e-6);
    this.#cap = Math.max(batchRows, Math.min(largeBatchRows, Math.floor(wanted)));
  }

  get rows(): number {
    return this.#rows;
  }

  get requests(): number {
    return this.#waiting.length;
  }

  /** @throws OverloadedError where more would wait than may */
  add(rows: RowBatch): Promise<Prediction> {
    if (this.#rows > 0 && this.#rows + rows.count > this.#limits.waitingRows) {
      throw new OverloadedError(this.#rows, 1);
    }
    this.#rows += rows.count;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ rows, resolve, reject, deadline: this.#now() + this.#limits.waitMilliseconds });
    });
  }

  /** The next batch, of requests that have not waited too long; empty where none waits. */
  take(): Waiting[] {
    const now = this.#now();
    const batch: Waiting[] = [];
    const left: Waiting[] = [];
    let rows = 0;
    for (const one of this.#waiting) {
      if (one.deadline < now) {
        this.#rows -= one.rows.count;
        one.reject(new TimedOutError(this.#limits.waitMilliseconds));
        continue;
      }
      // The oldest is always taken; those that do not go with it stay in their order.
      const first = batch[0];
      const joins = one.rows.types === first?.rows.types && rows + one.rows.count <= this.#cap;
      if (first !== undefined && !joins) {
        left.push(one);
        continue;
      }
      batch.push(one);
      rows += one.rows.count;
    }
    this.#rows -= rows;
    this.#waiting = left;
    return batch;
  }

  /** Answers all that wait with the error. */
  rejectAll(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#rows = 0;
    for (const { reject } of waiting) reject(error);
  }
}
