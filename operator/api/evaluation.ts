/** How candidates are compared: metric, split and acceptance, and the rules that relate them to task and target. */
import { z } from "zod";
import { METRICS, Metric, Task } from "./metrics.ts";
import { type Rule, text, withRules } from "./rule.ts";

/** What a person asks for: a plain decimal number, that every CEL library reads alike. */
export const AcceptanceScore = text(
  1,
  32,
  /^-?[0-9]{1,15}(\.[0-9]{1,15})?$/,
  'a decimal number in quotes, such as "0.85"',
);

export const Evaluation = withRules(
  z.strictObject({
    metric: Metric.optional().describe(
      "What is optimised, and by which the best candidate is chosen; the operator computes it, as scikit-learn defines it. RocAuc of several classes is one-vs-rest, macro average. Default by task: RocAuc (binary), LogLoss (multiclass), Rmse (regression).",
    ),
    method: z
      .enum(["Auto", "Holdout", "CrossValidation"])
      .default("Auto")
      .describe(
        "How candidates are compared: on one set of rows held out, or on folds, for which the recipe is run once a fold. Auto: folds where data are few and not divided by time.",
      ),
    folds: z.int().min(2).max(10).default(5).describe("Number of folds in cross-validation."),
    finalPercent: z
      .int()
      .min(5)
      .max(50)
      .default(20)
      .describe("Percentage of the rows set aside for the final score, which is computed once."),
    split: z
      .enum(["Random", "Time", "Group"])
      .default("Random")
      .describe(
        "How rows are divided: at random (stratified by class), by time (the latest rows are the final ones), or by group (no group on two sides; standard errors are then drawn by group). By time there is one holdout and never folds, which would train on the future.",
      ),
    column: text(1, 256)
      .optional()
      .describe("Column with the time or the group of a row; for the splits Time and Group alone."),
    seed: z
      .int()
      .min(0)
      .max(2147483647)
      .default(0)
      .describe("Seed of every random choice: the same seed, data and recipe give the same split."),
    publish: z
      .enum(["AsScored", "Refit"])
      .default("AsScored")
      .describe(
        "Which model is published: the one that was scored on the final rows, or the same recipe run once more on all rows.",
      ),
  }),
  {
    rule: "self.split == 'Random' || has(self.column)",
    message:
      "is needed with split Time and split Group: name the column that holds the time or the group of a row",
    fieldPath: ".column",
  },
  {
    rule: "self.split != 'Random' || !has(self.column)",
    message: "is for split Time and split Group: leave it out, or choose one of the two as split",
    fieldPath: ".column",
  },
  {
    rule: "self.split != 'Time' || self.method != 'CrossValidation'",
    message: "must be Auto or Holdout with split Time: folds would train on what came later",
    fieldPath: ".method",
  },
);

/** A rule a task: the metrics that fit it. */
const METRIC_FITS_TASK: readonly Rule[] = Task.options.map((task) => {
  const fitting = Metric.options.filter((metric) => METRICS[metric].tasks.includes(task));
  const list = fitting.map((metric) => `'${metric}'`).join(", ");
  return {
    rule: `self.task != '${task}' || !has(self.evaluation.metric) || self.evaluation.metric in [${list}]`,
    message: `does not fit task ${task}: choose one of ${fitting.join(", ")}`,
    fieldPath: ".evaluation.metric",
  };
});

/** Every metric that is maximised is at most 1, and R2 alone can be negative. */
const BELOW_ONE = Metric.options.filter((metric) => METRICS[metric].direction === "Maximize");
const NEVER_NEGATIVE = Metric.options.filter((metric) => metric !== "R2");

/** Rules of a TrainingJob's spec. */
export const EVALUATION_RULES: readonly Rule[] = [
  ...METRIC_FITS_TASK,
  {
    rule: "!has(self.evaluation.column) || self.evaluation.column != self.target",
    message: "must be another column than target: rows cannot be divided by what is to be predicted",
    fieldPath: ".evaluation.column",
  },
  {
    rule: `!has(self.acceptance) || !has(self.evaluation.metric) || !(self.evaluation.metric in ${names(BELOW_ONE)}) || double(self.acceptance.score) <= 1.0`,
    message: `must be at most 1 with this metric: write "0.85" for 85 %`,
    fieldPath: ".acceptance.score",
  },
  {
    rule: `!has(self.acceptance) || !has(self.evaluation.metric) || !(self.evaluation.metric in ${names(NEVER_NEGATIVE)}) || double(self.acceptance.score) >= 0.0`,
    message: "must not be negative with this metric, which never is",
    fieldPath: ".acceptance.score",
  },
];

function names(metrics: readonly Metric[]): string {
  return `[${metrics.map((metric) => `'${metric}'`).join(", ")}]`;
}
