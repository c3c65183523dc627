/** A CSV of rows as requests have them, and predictions as a CSV has them. */
import { isMissing } from "../../../inference-server/schema/cells.ts";
import type { Feature, ModelManifest } from "../../../operator/api/model-manifest.ts";
import { linesOfCsv, toCsv } from "../csv.ts";
import { ConsoleError } from "../errors.ts";
import type { Answer } from "../gateway.ts";

export type Rows = readonly Readonly<Record<string, unknown>>[];

/** Told of one CSV; the rest is likely to be wrong the same way. */
const TOLD = 5;

export type Batch = {
  readonly manifest: ModelManifest;
  readonly csv: Uint8Array;
  /** Most rows in a request. */
  readonly rows: number;
  /** Throws ConsoleError (Invalid) with `problems` where rows do not fit. */
  readonly predict: (rows: Rows) => Promise<Answer>;
};

/** Asks the model for the rows, a request at a time. Throws ConsoleError (Invalid) with the lines that do not fit. */
export async function predictedCsv({ manifest, csv, rows: most, predict }: Batch): Promise<Uint8Array> {
  const { header, records } = linesOfCsv(csv);
  const places = manifest.features.map(({ name }) => header.indexOf(name));
  const absent = manifest.features.filter((_, index) => places[index] === -1).map(({ name }) => name);
  if (absent.length > 0) {
    throw new ConsoleError(
      "Invalid",
      `the CSV lacks ${absent.length === 1 ? "the column" : "columns"} ${absent.slice(0, TOLD).join(", ")}: the model was trained with ${absent.length === 1 ? "it" : "them"}`,
    );
  }
  const classes = manifest.classes ?? [];
  const out: string[][] = [];
  let probable = false;
  for (let start = 0; start < records.length; start += most) {
    const part = records.slice(start, start + most);
    const rows = part.map(({ cells }) =>
      Object.fromEntries(
        manifest.features.map((feature, index) => [
          feature.name,
          cellOf(feature, cells[places[index] ?? -1]),
        ]),
      ),
    );
    const { predictions, probabilities } = await asked(predict(rows), part);
    if (predictions.length !== rows.length) {
      throw new ConsoleError("Unavailable", "the model answered another number of rows than it was asked");
    }
    probable ||= probabilities !== undefined;
    for (const [index, prediction] of predictions.entries()) {
      const each = probabilities?.[index];
      out.push([String(prediction), ...(each ? classes.map((name) => String(each[name] ?? "")) : [])]);
    }
  }
  const names = probable ? classes.map((name) => `p:${name}`) : [];
  return toCsv([["prediction", ...names], ...out]);
}

/** As a request has it; what is no number of a numeric column stays text, for the model to say so. */
function cellOf({ type }: Feature, cell = ""): unknown {
  if (isMissing(cell)) return null;
  const text = cell.trim();
  if (type === "Boolean") return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : cell;
  if (type !== "Integer" && type !== "Number") return cell;
  const number = Number(text);
  return Number.isFinite(number) ? number : cell;
}

/** A model counts the rows of a request from 0; a person counts the lines of a file from 1. */
async function asked(answer: Promise<Answer>, part: readonly { readonly line: number }[]): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ConsoleError) || !Array.isArray(error.detail?.problems)) throw error;
    const problems = error.detail.problems as Readonly<Record<string, unknown>>[];
    const told = problems.slice(0, TOLD).map(({ row, field, expected, found }) => {
      const line = part[Number(row)]?.line;
      return `line ${line ?? "?"}, ${String(field)}: expected ${String(expected)}, found ${JSON.stringify(found)}`;
    });
    const more = problems.length > TOLD ? `; and ${problems.length - TOLD} more` : "";
    throw new ConsoleError("Invalid", `${told.join("; ")}${more}`.slice(0, 1000), error.detail);
  }
}
