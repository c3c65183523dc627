/** Tasks and metrics: which metric fits which task, and which way is better. */
import { z } from "zod";

export const Task = z.enum(["BinaryClassification", "MulticlassClassification", "Regression"]);
export type Task = z.infer<typeof Task>;

export const Metric = z.enum([
  "RocAuc",
  "AveragePrecision",
  "Accuracy",
  "BalancedAccuracy",
  "F1Macro",
  "LogLoss",
  "Rmse",
  "Mae",
  "R2",
]);
export type Metric = z.infer<typeof Metric>;

type MetricFacts = {
  readonly direction: "Maximize" | "Minimize";
  readonly tasks: readonly Task[];
  /** Whether it is computed from class probabilities rather than from labels or numbers. */
  readonly needsProbabilities: boolean;
};

const CLASSIFICATION = ["BinaryClassification", "MulticlassClassification"] as const;
const label = { direction: "Maximize", tasks: CLASSIFICATION, needsProbabilities: false } as const;

/** Definitions are scikit-learn's; multiclass RocAuc is one-vs-rest, macro average. */
export const METRICS: Readonly<Record<Metric, MetricFacts>> = {
  RocAuc: { direction: "Maximize", tasks: CLASSIFICATION, needsProbabilities: true },
  AveragePrecision: { direction: "Maximize", tasks: ["BinaryClassification"], needsProbabilities: true },
  Accuracy: label,
  BalancedAccuracy: label,
  F1Macro: label,
  LogLoss: { direction: "Minimize", tasks: CLASSIFICATION, needsProbabilities: true },
  Rmse: { direction: "Minimize", tasks: ["Regression"], needsProbabilities: false },
  Mae: { direction: "Minimize", tasks: ["Regression"], needsProbabilities: false },
  R2: { direction: "Maximize", tasks: ["Regression"], needsProbabilities: false },
};

export const DEFAULT_METRIC: Readonly<Record<Task, Metric>> = {
  BinaryClassification: "RocAuc",
  MulticlassClassification: "LogLoss",
  Regression: "Rmse",
};

/** Positive when `a` is the better score, negative when `b` is, 0 when equal. */
export function compareScores(metric: Metric, a: number, b: number): number {
  return METRICS[metric].direction === "Maximize" ? a - b : b - a;
}
