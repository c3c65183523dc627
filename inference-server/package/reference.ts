/** The reference rows of a package and what the published model said of them: proof that this is the same model. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { ModelRefusedError } from "../errors.ts";
import type { Engine, Prediction, RowBatch } from "../runtime/runtime.ts";
import { rowsFromCells } from "../schema/cells.ts";
import type { ModelSchema } from "../schema/columns.ts";
import type { ModelPackage } from "./verify.ts";

/** Largest difference, relative above 1, between a prediction and its reference. ONNX computes with 32 bits. */
export const TOLERANCES: Readonly<Record<Engine, number>> = { Compiled: 1e-9, DataFrame: 1e-9, Onnx: 1e-5 };

export type Reference = { readonly rows: RowBatch; readonly expected: Prediction };

/** @throws ModelRefusedError where the files are not rows of this model */
export async function readReference(model: ModelPackage, schema: ModelSchema): Promise<Reference> {
  const [header, ...records] = await table(model, "reference.csv");
  const rows = rowsFromCells(schema, header ?? [], records);
  const [names, ...lines] = await table(model, "reference-predictions.csv");
  if (lines.length !== rows.count) {
    throw new ModelRefusedError(
      `the package has ${rows.count} reference rows and ${lines.length} predictions for them: expected as many`,
    );
  }
  return { rows, expected: predictionsFromCells(schema, names ?? [], lines) };
}

/** How a prediction differs from the reference; undefined where it is the same. */
export function difference(found: Prediction, expected: Prediction, tolerance: number): string | undefined {
  const pairs: [string, Float64Array, Float64Array, number][] = [
    ["prediction", found.values, expected.values, 1],
  ];
  if (expected.probabilities) {
    if (!found.probabilities) return "the model gives no probabilities, and gave some when it was published";
    const columns = expected.probabilities.length / Math.max(1, expected.values.length);
    pairs.push(["probability", found.probabilities, expected.probabilities, columns]);
  }
  for (const [what, ours, theirs, columns] of pairs) {
    if (ours.length !== theirs.length) return `${ours.length} values of ${what}, expected ${theirs.length}`;
    for (const [index, expectation] of theirs.entries()) {
      const value = ours[index] ?? Number.NaN;
      if (!(Math.abs(value - expectation) <= tolerance * Math.max(1, Math.abs(expectation)))) {
        return `the ${what} of reference row ${Math.floor(index / columns) + 1} is ${value}, and was ${expectation} when the model was published`;
      }
    }
  }
  return undefined;
}

async function table(model: ModelPackage, name: string): Promise<string[][]> {
  if (!(name in model.manifest.files)) {
    throw new ModelRefusedError(
      `the package has no ${name}: without it nobody can tell whether the model works`,
    );
  }
  return parse(await readFile(join(model.directory, name)), { relaxColumnCount: false }) as string[][];
}

function predictionsFromCells(
  { classes }: ModelSchema,
  names: readonly string[],
  lines: readonly string[][],
): Prediction {
  const column = names.indexOf("prediction");
  if (column < 0) throw new ModelRefusedError("reference-predictions.csv has no column prediction");
  const index = new Map(classes.map((name, position) => [name, position]));
  const values = Float64Array.from(lines, (line) => {
    const cell = line[column] ?? "";
    return classes.length === 0 ? Number(cell) : (index.get(cell) ?? classOf(cell, index));
  });
  const given = names.filter((name) => name.startsWith("p:"));
  if (given.length === 0) return { values };
  const probabilities = new Float64Array(lines.length * classes.length);
  for (const name of given) {
    const position = index.get(name.slice(2)) ?? classOf(name.slice(2), index);
    const from = names.indexOf(name);
    for (const [row, line] of lines.entries()) {
      probabilities[row * classes.length + position] = Number(line[from]);
    }
  }
  return { values, probabilities };
}

/** As runner/autoai_runner/labels.py has it: where the classes are booleans, 0 and 1 are understood, and the other way. */
function classOf(cell: string, index: ReadonlyMap<string, number>): number {
  const other = { "0": "False", "1": "True", False: "0", True: "1" }[cell];
  const found = other === undefined ? undefined : index.get(other);
  if (found === undefined) {
    throw new ModelRefusedError(
      `reference-predictions.csv predicts ${JSON.stringify(cell)}, which is no class`,
    );
  }
  return found;
}
