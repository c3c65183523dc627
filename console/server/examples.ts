/** The reference rows of a package, as a request would have them. */
import { parse } from "csv-parse/sync";
import type { Feature, ModelManifest } from "../../operator/api/model-manifest.ts";

const EXAMPLES = 20;

export function examplesOf({ features }: ModelManifest, csv: Uint8Array): Record<string, unknown>[] {
  const [header = [], ...rows] = parse(Buffer.from(csv), { to: EXAMPLES + 1 }) as string[][];
  return rows.map((row) =>
    Object.fromEntries(
      features.map((feature) => [feature.name, cellOf(feature, row[header.indexOf(feature.name)])]),
    ),
  );
}

/** A cell of the canonical CSV as a request has it. */
function cellOf({ type }: Feature, cell: string | undefined): unknown {
  if (cell === undefined || cell === "") return null;
  if (type === "Boolean") return cell === "True";
  if (type !== "Integer" && type !== "Number") return cell;
  const number = Number(cell);
  return Number.isFinite(number) ? number : null;
}
