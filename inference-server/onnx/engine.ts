/**
 * The ONNX export of a model as an engine: columns to its inputs, its outputs to predictions.
 *
 * The graph takes an input for each column that the model uses, by the column's name, of shape [rows, 1]: numbers (NaN
 * where missing) or texts (empty where missing). It gives `values`, a number a row, or the index of the class in the
 * order of model.json; and `probabilities`, in that order, where the model has some (runner/autoai_runner/onnx_export.py).
 */
import { isNumericKind } from "../schema/columns.ts";
import { type OnnxSession, type OnnxTensor, openSession } from "./session.ts";

/** A column, as schema/columns.ts tells a worker. */
export type WireColumn = { readonly name: string; readonly kind: string };

/** Rows as they come over the socket: doubles column after column, and texts. */
export type WireRows = {
  readonly count: number;
  readonly numbers: Float64Array;
  readonly texts: readonly (readonly (string | null)[])[];
};

export type OnnxEngine = {
  /** Values, then probabilities row by row. Throws where the graph does. */
  predict(rows: WireRows): Promise<{ readonly numbers: Float64Array; readonly probabilities: boolean }>;
};

/** @throws Error where it is no such graph over these columns */
export async function onnxEngine(
  model: Uint8Array,
  columns: readonly WireColumn[],
  classes: readonly string[],
  threads: number,
): Promise<OnnxEngine> {
  const session = await openSession(model, threads);
  const inputs = session.inputs.map((input) => feeder(input, columns));
  if (!session.outputs.includes("values"))
    throw new Error(`model.onnx has the outputs ${session.outputs.join(", ")}: expected values among them`);
  const probable = session.outputs.includes("probabilities");
  return {
    async predict(rows) {
      const found = await session.run(new Map(inputs.map((one) => [one.name, one.feed(rows)])), rows.count);
      const numbers = new Float64Array(rows.count * (1 + (probable ? classes.length : 0)));
      fill(numbers, 0, rows.count, "values", found);
      if (probable) fill(numbers, rows.count, rows.count * classes.length, "probabilities", found);
      return { numbers, probabilities: probable };
    },
  };
}

function fill(
  numbers: Float64Array,
  at: number,
  length: number,
  name: string,
  found: Awaited<ReturnType<OnnxSession["run"]>>,
): void {
  const cells = found.get(name);
  if (cells?.length !== length)
    throw new Error(`model.onnx gave ${cells?.length ?? "no"} numbers as ${name}, expected ${length}`);
  numbers.set(cells, at);
}

type Feeder = { readonly name: string; feed(rows: WireRows): OnnxTensor };

/** How one input is made of the rows. */
function feeder(
  { name, type }: { readonly name: string; readonly type: string },
  columns: readonly WireColumn[],
): Feeder {
  const column = columns.find((one) => one.name === name);
  if (!column) throw new Error(`model.onnx has the input ${JSON.stringify(name)}, which is no column`);
  if (type !== "float32" && type !== "float64" && type !== "string")
    throw new Error(`model.onnx takes ${type} in ${JSON.stringify(name)}: expected numbers or texts`);
  const numeric = isNumericKind(column.kind);
  const alike = columns.filter(({ kind }) => isNumericKind(kind) === numeric);
  const position = alike.indexOf(column);
  if (numeric && type === "string")
    throw new Error(`model.onnx takes texts in ${JSON.stringify(name)}, which is a column of numbers`);
  if (!numeric && type !== "string" && column.kind === "text")
    throw new Error(`model.onnx takes numbers in ${JSON.stringify(name)}, which is a column of texts`);
  return {
    name,
    feed: (rows) =>
      numeric
        ? numbersOf(rows.numbers.subarray(position * rows.count, (position + 1) * rows.count), type)
        : textsOf(rows.texts[position] ?? [], type, name),
  };
}

function numbersOf(cells: Float64Array, type: "float32" | "float64" | "string"): OnnxTensor {
  // A copy: the tensor may keep it.
  return type === "float32"
    ? { type, data: Float32Array.from(cells) }
    : { type: "float64", data: cells.slice() };
}

function textsOf(
  cells: readonly (string | null)[],
  type: "float32" | "float64" | "string",
  name: string,
): OnnxTensor {
  if (type === "string") return { type, data: cells.map((cell) => cell ?? "") };
  // Codes: numbers that are written as text, which pandas read as numbers.
  const numbers = cells.map((cell) => {
    const number = cell === null ? Number.NaN : Number(cell);
    if (cell !== null && Number.isNaN(number))
      throw new Error(`${JSON.stringify(cell.slice(0, 100))} is no number, which column ${name} takes alone`);
    return number;
  });
  return numbersOf(Float64Array.from(numbers), type);
}
