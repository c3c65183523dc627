/** ModelRuntime: what computes predictions, behind one interface, whatever it is. */

/** Rows of one request, column by column. */
export type RowBatch = {
  readonly count: number;
  /** One array a numeric column, in the order of the schema; NaN where missing, booleans as 0 and 1. */
  readonly numbers: readonly Float64Array[];
  /** One array a text column, in the order of the schema; null where missing. */
  readonly texts: readonly (readonly (string | null)[])[];
  /** Names the columns whose type its cells change; only rows of the same types share a batch. */
  readonly types: string;
};

export type Prediction = {
  /** A number a row; for classification the index of the class. */
  readonly values: Float64Array;
  /** Row by row, a number for each class; absent where the model gives none. */
  readonly probabilities?: Float64Array;
};

export type Engine = "Compiled" | "Onnx" | "DataFrame";

/** What may be asked for: an engine, or the fastest that gives the pipeline's own answers. */
export const WANTED = ["Auto", "Compiled", "Onnx", "DataFrame"] as const;
export type Wanted = (typeof WANTED)[number];

/**
 * Whether a worker's engine is one that was asked for. Auto is Compiled or DataFrame: ONNX computes with 32 bits, so its
 * answers are the pipeline's but for the last digits, and those of a row at a threshold are another leaf's.
 */
export function engineFits(wanted: Wanted, engine: Engine): boolean {
  return wanted === "Auto" ? engine !== "Onnx" : engine === wanted;
}

export type RuntimeStatus = {
  readonly ready: boolean;
  /** What serves; absent until something does. */
  readonly engine?: Engine;
  /** Why no faster engine serves. */
  readonly refused?: string;
  /** Why it is not ready, or what failed last. */
  readonly lastFailure?: string;
  readonly restarts: number;
};

export interface ModelRuntime {
  /** Resolves when the model has answered its reference rows as it did when it was published. Throws ModelRefusedError. */
  start(): Promise<void>;
  /**
   * Throws OverloadedError, WorkerUnavailableError, TimedOutError, ModelFailedError.
   * Any number may be called at once.
   */
  predict(rows: RowBatch): Promise<Prediction>;
  status(): RuntimeStatus;
  /** Answers what is in flight, for as long as that may take (without end where it is not said), then ends. May be called twice. */
  close(patienceMilliseconds?: number): Promise<void>;
}
