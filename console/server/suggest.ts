/** What a new training is suggested to predict and how, from the profile of its data set. Pure; a person decides. */
import { DEFAULT_METRIC, type Metric, type Task } from "../../operator/api/metrics.ts";
import type { ColumnProfile, Profile } from "../../operator/api/profile.ts";

export type TargetSuggestion = {
  readonly target: string;
  readonly task: Task;
  readonly metric: Metric;
  /** Why, in a sentence for people. */
  readonly because: string;
};

const NAMES =
  /^(target|label|class|y|outcome|churn(ed)?|default(ed)?|survived|price|response|result|fraud|diagnosis)$/i;
const MANY_CLASSES = 20;
const RARE = 0.1;

/** Columns that can be predicted, the likeliest first. */
export function suggestTargets({ columns, rows }: Pick<Profile, "columns" | "rows">): TargetSuggestion[] {
  return columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => column.distinct > 1 && !["Identifier", "Empty", "Text"].includes(column.type))
    .map(({ column, index }) => ({
      rank: rankOf(column, index === columns.length - 1),
      index,
      suggestion: suggestionOf(column, rows),
    }))
    .sort((one, other) => other.rank - one.rank || other.index - one.index)
    .map(({ suggestion }) => suggestion);
}

function rankOf({ name, type, missing }: ColumnProfile, isLast: boolean): number {
  const named = NAMES.test(name) ? 4 : 0;
  const last = isLast ? 2 : 0;
  const dated = type === "Date" ? -3 : 0;
  return named + last + dated + (missing > 0 ? -1 : 0);
}

function suggestionOf(column: ColumnProfile, rows: number): TargetSuggestion {
  const task = taskOf(column);
  const share = rareShare(column, rows);
  const rare = task === "BinaryClassification" && share !== undefined && share < RARE;
  const metric = rare ? "AveragePrecision" : DEFAULT_METRIC[task];
  return {
    target: column.name,
    task,
    metric,
    because: `${wordsOf(column, task)}${
      rare
        ? `; the rarer one is in ${(share * 100).toFixed(1)} % of the rows, where average precision tells models apart better`
        : ""
    }`,
  };
}

function taskOf({ type, distinct }: ColumnProfile): Task {
  if (type === "Boolean" || distinct === 2) return "BinaryClassification";
  if (type === "Category") return "MulticlassClassification";
  return type === "Integer" && distinct <= MANY_CLASSES ? "MulticlassClassification" : "Regression";
}

function wordsOf({ type, distinct, distinctExact }: ColumnProfile, task: Task): string {
  const count = `${distinctExact ? "" : "about "}${distinct}`;
  if (task === "BinaryClassification") return "it has two values";
  if (task === "MulticlassClassification") return `it has ${count} values`;
  return `it is a number with ${count} values${type === "Date" ? ", a date" : ""}`;
}

function rareShare({ top }: ColumnProfile, rows: number): number | undefined {
  const least = top.at(-1)?.count;
  return least === undefined || rows === 0 ? undefined : least / rows;
}
