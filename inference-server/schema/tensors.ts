/**
 * Tensors of the Open Inference Protocol V2 as named columns, and back: a tensor a column, shape [rows] or [rows, 1], which
 * is what the `pd` content type of MLServer makes of a DataFrame.
 */
import { z } from "zod";
import { InvalidRowsError, type Problem, RequestError } from "../errors.ts";
import type { Prediction } from "../runtime/runtime.ts";
import type { Column, ModelSchema } from "./columns.ts";
import { DATATYPES, ENCODED } from "./datatypes.ts";
import { type CheckedRows, checkColumns, kindOf, MAX_PROBLEMS, wrongRequest } from "./rows.ts";

const Parameters = z.looseObject({ content_type: z.string().optional() });
const InferRequest = z.looseObject({
  id: z.string().max(256).optional(),
  parameters: Parameters.optional(),
  inputs: z
    .array(
      z.looseObject({
        name: z.string().min(1).max(256),
        shape: z.array(z.int().min(0)).min(1).max(2),
        datatype: z.enum([...DATATYPES.keys()]),
        parameters: Parameters.optional(),
        data: z.array(z.unknown()),
      }),
    )
    .min(1)
    .max(10_000),
  outputs: z.array(z.looseObject({ name: z.string() })).optional(),
});
export type InferRequest = z.infer<typeof InferRequest>;

/** @throws InvalidRowsError that names each place where the request is not of the protocol's form */
export function parseInfer(body: unknown): InferRequest {
  const parsed = InferRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }): Problem => ({
      ...(path.length > 0 ? { field: path.join(".") } : {}),
      problem: "Type",
      expected: "an inference request of the Open Inference Protocol V2",
      found: message,
    }),
  );
  throw new InvalidRowsError(problems.slice(0, MAX_PROBLEMS), problems.length);
}

export type Columns = ReadonlyMap<string, unknown[]>;

/**
 * The tensors as named columns, checked.
 * @throws InvalidRowsError that names values of another datatype than their tensor's, and all that checkColumns names
 */
export function checkTensors(
  schema: ModelSchema,
  request: InferRequest,
  maxRows: number,
): { checked: CheckedRows; columns: Columns } {
  const { columns, problems } = columnsOfTensors(request);
  try {
    const checked = checkColumns(schema, columns, maxRows);
    if (problems.length === 0) return { checked, columns };
  } catch (error) {
    if (!(error instanceof InvalidRowsError) || problems.length === 0) throw error;
    const named = new Set(error.problems.map(({ field, row }) => `${row} ${field}`));
    const more = problems.filter(({ field, row }) => !named.has(`${row} ${field}`));
    throw new InvalidRowsError(
      [...error.problems, ...more].slice(0, MAX_PROBLEMS),
      error.total + more.length,
    );
  }
  throw new InvalidRowsError(problems.slice(0, MAX_PROBLEMS), problems.length);
}

/** @throws InvalidRowsError where values are not as many as the shape says */
function columnsOfTensors({ inputs }: InferRequest): { columns: Columns; problems: readonly Problem[] } {
  const columns = new Map<string, unknown[]>();
  const lengths: Problem[] = [];
  const types: Problem[] = [];
  for (const { name, shape, datatype, parameters, data } of inputs) {
    const [rows = 0, width = 1] = shape;
    const nested = data.length > 0 && data.every((row) => Array.isArray(row) && row.length === 1);
    const cells = nested ? (data as unknown[][]).flat() : data;
    if (width !== 1 || cells.length !== rows) {
      lengths.push({
        field: name,
        problem: "Length",
        expected: "shape [rows] or [rows, 1], and as many values in data",
        found: `shape [${shape.join(", ")}] and ${cells.length} values`,
      });
      continue;
    }
    if (columns.has(name)) throw wrongRequest(`each input once`, `${JSON.stringify(name)} twice`);
    const encoded = datatype === "BYTES" && parameters?.content_type === "base64";
    const type = encoded ? ENCODED : DATATYPES.get(datatype);
    columns.set(
      name,
      cells.map((cell, row) => {
        const read = type?.read(cell);
        if (read !== undefined) return read;
        const expected = `${datatype}: ${type?.expected ?? "another datatype"}`;
        types.push({ row, field: name, problem: "Type", expected, found: kindOf(cell) });
        return cell;
      }),
    );
  }
  if (lengths.length > 0) throw new InvalidRowsError(lengths.slice(0, MAX_PROBLEMS), lengths.length);
  return { columns, problems: types };
}

export type Tensor = {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: Readonly<Record<string, string>>;
  readonly data?: readonly unknown[];
};

/** What the model takes, as the protocol's metadata say it. */
export function inputTensors({ columns }: ModelSchema): Tensor[] {
  return columns.map((column) => {
    const datatype = datatypeOf(column);
    return {
      name: column.name,
      datatype,
      shape: [-1, 1],
      ...(datatype === "BYTES" ? { parameters: { content_type: "str" } } : {}),
    };
  });
}

function datatypeOf({ kind, feature }: Column): string {
  if (kind === "integer") return feature.nullable ? "FP64" : "INT64";
  if (kind === "number") return "FP64";
  return kind === "boolean" ? "BOOL" : "BYTES";
}

export function outputTensors({ classes }: ModelSchema): Tensor[] {
  const regression = classes.length === 0;
  return [
    regression
      ? { name: "predict", datatype: "FP64", shape: [-1, 1] }
      : { name: "predict", datatype: "BYTES", shape: [-1, 1], parameters: { content_type: "str" } },
    ...(regression ? [] : [{ name: "predict_proba", datatype: "FP64", shape: [-1, classes.length] }]),
  ];
}

/** @throws RequestError 400 where an output is asked for that there is not */
export function tensorsOf(
  { values, probabilities }: Prediction,
  schema: ModelSchema,
  asked: readonly { readonly name: string }[] | undefined,
): Tensor[] {
  const { classes } = schema;
  const rows = values.length;
  const data: Record<string, readonly unknown[] | undefined> = {
    predict: classes.length === 0 ? [...values] : Array.from(values, (value) => classes[value]),
    predict_proba: probabilities && [...probabilities],
  };
  const given = outputTensors(schema).flatMap(({ shape, ...tensor }) => {
    const cells = data[tensor.name];
    return cells ? [{ ...tensor, shape: [rows, shape[1] ?? 1], data: cells }] : [];
  });
  if (!asked?.length) return given;
  return asked.map(({ name }) => {
    const found = given.find((tensor) => tensor.name === name);
    if (!found) {
      const names = given.map((tensor) => tensor.name).join(", ");
      throw new RequestError(
        400,
        "UnknownOutput",
        `there is no output ${JSON.stringify(name)}; there are: ${names}`,
      );
    }
    return found;
  });
}
