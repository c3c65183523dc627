/**
 * What the runner's `report` verb hands back: the numbers behind the charts of a report, of the final rows alone.
 * Bounded, so that a report stays small whatever the data: curves are thinned, classes and points are capped.
 */
import { z } from "zod";
import { Metric } from "./metrics.ts";

const MAX_CURVE_POINTS = 256;
const MAX_CLASSES = 30;

/** [x, y] */
const Point = z.tuple([z.number(), z.number()]);
const ClassText = z.string().max(256);

/** Points in the order of a falling threshold, and the area below them as scikit-learn computes it from all rows. */
const Curve = z.strictObject({ points: z.array(Point).max(MAX_CURVE_POINTS), area: z.number() });

const Confusion = z.strictObject({
  /** Rows and columns alike; where classes were too many the last one stands for all the others. */
  classes: z.array(ClassText).min(1).max(MAX_CLASSES),
  /** counts[actual][predicted] */
  counts: z.array(z.array(z.int().min(0)).max(MAX_CLASSES)).max(MAX_CLASSES),
});
export type Confusion = z.infer<typeof Confusion>;

const CalibrationBin = z.strictObject({
  /** Mean predicted probability of the bin. */
  predicted: z.number().min(0).max(1),
  /** Share of the bin's rows that are of the positive class. */
  observed: z.number().min(0).max(1),
  rows: z.int().min(1),
});

export const Importance = z.strictObject({
  feature: z.string().max(256),
  /** By how much the metric gets worse when the column is permuted; in units of the metric, positive: it matters. */
  loss: z.number(),
  /** Standard deviation over the repetitions. */
  standardDeviation: z.number().min(0),
});
export type Importance = z.infer<typeof Importance>;

const common = {
  metric: Metric,
  /** Final rows. */
  rows: z.int().min(1),
  /** Every metric that fits the task, with its bootstrap standard error. */
  metrics: z
    .array(z.strictObject({ metric: Metric, score: z.number(), standardError: z.number().min(0) }))
    .max(16),
  /** Absent where the model could not predict permuted rows. */
  importance: z
    .strictObject({
      /** Rows that were permuted; a sample where the final rows are many. */
      rows: z.int().min(1),
      repeats: z.int().min(1),
      /** The most important ones, most important first. */
      features: z.array(Importance).max(50),
      /** Features that were left out of the list, or not permuted at all. */
      others: z.int().min(0),
    })
    .optional(),
};

export const ReportData = z.discriminatedUnion("task", [
  z.strictObject({
    ...common,
    task: z.literal("BinaryClassification"),
    positive: ClassText,
    /** Share of final rows that are of the positive class. */
    positiveShare: z.number().min(0).max(1),
    /** The three below are absent where the model gives no probabilities. */
    roc: Curve.optional(),
    precisionRecall: Curve.optional(),
    calibration: z.array(CalibrationBin).max(20).optional(),
    confusion: Confusion,
  }),
  z.strictObject({
    ...common,
    task: z.literal("MulticlassClassification"),
    /** The classes with most final rows, one against the rest. */
    classes: z
      .array(
        z.strictObject({
          class: ClassText,
          rows: z.int().min(0),
          precision: z.number(),
          recall: z.number(),
          f1: z.number(),
          roc: Curve.optional(),
        }),
      )
      .max(MAX_CLASSES),
    confusion: Confusion,
  }),
  z.strictObject({
    ...common,
    task: z.literal("Regression"),
    /** [actual, predicted] of a seeded sample of rows. */
    sample: z.array(Point).max(1000),
    residuals: z.array(z.strictObject({ from: z.number(), to: z.number(), rows: z.int().min(0) })).max(60),
  }),
]);
export type ReportData = z.infer<typeof ReportData>;
