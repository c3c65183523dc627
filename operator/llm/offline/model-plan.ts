/** Everything about a data set that the generated Python depends on, decided once from the briefing. */
import type { Metric, Task } from "../../api/metrics.ts";
import { METRICS } from "../../api/metrics.ts";
import type { ColumnProfile } from "../../api/profile.ts";
import type { Briefing } from "../language-model.ts";
import type { ColumnPlan } from "./columns.ts";
import { FEW_NUMBERS, named, planColumns } from "./columns.ts";

export type ModelPlan = {
  readonly target: string;
  readonly task: Task;
  readonly metric: Metric;
  readonly direction: "Maximize" | "Minimize";
  readonly needsProbabilities: boolean;
  readonly seed: number;
  readonly columns: readonly ColumnPlan[];
  readonly skewed: readonly string[];
  readonly fewValues: readonly string[];
  /** Columns that hold a position on the globe. */
  readonly positions: { readonly latitude: string; readonly longitude: string } | undefined;
  /** Positive numbers whose quotients are worth a try. */
  readonly crossed: readonly string[];
  readonly classes: number;
  /** So many classes that a column for each would cost more than it tells. */
  readonly manyClasses: boolean;
  /** Most columns that one category becomes. */
  readonly oneHotLimit: number;
  /** Rows that the agent sees, and so the search's too. */
  readonly rows: number;
  /** Rough count of columns after encoding. */
  readonly width: number;
  readonly splitBy: Briefing["splitBy"];
  /** A target that is never negative and has a long right tail. */
  readonly skewedTarget: boolean;
  readonly positiveTarget: boolean;
  readonly cpus: number;
};

const MANY_CLASSES = 15;
/** One-hot columns that all categories together may take. */
const ONE_HOT_COLUMNS = 600;

export function planModel(briefing: Briefing): ModelPlan {
  const columns = planColumns(briefing);
  const profiles = new Map(briefing.profile.columns.map((column) => [column.name, column]));
  const profileOf = (name: string): ColumnProfile | undefined => profiles.get(name);
  const numbers = named(columns, "Number");
  const categories = named(columns, "Category");
  const classes = briefing.split.classes.length;
  const skewed = numbers.filter(({ name }) => longTail(profileOf(name))).map(({ name }) => name);
  const positions = findPositions(numbers.map(({ name }) => profileOf(name)));
  const target = profileOf(briefing.target);
  const regression = briefing.task === "Regression";
  const width =
    numbers.length +
    categories.reduce((sum, { distinct }) => sum + Math.min(distinct, MANY_CLASSES), 0) +
    8 * named(columns, "Date").length +
    7 * named(columns, "Code").length +
    60 * named(columns, "Text").length;
  return {
    target: briefing.target,
    task: briefing.task,
    metric: briefing.metric,
    direction: briefing.direction,
    needsProbabilities: METRICS[briefing.metric].needsProbabilities,
    seed: briefing.seed,
    columns,
    skewed,
    fewValues: numbers
      .filter(
        ({ name, distinct }) =>
          profileOf(name)?.type === "Integer" && distinct > 2 && distinct <= FEW_NUMBERS,
      )
      .map(({ name }) => name)
      .slice(0, 40),
    positions,
    crossed: crossedNumbers(
      numbers.map(({ name }) => profileOf(name)),
      positions,
    ),
    classes,
    manyClasses: classes > MANY_CLASSES,
    oneHotLimit: Math.max(4, Math.min(41, Math.floor(ONE_HOT_COLUMNS / Math.max(1, categories.length)))),
    rows: briefing.split.rows.train,
    width: Math.max(1, width),
    splitBy: briefing.splitBy,
    skewedTarget: regression && longTail(target),
    positiveTarget: regression && lowest(target) >= 0,
    cpus: Math.max(1, Math.floor(briefing.cpus)),
  };
}

function lowest(profile: ColumnProfile | undefined): number {
  const value = Number(profile?.min ?? Number.NaN);
  return Number.isFinite(value) ? value : Number.NEGATIVE_INFINITY;
}

/** Never negative, with a maximum far above what a bell curve would have. */
function longTail(profile: ColumnProfile | undefined): boolean {
  if (profile === undefined || lowest(profile) < 0) return false;
  const { mean, standardDeviation } = profile;
  const max = Number(profile.max ?? Number.NaN);
  if (mean === undefined || standardDeviation === undefined || !(standardDeviation > 0)) return false;
  return max > mean + 4 * standardDeviation || standardDeviation > mean;
}

/** Amounts: positive, of many values, few enough that each pair can be had. Small data would find chance in them. */
function crossedNumbers(
  profiles: readonly (ColumnProfile | undefined)[],
  positions: ModelPlan["positions"],
): string[] {
  const amounts = profiles.filter(
    (profile): profile is ColumnProfile =>
      profile !== undefined &&
      lowest(profile) >= 0 &&
      profile.distinct >= 20 &&
      profile.name !== positions?.latitude &&
      profile.name !== positions?.longitude,
  );
  return amounts.length >= 2 && amounts.length <= 8 ? amounts.map(({ name }) => name) : [];
}

function findPositions(profiles: readonly (ColumnProfile | undefined)[]): ModelPlan["positions"] {
  const within = (pattern: RegExp, limit: number) =>
    profiles.filter(
      (profile): profile is ColumnProfile =>
        profile !== undefined &&
        pattern.test(profile.name) &&
        Math.abs(Number(profile.min)) <= limit &&
        Math.abs(Number(profile.max)) <= limit,
    );
  const latitudes = within(/(^|[^a-z])lat(itude)?([^a-z]|$)/i, 90);
  const longitudes = within(/(^|[^a-z])(lon|lng|long|longitude)([^a-z]|$)/i, 180);
  const [latitude] = latitudes;
  const [longitude] = longitudes;
  if (latitude === undefined || longitude === undefined) return undefined;
  if (latitudes.length > 1 || longitudes.length > 1) return undefined;
  return { latitude: latitude.name, longitude: longitude.name };
}
