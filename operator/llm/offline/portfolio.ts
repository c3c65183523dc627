/** Which models are tried, in the order of how likely they are to be worth it. */
import type { Member, Setup } from "./members.ts";
import { PLAIN_BOOSTING } from "./members.ts";
import type { ModelPlan } from "./model-plan.ts";

type Settings = Setup["settings"];

/** A trial whose number of iterations is found by early stopping on the rows held out. */
export type Trial = Setup & { readonly stops: boolean };

/** On fewer rows, stopping where the held-out loss is lowest flatters a trial: it was chosen on the rows it is scored on. */
const STOPPING_ROWS = 1000;
/** Iterations times learning rate: what takes the place of stopping. */
const USUAL_DISTANCE = 6;

function trial(
  plan: ModelPlan,
  kind: Setup["kind"],
  view: Setup["view"],
  settings: Settings,
  distance = USUAL_DISTANCE,
): Trial {
  const iterations = kind === "lightgbm" ? "n_estimators" : "max_iter";
  const rate = settings.learning_rate;
  const boosted = (kind === "lightgbm" || kind === "boosting") && typeof rate === "number";
  if (!boosted || plan.rows >= STOPPING_ROWS) return { kind, view, settings, stops: boosted };
  return { kind, view, settings: { ...settings, [iterations]: Math.round(distance / rate) }, stops: false };
}

/** The first models: good on most data without any tuning. */
export function draftMembers(plan: ModelPlan): Member[] {
  const members: Member[] = [
    { ...PLAIN_BOOSTING, weight: 1 },
    {
      ...boosting(
        "tree",
        plan,
        plan.rows > 4000
          ? { learning_rate: 0.06, max_iter: 250, max_leaf_nodes: 31, max_features: 0.5 }
          : { learning_rate: 0.05, max_iter: 150, max_leaf_nodes: 8 },
      ),
      weight: 1,
    },
    { ...linear(plan, "linear", 0.3), weight: linearWeight(plan) },
    { ...forest(plan, 3, 0.5), weight: 1 },
  ];
  const affordable = costly(plan) ? members.filter(({ kind }) => kind !== "forest") : members;
  return affordable.map(({ kind, view, settings, weight }) => ({ kind, view, settings, weight }));
}

/** One strong, simple model each, for when the blend cannot be had: tried in turn. */
export function fallbackMembers(plan: ModelPlan, attempt: number): Member[] | undefined {
  const ladder: Member[][] = [
    [
      { ...PLAIN_BOOSTING, weight: 1 },
      { ...boosting("tree", plan, { learning_rate: 0.08, max_iter: 100, max_leaf_nodes: 15 }), weight: 1 },
      { ...linear(plan, "linear", 0.3), weight: linearWeight(plan) },
    ],
    [{ ...boosting("tree", plan, {}), weight: 1 }],
    [{ ...forest(plan, 3, 0.5), weight: 1 }],
  ];
  return ladder[attempt - 1]?.map(({ kind, view, settings, weight }) => ({ kind, view, settings, weight }));
}

/** On few rows a linear model is as good as any; on many it only rounds the others off, for numbers more than for classes. */
function linearWeight(plan: ModelPlan): number {
  const many = plan.rows > 2000 ? 0.5 : 1;
  return plan.task === "Regression" ? many / 2 : many;
}

/** So much work that a forest would eat the time that boosting uses better. */
function costly(plan: ModelPlan): boolean {
  return plan.rows * plan.width > 20_000_000;
}

function boosting(view: Setup["view"], plan: ModelPlan, settings: Settings): Trial {
  const few = plan.rows < 200 ? { min_samples_leaf: 5 } : {};
  return trial(plan, "boosting", view, { ...few, ...settings });
}

/** The same strength of regularisation for both: C of a logistic regression, 1 / alpha of a ridge. */
function linear(plan: ModelPlan, view: Setup["view"], strength: number, extra: Settings = {}): Trial {
  const settings =
    plan.task === "Regression" ? { alpha: Math.round((3 / strength) * 10) / 10 } : { C: strength };
  return trial(plan, "linear", view, { ...settings, ...extra });
}

function forest(plan: ModelPlan, leaf: number, share: number, extra: Settings = {}): Trial {
  const settings: Settings = {
    // Leaves are what a forest weighs: on many rows fewer trees, with larger leaves.
    n_estimators: plan.rows < 4000 ? 300 : plan.rows < 20_000 ? 150 : 100,
    min_samples_leaf: Math.max(leaf, plan.rows < 8000 ? 1 : 2, Math.round(plan.rows / 20_000)),
    max_features: share,
  };
  return trial(plan, "forest", "tree", { ...settings, ...extra });
}

function light(plan: ModelPlan, settings: Settings): Trial {
  return trial(plan, "lightgbm", "tree", {
    ...settings,
    ...(plan.rows < 200 ? { min_child_samples: 5 } : {}),
  });
}

/**
 * The trials of a first search, best guesses first. `count` cuts the list; beyond the hand-made ones they are drawn at
 * random, from the job's seed.
 */
export function firstTrials(plan: ModelPlan, count: number, lightgbm: boolean): Trial[] {
  const large = plan.rows > 4000;
  const made: Trial[] = [
    { ...PLAIN_BOOSTING, stops: false },
    boosting("ordered", plan, {
      learning_rate: 0.05,
      max_iter: 600,
      max_leaf_nodes: large ? 24 : 8,
      max_features: 0.5,
      l2_regularization: 1,
    }),
    linear(plan, "linear", 0.3),
    forest(plan, large ? 2 : 3, 0.5),
    ...(lightgbm
      ? [
          light(plan, {
            learning_rate: 0.05,
            n_estimators: 1500,
            num_leaves: large ? 31 : 12,
            colsample_bytree: 0.6,
            subsample: 0.8,
            reg_lambda: 1,
          }),
        ]
      : []),
    ...(plan.skewedTarget
      ? [
          boosting("ordered", plan, {
            learning_rate: 0.05,
            max_iter: 600,
            max_leaf_nodes: 8,
            max_features: 0.5,
            log_target: true,
          }),
          linear(plan, "linear", 0.3, { log_target: true }),
        ]
      : []),
    linear(plan, "linear_bins", 0.1),
    boosting("tree", plan, {
      learning_rate: 0.04,
      max_iter: 1200,
      max_leaf_nodes: large ? 31 : 4,
      max_features: 0.4,
      min_samples_leaf: large ? 20 : 10,
      l2_regularization: 3,
    }),
    forest(plan, 1, 0.3),
    linear(plan, "linear", 0.03),
    ...(lightgbm && large
      ? [
          light(plan, {
            learning_rate: 0.03,
            n_estimators: 3000,
            num_leaves: 63,
            colsample_bytree: 0.5,
            subsample: 0.8,
            min_child_samples: 30,
            reg_lambda: 5,
          }),
        ]
      : []),
    ...(plan.crossed.length > 0
      ? [
          trial(
            plan,
            lightgbm ? "lightgbm" : "boosting",
            "tree_crossed",
            lightgbm
              ? {
                  learning_rate: 0.05,
                  n_estimators: 1500,
                  num_leaves: 31,
                  colsample_bytree: 0.5,
                  subsample: 0.8,
                }
              : { learning_rate: 0.05, max_iter: 800, max_leaf_nodes: 31, max_features: 0.4 },
          ),
        ]
      : []),
    forest(plan, 8, 0.5),
    linear(plan, "linear", 3),
  ];
  const random = randomOf(plan.seed);
  while (made.length < count) made.push(randomTrial(plan, random, lightgbm));
  return made.slice(0, count);
}

/** The trials of a later search: the members of the best blend again, and others near them. */
export function nearbyTrials(
  plan: ModelPlan,
  best: readonly Setup[],
  round: number,
  count: number,
  lightgbm: boolean,
): Trial[] {
  const random = randomOf(plan.seed + 1000 * round);
  const kept = best.map((setup): Trial => ({ ...setup, stops: false }));
  const made: Trial[] = [
    { ...PLAIN_BOOSTING, stops: false },
    ...kept.filter((setup) => Object.keys(setup.settings).length > 0 || setup.kind !== "boosting"),
  ];
  let index = 0;
  while (made.length < count) {
    const base = best[index++ % Math.max(1, best.length)];
    made.push(
      base === undefined || index % 3 === 0
        ? randomTrial(plan, random, lightgbm)
        : varied(base, plan, random),
    );
  }
  return made.slice(0, Math.max(count, kept.length + 1));
}

const DISTANCES = [2, 4, 7, 12] as const;
const FACTORS = [0.5, 0.7, 1, 1.4, 2] as const;

function randomTrial(plan: ModelPlan, random: () => number, lightgbm: boolean): Trial {
  const pick = <T>(values: readonly [T, ...T[]]): T =>
    values[Math.floor(random() * values.length)] ?? values[0];
  const rate = pick([0.03, 0.05, 0.08]);
  const leaves = plan.rows > 4000 ? pick([8, 15, 31, 63, 127]) : pick([3, 4, 6, 10, 16, 31]);
  const atLeast = plan.rows < 400 ? pick([3, 5, 10]) : pick([5, 10, 20, 40, 80]);
  const share = pick([0.3, 0.5, 0.7, 1.0]);
  const penalty = pick([0.1, 1, 10]);
  const log = plan.skewedTarget && random() < 0.5 ? { log_target: true } : {};
  const crossed = plan.crossed.length > 0 && random() < 0.4;
  if (lightgbm && random() < 0.6) {
    return trial(
      plan,
      "lightgbm",
      crossed ? "tree_crossed" : "tree",
      {
        learning_rate: rate,
        n_estimators: 2500,
        num_leaves: leaves,
        min_child_samples: atLeast,
        colsample_bytree: share,
        subsample: pick([0.6, 0.8, 1.0]),
        reg_lambda: penalty,
        ...log,
      },
      pick(DISTANCES),
    );
  }
  const view = crossed ? "tree_crossed" : pick(["ordered", "tree"] as const);
  return trial(
    plan,
    "boosting",
    view,
    {
      learning_rate: rate,
      max_iter: 1200,
      max_leaf_nodes: leaves,
      min_samples_leaf: atLeast,
      max_features: share,
      l2_regularization: penalty,
      ...log,
    },
    pick(DISTANCES),
  );
}

/** One to three settings changed a little. */
function varied(base: Setup, plan: ModelPlan, random: () => number): Trial {
  if (base.kind === "boosting" && Object.keys(base.settings).length === 0)
    return randomTrial(plan, random, false);
  const factor = () => FACTORS[Math.floor(random() * FACTORS.length)] ?? 1;
  const settings: Record<string, Settings[string]> = { ...base.settings };
  const scale = (name: string, least: number, most: number, whole: boolean) => {
    const value = settings[name];
    if (typeof value !== "number") return;
    const next = Math.min(most, Math.max(least, value * factor()));
    settings[name] = whole ? Math.round(next) : Number(next.toPrecision(3));
  };
  scale("learning_rate", 0.015, 0.15, false);
  scale("max_leaf_nodes", 3, 255, true);
  scale("num_leaves", 3, 255, true);
  scale("min_samples_leaf", 1, 200, true);
  scale("min_child_samples", 2, 200, true);
  scale("max_features", 0.1, 1, false);
  scale("colsample_bytree", 0.1, 1, false);
  scale("l2_regularization", 0.01, 100, false);
  scale("reg_lambda", 0.01, 100, false);
  scale("C", 0.001, 100, false);
  scale("alpha", 0.01, 1000, false);
  if ("max_iter" in settings && base.kind === "boosting") settings.max_iter = 1500;
  if ("n_estimators" in settings && base.kind === "lightgbm") settings.n_estimators = 3000;
  return trial(plan, base.kind, base.view, settings, DISTANCES[Math.floor(random() * DISTANCES.length)]);
}

/** mulberry32: a small, well-mixed generator; the same seed gives the same numbers everywhere. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
