/**
 * Tensors of the Open Inference Protocol V2 as named columns, and back: a tensor a column, shape [rows] or [rows, 1], which
 * is what the `pd` content type of MLServer makes of a DataFrame.
 */
import { z } from "zod";
import { InvalidRowsError, type Problem, RequestError } from "../errors.ts";
import type { Prediction } from "../runtime/runtime.ts";
import type { Column, ModelSchema } from "./columns.ts";
import { MAX_PROBLEMS, wrongRequest } from "./rows.ts";

const NUMBERS = [
  "FP64",
  "FP32",
  "FP16",
  "INT64",
  "INT32",
  "INT16",
  "INT8",
  "UINT64",
  "UINT32",
  "UINT16",
  "UINT8",
];

const Parameters = z.looseObject({ content_type: z.string().optional() });
const InferRequest = z.looseObject({
  id: z.string().max(256).optional(),
  parameters: Parameters.optional(),
  inputs: z
    .array(
      z.looseObject({
        name: z.string().min(1).max(256),
        shape: z.array(z.int().min(0)).min(1).max(2),
        datatype: z.enum(["BOOL", "BYTES", ...NUMBERS]),
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

/** Columns by name. Numbers of BYTES tensors are text, which a column of codes takes as well. */
export function columnsOfTensors({ inputs }: InferRequest): Map<string, unknown[]> {
  const columns = new Map<string, unknown[]>();
  const problems: Problem[] = [];
  for (const { name, shape, datatype, parameters, data } of inputs) {
    const cells = data.length > 0 && data.every(Array.isArray) ? (data as unknown[][]).flat() : data;
    const [rows = 0, width = 1] = shape;
    if (width !== 1 || cells.length !== rows) {
      problems.push({
        field: name,
        problem: "Length",
        expected: `shape [rows] or [rows, 1], and as many values in data`,
        found: `shape [${shape.join(", ")}] and ${cells.length} values`,
      });
      continue;
    }
    if (columns.has(name)) throw wrongRequest(`each input once`, `${JSON.stringify(name)} twice`);
    const base64 = parameters?.content_type === "base64";
    columns.set(
      name,
      datatype === "BYTES" && base64 ? cells.map(fromBase64) : cells.map(withoutNaN(datatype)),
    );
  }
  if (problems.length > 0) throw new InvalidRowsError(problems.slice(0, MAX_PROBLEMS), problems.length);
  return columns;
}

/** Some clients write NaN as a text, since JSON has none. */
function withoutNaN(datatype: string): (cell: unknown) => unknown {
  if (datatype === "BOOL") return (cell) => (cell === 0 ? false : cell === 1 ? true : cell);
  return (cell) => (NUMBERS.includes(datatype) && cell === "NaN" ? null : cell);
}

const fromBase64 = (cell: unknown): unknown =>
  typeof cell === "string" ? Buffer.from(cell, "base64").toString("utf8") : cell;

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
