/**
 * What the trusted Python in `runner/` hands back: profiles, splits and scores.
 * These schemas are the border between the two languages: everything read from the runner is parsed with them.
 */
import { z } from "zod";
import { Metric, Task } from "./metrics.ts";

export const ColumnType = z.enum([
  "Integer",
  "Number",
  "Boolean",
  "Date",
  "Category",
  "Text",
  "Identifier",
  "Empty",
]);
export type ColumnType = z.infer<typeof ColumnType>;

export const ColumnProfile = z.strictObject({
  name: z.string(),
  type: ColumnType,
  /** How the cells were written where they are rewritten on the way in: thousands separators, a date's format. */
  format: z.string().optional(),
  missing: z.int().min(0),
  distinct: z.int().min(0),
  /** False where distinct was estimated. */
  distinctExact: z.boolean(),
  min: z.string().optional(),
  max: z.string().optional(),
  mean: z.number().optional(),
  standardDeviation: z.number().optional(),
  /** The most frequent values, at most 10, each cut at 64 characters. */
  top: z.array(z.strictObject({ value: z.string(), count: z.int() })).max(10),
  /** Mean length of the cell's text, in characters. */
  meanLength: z.number(),
});
export type ColumnProfile = z.infer<typeof ColumnProfile>;

export const DataWarning = z.strictObject({
  /** Stable word for programs, such as IdentifierColumn, SingleFeaturePredictsTarget, DuplicateRows. */
  code: z.string().max(64),
  column: z.string().optional(),
  message: z.string().max(512),
});
export type DataWarning = z.infer<typeof DataWarning>;

/** Result of `ingest`. */
export const Profile = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.int(),
  encoding: z.string(),
  delimiter: z.string(),
  rows: z.int(),
  columns: z.array(ColumnProfile),
  duplicateRows: z.int(),
  preview: z.strictObject({
    columns: z.array(z.string()),
    /** At most 10 rows; cells cut at 64 characters. */
    rows: z.array(z.array(z.string())).max(10),
  }),
  warnings: z.array(DataWarning),
});
export type Profile = z.infer<typeof Profile>;

/** Result of `split`: how the rows were divided, and what the leak probes found. */
export const SplitResult = z.strictObject({
  task: Task,
  /** Canonical text of each class, sorted; for BinaryClassification the last one is the positive class. */
  classes: z.array(z.string()),
  method: z.enum(["Holdout", "CrossValidation"]),
  /** 0 for Holdout. */
  folds: z.int(),
  rows: z.strictObject({ train: z.int(), selection: z.int(), final: z.int(), dropped: z.int() }),
  warnings: z.array(DataWarning),
  /** SHA-256 of every file written, by file name. */
  files: z.record(z.string(), z.string()),
});
export type SplitResult = z.infer<typeof SplitResult>;

/** Result of `score`. */
export const ScoreResult = z.strictObject({
  metric: Metric,
  score: z.number(),
  /** Bootstrap standard error of `score`. */
  standardError: z.number(),
  rows: z.int(),
  /** Split Group: the groups of these rows. Whole groups were drawn for the standard errors; absent, rows were. */
  groups: z.int().optional(),
  /** Every metric that fits the task, by name. */
  all: z.record(z.string(), z.number()),
  /** Cross-validation: the same metric on the rows whose labels the agent could, and could not, see. */
  seen: z.number().optional(),
  unseen: z.number().optional(),
  /** True when `seen` beats `unseen` by more than chance allows: `score` is then `unseen`. */
  memorised: z.boolean(),
  /** Paired bootstrap against earlier predictions: gain is positive when this one is better, in the metric's units. */
  versus: z.array(z.strictObject({ name: z.string(), gain: z.number(), standardError: z.number() })),
});
export type ScoreResult = z.infer<typeof ScoreResult>;

/** Written instead of a result when the fault is in what the user (or the generated code) gave. */
export const RunnerRefusal = z.strictObject({
  reason: z.string().max(64),
  message: z.string().max(2048),
  line: z.int().optional(),
  column: z.string().optional(),
});
export type RunnerRefusal = z.infer<typeof RunnerRefusal>;
