/** What the author does next: a pure function of the conversation, the briefing and the remaining budget. */
import type { LlmRequest } from "../language-model.ts";
import { type SearchBudget, searchBudget } from "./budget.ts";
import { isPlain, type Member } from "./members.ts";
import { type ModelPlan, planModel } from "./model-plan.ts";
import { type Deed, deedsNamed, deedsOf, TOOLS } from "./place.ts";
import { draftMembers, fallbackMembers, firstTrials, nearbyTrials, type Trial } from "./portfolio.ts";
import { type Found, readSearch } from "./search-result.ts";

/** A move: what to say, and which tools to call. Without calls the author is done. */
export type Move =
  | {
      readonly kind: "Save";
      readonly say: string;
      readonly fresh: boolean;
      readonly save: Save;
      readonly thenSearch?: Search;
    }
  | { readonly kind: "Install"; readonly say: string; readonly packages: readonly string[] }
  | { readonly kind: "Search"; readonly say: string; readonly search: Search; readonly fresh: boolean }
  | { readonly kind: "Done"; readonly say: string };

export type Save = {
  readonly name: string;
  readonly description: string;
  readonly members: readonly Member[];
  readonly priorPower: number;
  readonly claimedScore: number | undefined;
};

export type Search = { readonly trials: readonly Trial[]; readonly budget: SearchBudget };

const DRAFT = "Draft blend";
const TUNED = "Tuned blend";
const REPAIRED = "Tuned blend, smaller";
const SEARCH_FILE = "search.py";
const MOST_ROUNDS = 4;
/** Fewer rows than this and another library would have nothing to show for its size. */
const LIGHTGBM_ROWS = 1500;

type Place = {
  readonly request: LlmRequest;
  readonly plan: ModelPlan;
  readonly deeds: readonly Deed[];
  readonly saves: readonly Deed[];
  readonly searches: readonly Deed[];
};

export function nextMove(request: LlmRequest): { readonly plan: ModelPlan; readonly move: Move } {
  const plan = planModel(request.briefing);
  const deeds = deedsOf(request.turns);
  const place: Place = {
    request,
    plan,
    deeds,
    saves: deedsNamed(deeds, TOOLS.save),
    searches: deedsNamed(deeds, TOOLS.execute).filter(({ args }) => args.path === SEARCH_FILE),
  };
  return { plan, move: decide(place) };
}

function decide(place: Place): Move {
  const { saves, searches } = place;
  if (saves.length === 0 && searches.length === 0) return draft(place);
  const last = place.deeds.at(-1);
  const lastIsSearch = last !== undefined && last === searches.at(-1);
  if (!saves.some(({ response }) => response.ok) && !lastIsSearch) return repairDraft(place);
  if (lastIsSearch) return afterSearch(place, last);
  const save = saves.at(-1);
  if (save !== undefined && save === last && !save.response.ok) return repairTuned(place, save);
  return search(place);
}

function draft(place: Place): Move {
  const { plan, request } = place;
  const baseline = Math.max(0, ...request.briefing.baselines.map(({ seconds }) => seconds));
  const hurried = request.remaining.seconds < 2 * baseline + 10;
  const members = hurried ? (fallbackMembers(plan, 1) ?? []) : draftMembers(plan);
  const budget = request.remaining.steps === 2 ? searchBudget(request, plan, baseline * 2, 0.6) : undefined;
  return {
    kind: "Save",
    say: "First a blend of models that are good on most data without tuning, so that there is something to build on.",
    fresh: true,
    save: { ...described(DRAFT, members), priorPower: usualPriorPower(plan), claimedScore: undefined },
    ...(budget === undefined
      ? {}
      : { thenSearch: { trials: firstTrials(plan, budget.trials, false), budget } }),
  };
}

function repairDraft(place: Place): Move {
  const failed = place.saves.length;
  const members = fallbackMembers(place.plan, failed);
  const why = reason(place.saves.at(-1));
  if (members === undefined) {
    return done(`None of the models I know could be verified on this data. The last one failed: ${why}`);
  }
  return {
    kind: "Save",
    say: `The last candidate failed (${why}). I go on with fewer and simpler models.`,
    fresh: false,
    save: {
      ...described(`Simple model ${failed}`, members),
      priorPower: usualPriorPower(place.plan),
      claimedScore: undefined,
    },
  };
}

function search(place: Place): Move {
  const { request, plan, searches } = place;
  const { steps } = request.remaining;
  if (steps < 2) return done("The step budget is nearly spent: the best verified candidate stands.");
  const found = foundBy(searches);
  const round = searches.length;
  if (round >= MOST_ROUNDS) return done("Further rounds of tuning are not worth their time.");
  const budget = searchBudget(request, plan, savedSeconds(place), 1);
  if (budget === undefined || (round > 0 && budget.seconds < 25)) {
    return done("The time left is kept for publishing: the best verified candidate stands.");
  }
  const lightgbm = deedsNamed(place.deeds, TOOLS.install);
  if (
    lightgbm.length === 0 &&
    round === 0 &&
    steps >= 5 &&
    plan.rows >= LIGHTGBM_ROWS &&
    budget.seconds >= 30
  ) {
    return {
      kind: "Install",
      say: "There are enough rows for LightGBM to be worth a try beside scikit-learn's boosting.",
      packages: ["lightgbm"],
    };
  }
  const available = lightgbm.some(({ response }) => response.ok);
  const best = found.at(-1);
  const trials =
    best === undefined
      ? firstTrials(plan, budget.trials, available)
      : nearbyTrials(plan, best.members, round, budget.trials, available);
  return {
    kind: "Search",
    say:
      round === 0
        ? `Now I compare ${trials.length} models by cross-validation and look for the best blend of them.${lightgbm.length > 0 && !available ? " LightGBM could not be installed; I go on without it." : ""}`
        : `There is time for another round: ${trials.length} more models near the best ones.`,
    fresh: false,
    search: { trials, budget },
  };
}

function afterSearch(place: Place, last: Deed): Move {
  const { searches, request, plan } = place;
  const found = readSearch(last.response);
  if (found === undefined) return retrySearch(place, last);
  const before = foundBy(searches.slice(0, -1));
  const best = Math.max(Number.NEGATIVE_INFINITY, ...before.map(({ score }) => score));
  if (before.length > 0 && found.score <= best) {
    return done("Another round of tuning found nothing better: the best verified candidate stands.");
  }
  if (found.members.every(isPlain) && place.saves.some(({ response }) => response.ok)) {
    return done("The search found nothing better than plain boosting: the best verified candidate stands.");
  }
  return {
    kind: "Save",
    say: `The best blend has ${found.members.length} ${found.members.length === 1 ? "member" : "members"}. I write it into the recipe and have it verified.`,
    fresh: place.saves.length === 0,
    save: tuned(TUNED, found, plan, request),
  };
}

function retrySearch(place: Place, last: Deed): Move {
  const { request, plan, searches } = place;
  const failures = searches.filter(({ response }) => readSearch(response) === undefined).length;
  const budget = failures === 1 ? searchBudget(request, plan, savedSeconds(place), 0.4) : undefined;
  const saved = place.saves.some(({ response }) => response.ok);
  if (budget === undefined || request.remaining.steps < 2) {
    return saved
      ? done(`The search failed (${reason(last)}): the best verified candidate stands.`)
      : repairDraft(place);
  }
  return {
    kind: "Search",
    say: `The search failed (${reason(last)}). I try a smaller one: fewer models, fewer rows.`,
    fresh: false,
    search: { trials: firstTrials(plan, Math.min(budget.trials, 8), false), budget },
  };
}

function repairTuned(place: Place, failed: Deed): Move {
  const { plan, request, searches } = place;
  const found = foundBy(searches).at(-1);
  if (found === undefined || failed.args.name === REPAIRED || request.remaining.steps < 1) {
    return done(
      `The tuned blend could not be verified (${reason(failed)}): the best verified candidate stands.`,
    );
  }
  const plain = found.members.filter(({ kind }) => kind !== "lightgbm");
  const strongest = [...plain].sort((a, b) => b.weight - a.weight).slice(0, 1);
  const members = strongest.length > 0 ? strongest : draftMembers(plan).slice(0, 2);
  return {
    kind: "Save",
    say: `The tuned blend failed (${reason(failed)}). I keep its strongest member only.`,
    fresh: false,
    save: { ...tuned(REPAIRED, { ...found, members }, plan, request), claimedScore: undefined },
  };
}

function tuned(name: string, found: Found, plan: ModelPlan, request: LlmRequest): Save {
  const score = request.briefing.direction === "Minimize" ? -found.score : found.score;
  const priorPower = plan.task === "Regression" ? 0 : found.priorPower;
  return { ...described(name, found.members), priorPower, claimedScore: score };
}

function described(name: string, members: readonly Member[]): Pick<Save, "name" | "description" | "members"> {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const parts = members.map(
    ({ kind, view, weight }) => `${Math.round((100 * weight) / total)} % ${kind} (${view})`,
  );
  return {
    name,
    description: `Written without an LLM. Weighted mean of ${parts.join(", ")}.`.slice(0, 1000),
    members,
  };
}

/** Before a search has found a better one. */
function usualPriorPower(plan: ModelPlan): number {
  if (plan.metric === "BalancedAccuracy") return 1;
  return plan.metric === "F1Macro" ? 0.6 : 0;
}

function foundBy(searches: readonly Deed[]): Found[] {
  return searches.flatMap(({ response }) => readSearch(response) ?? []);
}

function savedSeconds(place: Place): number | undefined {
  const seconds = place.saves.findLast(({ response }) => response.ok)?.response.seconds;
  return typeof seconds === "number" ? seconds : undefined;
}

/** Why a call failed, in a few words. */
function reason(deed: Deed | undefined): string {
  const response: Readonly<Record<string, unknown>> = deed?.response ?? {};
  const { stage, error, traceback, exitCode } = response;
  const last = typeof traceback === "string" ? traceback.trim().split("\n").at(-1) : undefined;
  const parts = [typeof error === "string" ? error : undefined, last].filter((part) => part !== undefined);
  const what = parts.length > 0 ? parts.join(": ") : `exit code ${String(exitCode ?? "unknown")}`;
  return `${typeof stage === "string" ? `${stage}: ` : ""}${what}`.replace(/\s+/g, " ").slice(0, 200);
}

function done(say: string): Move {
  return { kind: "Done", say };
}
