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
  /** How many of the splits that folds and repeats make are used. */
  readonly splits: number;
  /** How few of them will do where the machine turns out slower than was thought. */
  readonly leastSplits: number;
  readonly maxRows: number;
};

/** Seconds of one core for a medium fit: for any, and for each cell of the encoded rows; measured on an ordinary server. */
const SECONDS_PER_FIT = 0.15;
const SECONDS_PER_CELL = 1e-5;
/** Seconds that verifying next to nothing takes on an idle machine: for a fold, and for one holdout. */
const IDLE_FOLD_SECONDS = 1.6;
const IDLE_HOLDOUT_SECONDS = 4;
/** A search of fewer trials is no search: rather each is tried on fewer splits. */
const WANTED_TRIALS = 10;
const LEAST_SECONDS = 10;

/** How much slower than an idle server this machine is at present, told by the cheapest baseline. */
export function slowness(request: LlmRequest): number {
  const { baselines, split } = request.briefing;
  if (baselines.length === 0) return 1;
  const cheapest = Math.min(...baselines.map(({ seconds }) => seconds));
  const idle = split.method === "Holdout" ? IDLE_HOLDOUT_SECONDS : IDLE_FOLD_SECONDS * split.folds;
  return Math.min(6, Math.max(1, cheapest / idle));
}

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
  const slow = slowness(request);
  const left = request.remaining.seconds;
  const leastSave = rounds * OVERHEAD_SECONDS + 2;
  const save = Math.max(leastSave, 1.3 * (saveSeconds ?? leastSave * slow));
  // A long budget is spent in several rounds, each of which learns from the one before.
  const share = left > 400 ? 0.3 : 1;
  const most = Math.min(0.8 * request.briefing.stepTimeoutSeconds, 600);
  const seconds = Math.floor(scale * Math.min(most, share * (left - save - 6)));
  if (seconds < LEAST_SECONDS) return undefined;
  // Of a round of verifying the draft about half was its fit, half the prediction in a fresh process.
  const beside = Math.min(OVERHEAD_SECONDS * slow, (saveSeconds ?? Number.POSITIVE_INFINITY) / rounds / 2);
  const fitSeconds = (left - seconds - 6) / rounds - beside;
  const work = plan.task === "MulticlassClassification" ? Math.min(plan.classes, 20) : 1;
  const cores = Math.max(1, Math.floor(request.briefing.cpus));
  const coreSeconds = (scale * seconds * cores) / slow;
  const cellSeconds = SECONDS_PER_CELL * plan.width * work;
  const maxRows = Math.max(2000, Math.floor(coreSeconds / (WANTED_TRIALS * cellSeconds)));
  const perSplit = SECONDS_PER_FIT + cellSeconds * Math.min(plan.rows, maxRows);
  const { folds, repeats, splits, leastSplits } = foldsFor(plan, coreSeconds / (WANTED_TRIALS * perSplit));
  return {
    seconds,
    fitSeconds: Math.max(1, Math.round(Math.min(fitSeconds, 0.12 * left))),
    trials: Math.max(4, Math.min(40, Math.floor(coreSeconds / (perSplit * splits)))),
    folds,
    repeats,
    splits,
    leastSplits,
    maxRows,
  };
}

/** As many splits as are good for the data, or as can be had for enough trials; where rows abound, one will do. */
function foldsFor(
  plan: ModelPlan,
  affordable: number,
): Pick<SearchBudget, "folds" | "repeats" | "splits" | "leastSplits"> {
  const { kind } = plan.splitBy;
  const repeats = kind !== "Random" ? 1 : plan.rows < 500 ? 3 : plan.rows < 1500 ? 2 : 1;
  const folds = kind === "Time" ? 3 : plan.rows < 12_000 ? 5 : plan.rows < 40_000 ? 4 : 3;
  const wanted = folds * repeats;
  const least = plan.rows < 2000 ? folds : plan.rows < 8000 ? 2 : 1;
  if (affordable >= wanted) return { folds, repeats, splits: wanted, leastSplits: least };
  const splits = Math.max(least, Math.floor(affordable));
  // The last blocks of time, or some of the folds.
  return {
    folds,
    repeats: Math.max(1, Math.ceil(splits / folds)),
    splits: Math.min(wanted, splits),
    leastSplits: least,
  };
}
