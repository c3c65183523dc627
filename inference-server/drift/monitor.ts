/**
 * What came in over a sliding window, against what the model was trained on.
 *
 * Rows are counted into the bins of the training profile, in periods of five minutes. The window is the last hour; where
 * that has few rows, it reaches back until it has enough, a day at most. Under load a random part of the rows is
 * looked at, so that it costs next to nothing.
 */
import type { TrainingProfile } from "../../operator/api/training-profile.ts";
import type { RowBatch } from "../runtime/runtime.ts";
import type { ModelSchema } from "../schema/columns.ts";
import { columnBins } from "./bins.ts";
import { populationStability } from "./psi.ts";

export type Drift = {
  /** Rows that were looked at in the window. */
  readonly rows: number;
  /** Population stability index by column; empty where there are fewer than MIN_ROWS rows. */
  readonly columns: ReadonlyMap<string, number>;
};

/** Below this, chance alone is often taken for drift: of twelve bins, the index of 500 rows without drift is above 0.04 once in twenty times. */
export const MIN_ROWS = 500;
/** With so many the window needs not reach back further. */
const ENOUGH_ROWS = 1000;
/** Rows a second, on average, that are looked at. */
const ROWS_PER_SECOND = 500;
const PERIOD_MILLISECONDS = 5 * 60_000;
const WINDOW_PERIODS = 12;
const LONGEST_PERIODS = 288;

type Period = { number: number; rows: number; readonly counts: Uint32Array };

export class DriftMonitor {
  readonly #columns: readonly {
    readonly bins: NonNullable<ReturnType<typeof columnBins>>;
    readonly start: number;
  }[];
  readonly #size: number;
  readonly #clock: { now(): number };
  readonly #random: () => number;
  /** By number modulo how many there are. */
  readonly #periods: (Period | undefined)[] = new Array(LONGEST_PERIODS);
  #second = 0;
  #seen = 0;
  #taken = 0;
  #share = 1;

  constructor(
    profile: TrainingProfile,
    schema: ModelSchema,
    clock: { now(): number } = Date,
    random: () => number = Math.random,
  ) {
    let size = 0;
    this.#columns = profile.columns.flatMap((distribution) => {
      const column = schema.byName.get(distribution.name);
      const bins = column && columnBins(column, distribution);
      if (!bins || bins.expected.every((count) => count === 0)) return [];
      const start = size;
      size += bins.expected.length;
      return [{ bins, start }];
    });
    this.#size = size;
    this.#clock = clock;
    this.#random = random;
  }

  /** Counts rows that were asked, or a part of them. */
  observe(rows: RowBatch): void {
    const now = this.#clock.now();
    this.#nextSecond(Math.floor(now / 1000));
    this.#seen += rows.count;
    const period = this.#periodAt(Math.floor(now / PERIOD_MILLISECONDS));
    for (let row = 0; row < rows.count && this.#taken < 2 * ROWS_PER_SECOND; row++) {
      if (this.#share < 1 && this.#random() >= this.#share) continue;
      this.#taken++;
      period.rows++;
      for (const { bins, start } of this.#columns) {
        const place = start + bins.binOf(rows, row);
        period.counts[place] = (period.counts[place] ?? 0) + 1;
      }
    }
  }

  drift(): Drift {
    const newest = Math.floor(this.#clock.now() / PERIOD_MILLISECONDS);
    const counts = new Float64Array(this.#size);
    let rows = 0;
    for (let age = 0; age < LONGEST_PERIODS && (age < WINDOW_PERIODS || rows < ENOUGH_ROWS); age++) {
      const period = this.#periods[(newest - age) % LONGEST_PERIODS];
      if (period?.number !== newest - age) continue;
      rows += period.rows;
      for (let place = 0; place < counts.length; place++)
        counts[place] = (counts[place] ?? 0) + (period.counts[place] ?? 0);
    }
    const columns = new Map<string, number>();
    if (rows < MIN_ROWS) return { rows, columns };
    for (const { bins, start } of this.#columns) {
      const { name, expected } = bins;
      columns.set(name, populationStability(expected, counts.subarray(start, start + expected.length)));
    }
    return { rows, columns };
  }

  /** As large a share of the rows as would have been right for the second before. */
  #nextSecond(second: number): void {
    if (second === this.#second) return;
    const rate = second === this.#second + 1 ? this.#seen : 0;
    this.#share = rate > ROWS_PER_SECOND ? ROWS_PER_SECOND / rate : 1;
    this.#second = second;
    this.#seen = 0;
    this.#taken = 0;
  }

  #periodAt(number: number): Period {
    const place = number % LONGEST_PERIODS;
    const found = this.#periods[place];
    if (found?.number === number) return found;
    const counts = found?.counts.fill(0) ?? new Uint32Array(this.#size);
    const period = { number, rows: 0, counts };
    this.#periods[place] = period;
    return period;
  }
}
