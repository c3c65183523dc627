/**
 * Result of the runner's `report` verb: the numbers behind the charts of a report, of the final rows alone.
 * Bounded, so that a report stays small whatever the data: curves are thinned, classes, bins and rows are capped.
 */
import { z } from "zod";
import { Metric } from "./metrics.ts";

const MAX_POINTS = 200;
/** Curves of several classes are of the most frequent ones. */
const MAX_CURVES = 8;
const MAX_CONFUSION = 30;

const ClassText = z.string().max(64);
const Share = z.number().min(0).max(1);
/** Both ends of the curve are among its points. */
const Points = z.array(z.tuple([Share, Share])).max(MAX_POINTS);

export const RocCurve = z.strictObject({
  class: ClassText,
  area: Share,
  /** [false positive rate, true positive rate] */
  points: Points,
});
export type RocCurve = z.infer<typeof RocCurve>;

export const PrecisionRecallCurve = z.strictObject({
  class: ClassText,
  averagePrecision: Share,
  /** Share of the class among the rows: the precision of guessing. */
  share: Share,
  /** [recall, precision] */
  points: Points,
});
export type PrecisionRecallCurve = z.infer<typeof PrecisionRecallCurve>;

/** Probability given and frequency found: of the positive class, or of whichever class was the likeliest. */
export const Calibration = z.strictObject({
  of: ClassText,
  bins: z.array(z.strictObject({ predicted: Share, observed: Share, rows: z.int().min(1) })).max(10),
});
export type Calibration = z.infer<typeof Calibration>;

export const Confusion = z
  .strictObject({
    /** Of rows and columns alike; where classes are many, the last one stands for all that are not named. */
    classes: z.array(ClassText).min(1).max(MAX_CONFUSION),
    /** A row for each true class, a column for each predicted one. */
    counts: z.array(z.array(z.int().min(0)).max(MAX_CONFUSION)).max(MAX_CONFUSION),
  })
  .refine(
    ({ classes, counts }) =>
      counts.length === classes.length && counts.every((row) => row.length === classes.length),
    { error: "counts must be a square, as long as classes", path: ["counts"] },
  );
export type Confusion = z.infer<typeof Confusion>;

/** Histogram of predicted less actual; the outer bins hold the outermost rows too. */
export const Residuals = z
  .strictObject({
    edges: z.array(z.number()).min(2).max(41),
    counts: z.array(z.int().min(0)).max(40),
    mean: z.number(),
  })
  .refine(({ edges, counts }) => edges.length === counts.length + 1, {
    error: "edges must be one more than counts",
    path: ["edges"],
  });
export type Residuals = z.infer<typeof Residuals>;

/** Permutation importance: how much worse the metric becomes when the cells of one column are shuffled. */
export const Importance = z.strictObject({
  metric: Metric,
  /** Rows of the sample, and how often each column was shuffled. */
  rows: z.int().min(1),
  repeats: z.int().min(1),
  /** Most important first; `drop` is in units of the metric, positive where the model needs the column. */
  columns: z
    .array(
      z.strictObject({ column: z.string().max(256), drop: z.number(), standardError: z.number().min(0) }),
    )
    .max(100),
  /** Columns that were not shuffled, since there were too many. */
  leftOut: z.int().min(0),
});
export type Importance = z.infer<typeof Importance>;

export const ReportData = z.strictObject({
  /** Final rows. */
  rows: z.int().min(1),
  /** Every metric that is defined for the task and the rows, with its bootstrap standard error. */
  metrics: z.partialRecord(Metric, z.strictObject({ value: z.number(), standardError: z.number().min(0) })),
  /** Regression alone. */
  residuals: Residuals.optional(),
  /** Regression alone: [actual, predicted] of a sample of rows. */
  predictedVersusActual: z
    .array(z.tuple([z.number(), z.number()]))
    .max(500)
    .optional(),
  /** Classification alone. */
  confusion: Confusion.optional(),
  /** Classification with probabilities alone: one curve of the positive class, or one a class against the rest. */
  roc: z.array(RocCurve).max(MAX_CURVES).optional(),
  precisionRecall: z.array(PrecisionRecallCurve).max(MAX_CURVES).optional(),
  calibration: Calibration.optional(),
  importance: Importance.optional(),
});
export type ReportData = z.infer<typeof ReportData>;
