/** The reference rows of a package, as a request would have them. */
import { parse } from "csv-parse/sync";
import type { Feature, ModelManifest } from "../../operator/api/model-manifest.ts";

const EXAMPLES = 20;

export function examplesOf({ features }: ModelManifest, csv: Uint8Array): Record<string, unknown>[] {
  const [header = [], ...rows] = parse(Buffer.from(csv), { to: EXAMPLES + 1 }) as string[][];
  const examples = rows.map((row) =>
    Object.fromEntries(
      features.map((feature) => [feature.name, cellOf(feature, row[header.indexOf(feature.name)])]),
    ),
  );
  // Some of the rows are there to try the model with cells that are missing: they say little to a person.
  const telling = examples.filter(
    (row) => Object.values(row).filter((cell) => cell === null).length * 2 < features.length,
  );
  return telling.length === 0 ? examples : telling;
}

/** A cell of the canonical CSV as a request has it. */
function cellOf({ type }: Feature, cell: string | undefined): unknown {
  if (cell === undefined || cell === "") return null;
  if (type === "Boolean") return cell === "True";
  if (type !== "Integer" && type !== "Number") return cell;
  const number = Number(cell);
  return Number.isFinite(number) ? number : null;
}
