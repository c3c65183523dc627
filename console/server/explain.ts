/**
 * What moved one prediction: how much it would differ if a single field had its usual value (the mean of a number, the most
 * frequent value of anything else), the others staying as they are. It says nothing of fields that act together.
 */
import type { ModelManifest } from "../../operator/api/model-manifest.ts";
import type { ColumnProfile, Profile } from "../../operator/api/profile.ts";
import type { Answer } from "./gateway.ts";

export type Cells = Readonly<Record<string, unknown>>;

export type Moved = {
  readonly field: string;
  readonly usual: string;
  /** Prediction as it is less what it would be: of the probability in `of`, or of the number that is predicted. */
  readonly by: number;
};

export type Explanation = {
  /** The class whose probability is looked at; absent for numbers. */
  readonly of?: string;
  readonly moved: readonly Moved[];
  /** Fields that were not looked at: models with very many have their first ones alone. */
  readonly leftOut: number;
};

const MAX_FIELDS = 100;
const SHOWN = 12;

export async function explained(
  manifest: ModelManifest,
  profile: Profile,
  row: Cells,
  predict: (rows: readonly Cells[]) => Promise<Answer>,
): Promise<Explanation> {
  const columns = new Map(profile.columns.map((column) => [column.name, column]));
  const changes = manifest.features.flatMap(({ name, type }) => {
    const column = columns.get(name);
    const usual = column && type !== "Identifier" && type !== "Empty" ? usualOf(column) : undefined;
    return usual === undefined || usual === row[name] ? [] : [{ name, usual }];
  });
  const tried = changes.slice(0, MAX_FIELDS);
  const answer = await predict([row, ...tried.map(({ name, usual }) => ({ ...row, [name]: usual }))]);
  const of = manifest.task === "Regression" ? undefined : classOf(manifest, answer);
  const values = valuesOf(answer, of);
  const [base = Number.NaN] = values;
  const moved = tried
    .map(({ name, usual }, index) => ({
      field: name,
      usual: String(usual),
      by: base - (values[index + 1] ?? Number.NaN),
    }))
    .filter(({ by }) => Number.isFinite(by) && by !== 0)
    .sort((one, other) => Math.abs(other.by) - Math.abs(one.by))
    .slice(0, SHOWN);
  return { ...(of === undefined ? {} : { of }), moved, leftOut: changes.length - tried.length };
}

function usualOf({ type, mean, top }: ColumnProfile): unknown {
  if (type === "Integer" && mean !== undefined) return Math.round(mean);
  // As a person would say it; what is shown is what was tried.
  if (type === "Number" && mean !== undefined) return Number(mean.toPrecision(4));
  const most = top[0]?.value;
  return type === "Boolean" && most !== undefined ? most === "True" : most;
}

/** Of two classes the positive one, so that a sign means the same for every row; of several the predicted one. */
function classOf({ classes }: ModelManifest, { predictions }: Answer): string | undefined {
  return classes.length === 2 ? classes[1] : String(predictions[0]);
}

function valuesOf({ predictions, probabilities }: Answer, of: string | undefined): number[] {
  if (of === undefined) return predictions.map(Number);
  if (probabilities) return probabilities.map((row) => row[of] ?? Number.NaN);
  return predictions.map((one) => (String(one) === of ? 1 : 0));
}
