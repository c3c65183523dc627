/** The reference rows of a package, as a request would have them. */
import { parse } from "csv-parse/sync";
import type { Feature, ModelManifest } from "../../operator/api/model-manifest.ts";

const READ = 200;
const SHOWN = 20;

export function examplesOf({ features }: ModelManifest, csv: Uint8Array): Record<string, unknown>[] {
  const [header = [], ...rows] = parse(Buffer.from(csv), { to: READ + 1 }) as string[][];
  const examples = rows.map((row) =>
    Object.fromEntries(
      features.map((feature) => [feature.name, cellOf(feature, row[header.indexOf(feature.name)])]),
    ),
  );
  // Some of the rows are there to try the model with what is missing or was never seen: they say little to a person.
  const odd = (row: Record<string, unknown>): number =>
    features.filter(({ name, type, categories }) => {
      const cell = row[name];
      return cell === null || (type === "Category" && categories?.includes(String(cell)) === false);
    }).length;
  const ordered = examples.sort((one, other) => odd(one) - odd(other));
  const telling = ordered.filter((row) => odd(row) * 4 < features.length);
  return (telling.length === 0 ? ordered : telling).slice(0, SHOWN);
}

/** A cell of the canonical CSV as a request has it. */
function cellOf({ type }: Feature, cell: string | undefined): unknown {
  if (cell === undefined || cell === "") return null;
  if (type === "Boolean") return cell === "True";
  if (type !== "Integer" && type !== "Number") return cell;
  const number = Number(cell);
  return Number.isFinite(number) ? number : null;
}
