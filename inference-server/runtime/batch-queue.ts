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
  /** Rows of a batch; a single request may have more. */
  readonly batchRows: number;
  /** Rows that may wait. */
  readonly waitingRows: number;
  /** Milliseconds that a request may wait. */
  readonly waitMilliseconds: number;
};

export class BatchQueue {
  readonly #limits: QueueLimits;
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  #rows = 0;

  constructor(limits: QueueLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get rows(): number {
    return this.#rows;
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
    let rows = 0;
    let taken = 0;
    for (const one of this.#waiting) {
      const late = one.deadline < now;
      if (!late && batch.length > 0) {
        const joins = !one.rows.alone && !batch[0]?.rows.alone;
        if (!joins || rows + one.rows.count > this.#limits.batchRows) break;
      }
      taken++;
      this.#rows -= one.rows.count;
      if (late) one.reject(new TimedOutError(this.#limits.waitMilliseconds));
      else {
        batch.push(one);
        rows += one.rows.count;
      }
    }
    this.#waiting = this.#waiting.slice(taken);
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
