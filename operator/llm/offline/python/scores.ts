/**
 * The scores in search.py: by which the blend is chosen, and the metric itself. What a blend is chosen by is computed a thousand
 * times: where NumPy does in tens of microseconds what takes scikit-learn, which checks its arguments, milliseconds, NumPy does it.
 */

import type { ModelPlan } from "../model-plan.ts";

export const REGRESSION_SCORE = (
  plan: ModelPlan,
): string => `def score(target: np.ndarray, output: np.ndarray) -> float:
    """The metric, signed so that more is better."""
    ${
      plan.metric === "Mae"
        ? "return -float(np.mean(np.abs(target - output)))"
        : plan.metric === "R2"
          ? "return metrics.r2_score(target, output)"
          : "return -float(np.sqrt(np.mean((target - output) ** 2)))"
    }


guide = score  # by which the blend is chosen


def best_prior_power(target: np.ndarray, output: np.ndarray) -> float:
    return 0.0


def final_score(target: np.ndarray, output: np.ndarray, prior_power: float) -> float:
    return score(target, output)`;

/** The Mann-Whitney form of the area under the ROC curve: ties share their ranks. */
const AREA = `def area(positive: np.ndarray, output: np.ndarray) -> float:
    """The area under the ROC curve; one half where there is nothing to tell apart."""
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return 0.5
    return float((rankdata(output)[positive].sum() - count * (count + 1) / 2) / (count * others))`;

export const CLASSIFICATION_SCORE = (plan: ModelPlan): string => {
  const scores: Record<string, string> = {
    RocAuc:
      plan.task === "BinaryClassification"
        ? "return area(target == 1, output[:, 1])"
        : `columns = enumerate(normal(output).T)  # each class against the rest, all of one weight
    return float(np.mean([area(target == code, column) for code, column in columns]))`,
    AveragePrecision: "return metrics.average_precision_score(target, output[:, 1])",
  };
  const own = scores[plan.metric];
  const label: Record<string, string> = {
    Accuracy: "metrics.accuracy_score(target, named)",
    BalancedAccuracy: "metrics.balanced_accuracy_score(target, named)",
    F1Macro: 'metrics.f1_score(target, named, average="macro")',
  };
  const labelled = label[plan.metric];
  const powers =
    plan.metric === "BalancedAccuracy"
      ? "    return 1.0"
      : plan.metric === "F1Macro"
        ? `    powers = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return max(powers, key=lambda power: final_score(target, output, power))`
        : "    return 0.0";
  const area = plan.metric === "RocAuc" ? `${AREA}\n\n\n` : "";
  return `${area}def normal(output: np.ndarray) -> np.ndarray:
    """Probabilities that sum to one and are never quite zero."""
    clipped = np.clip(output, 1e-7, 1)
    return clipped / clipped.sum(axis=1, keepdims=True)


def guide(target: np.ndarray, output: np.ndarray) -> float:
    """By which the blend is chosen: more is better.${own === undefined && labelled !== undefined ? " The loss tells models apart with less noise than counts of labels." : ""}"""
    ${own ?? "return float(np.mean(np.log(normal(output)[np.arange(len(target)), target])))"}


def best_prior_power(target: np.ndarray, output: np.ndarray) -> float:
    """See Blend in models.py."""
${powers}


def final_score(target: np.ndarray, output: np.ndarray, prior_power: float) -> float:
    """The metric, signed so that more is better."""
    ${
      labelled === undefined
        ? "return guide(target, output)"
        : `shares = np.bincount(target, minlength=output.shape[1]) / len(target)
    named = np.argmax(output / np.maximum(shares, 1e-9) ** prior_power, axis=1)
    return ${labelled}`
    }`;
};
