/** How the remaining time is shared out. Pure functions of what is known; seconds throughout. */
import type { LlmRequest } from "../language-model.ts";
import type { ModelPlan } from "./model-plan.ts";

/** Starting a process, importing, loading, predicting: what a fit costs beside the fit. */
const OVERHEAD_SECONDS = 3;

/** Rounds of fits, one after another, that a verification takes: the first fold alone, the others side by side. */
export function verificationRounds(request: LlmRequest): number {
  const { folds, method } = request.briefing.split;
  if (method === "Holdout") return 1;
  return 1 + Math.ceil(Math.max(0, folds - 1) / Math.max(1, Math.min(2, Math.floor(request.briefing.cpus))));
}

export type SearchBudget = {
  readonly seconds: number;
  /** Longest that fitting the blend once may take, so that it can still be verified. */
  readonly fitSeconds: number;
  readonly trials: number;
  readonly folds: number;
  readonly repeats: number;
  readonly maxRows: number;
};

/** Seconds of one core for a medium fit, for each cell of the encoded rows; measured on an ordinary server core. */
const SECONDS_PER_CELL = 2.5e-6;
const LEAST_SECONDS = 10;

/**
 * The search that fits into what is left, and leaves time to verify what it finds; undefined where none does.
 * @param saveSeconds what verifying the draft took, if it was
 * @param scale shrinks the search after one that did not end well
 */
export function searchBudget(
  request: LlmRequest,
  plan: ModelPlan,
  saveSeconds: number | undefined,
  scale: number,
): SearchBudget | undefined {
  const rounds = verificationRounds(request);
  const left = request.remaining.seconds;
  const leastSave = rounds * OVERHEAD_SECONDS + 2;
  const save = Math.min(left * 0.4, Math.max(leastSave, 1.5 * (saveSeconds ?? leastSave * 2)));
  // A long budget is spent in several rounds, each of which learns from the one before.
  const share = left > 400 ? 0.3 : 1;
  const most = Math.min(0.8 * request.briefing.stepTimeoutSeconds, 600);
  const seconds = Math.floor(scale * Math.min(most, share * 0.85 * (left - save - 6)));
  if (seconds < LEAST_SECONDS) return undefined;
  const fitSeconds = (left - seconds - 6) / rounds - OVERHEAD_SECONDS;
  const { folds, repeats } = foldsFor(plan);
  const work = plan.task === "MulticlassClassification" ? Math.min(plan.classes, 20) : 1;
  const cores = Math.max(1, Math.floor(request.briefing.cpus));
  const perRow = SECONDS_PER_CELL * plan.width * work * folds * repeats;
  const maxRows = Math.max(2000, Math.floor((seconds * cores) / (perRow * 8)));
  const perTrial = 0.1 * folds * repeats + perRow * Math.min(plan.rows, maxRows);
  return {
    seconds,
    fitSeconds: Math.max(1, Math.round(Math.min(fitSeconds, 0.12 * left))),
    trials: Math.max(4, Math.min(40, Math.floor((scale * seconds * cores) / perTrial))),
    folds,
    repeats,
    maxRows: Math.max(1000, Math.floor(maxRows * scale)),
  };
}

function foldsFor(plan: ModelPlan): { folds: number; repeats: number } {
  if (plan.splitBy.kind === "Time") return { folds: 3, repeats: 1 };
  const repeats = plan.splitBy.kind === "Group" ? 1 : plan.rows < 500 ? 3 : plan.rows < 1500 ? 2 : 1;
  if (plan.rows < 12_000) return { folds: 5, repeats };
  return { folds: plan.rows < 40_000 ? 4 : 3, repeats };
}
