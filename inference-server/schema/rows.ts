/** Rows of a request, checked against the model's schema: every fault is named, and what is unusual is warned of. */
import { closest } from "../../operator/api/closest.ts";
import { InvalidRowsError, type Problem, RequestError } from "../errors.ts";
import type { RowBatch } from "../runtime/runtime.ts";
import { BatchBuilder, isMissing } from "./cells.ts";
import { type Column, isNumeric, type ModelSchema } from "./columns.ts";
import { canonicalDate } from "./dates.ts";

export type Warning = { readonly row: number; readonly field: string; readonly message: string };
export type CheckedRows = { readonly rows: RowBatch; readonly warnings: readonly Warning[] };

export const MAX_PROBLEMS = 100;
export const MAX_WARNINGS = 100;
const MAX_TEXT = 100_000;
const SHOWN = 40;
/** The package lists values cut at this length. */
const LISTED_CHARACTERS = 64;

/** Named columns of equal length; a column that is not in the request is absent. */
type Columns = ReadonlyMap<string, readonly unknown[]>;

/**
 * Rows as a list of objects, `{"rows": [{...}]}`, or as columns, `{"columns": {"name": [...]}}`.
 * @throws InvalidRowsError with every fault, at most MAX_PROBLEMS of them; RequestError 413 for too many rows
 */
export function checkBody(schema: ModelSchema, body: unknown, maxRows: number): CheckedRows {
  if (!isObject(body)) {
    throw wrongRequest('a JSON object, such as {"rows": [{...}]}', kindOf(body));
  }
  const keys = Object.keys(body);
  const strange = keys.find((key) => key !== "rows" && key !== "columns");
  if (strange !== undefined || keys.length !== 1) {
    throw wrongRequest('"rows" or "columns", and nothing else', keys.length ? keys.join(", ") : "neither");
  }
  return "rows" in body
    ? checkRows(schema, body.rows, maxRows)
    : checkColumns(schema, columnsOf(body.columns), maxRows);
}

function checkRows(schema: ModelSchema, rows: unknown, maxRows: number): CheckedRows {
  if (!Array.isArray(rows) || rows.length === 0) {
    throw wrongRequest(
      '"rows" to be a list of at least one row',
      Array.isArray(rows) ? "none" : kindOf(rows),
    );
  }
  checkCount(rows.length, maxRows);
  const check = new Check(schema, rows.length);
  for (const [index, row] of rows.entries()) {
    if (!isObject(row)) {
      check.problem({
        row: index,
        problem: "Type",
        expected: "an object with a field for each column",
        found: kindOf(row),
      });
      continue;
    }
    let seen = 0;
    for (const [position, column] of schema.columns.entries()) {
      if (Object.hasOwn(row, column.name)) {
        seen++;
        check.cell(position, column, index, row[column.name]);
      } else check.missing(column, index);
    }
    if (seen < Object.keys(row).length) check.unknown(Object.keys(row), index);
  }
  return check.done();
}

/** @throws InvalidRowsError, RequestError as checkBody */
export function checkColumns(schema: ModelSchema, columns: Columns, maxRows: number): CheckedRows {
  const lengths = [...columns.values()].map(({ length }) => length);
  const count = Math.max(0, ...lengths);
  if (count === 0) throw wrongRequest("columns with at least one row", "none");
  checkCount(count, maxRows);
  const check = new Check(schema, count);
  for (const [name, cells] of columns) {
    if (cells.length !== count) {
      check.problem({
        field: name,
        problem: "Length",
        expected: `${count} cells, as the longest column has`,
        found: `${cells.length}`,
      });
    }
  }
  for (const [position, column] of schema.columns.entries()) {
    const cells = columns.get(column.name);
    if (cells === undefined) check.missing(column, undefined);
    else for (let row = 0; row < cells.length; row++) check.cell(position, column, row, cells[row]);
  }
  check.unknown([...columns.keys()], undefined);
  return check.done();
}

/** Collects faults and warnings, and the cells that are right. */
class Check {
  readonly #schema: ModelSchema;
  readonly #builder: BatchBuilder;
  readonly #problems: Problem[] = [];
  readonly #warnings: Warning[] = [];
  #total = 0;

  constructor(schema: ModelSchema, count: number) {
    this.#schema = schema;
    this.#builder = new BatchBuilder(schema, count);
  }

  problem(problem: Problem): void {
    this.#total++;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
  }

  missing(column: Column, row: number | undefined): void {
    if (column.optional) return;
    this.problem({
      ...(row === undefined ? {} : { row }),
      field: column.name,
      problem: "Missing",
      expected: `${expectation(column)}; null where it is not known`,
      found: "nothing",
    });
  }

  unknown(names: readonly string[], row: number | undefined): void {
    for (const name of names) {
      if (this.#schema.byName.has(name)) continue;
      const near = closest(
        name,
        this.#schema.columns.map((column) => column.name),
      );
      this.problem({
        ...(row === undefined ? {} : { row }),
        field: name.slice(0, 256),
        problem: "Unknown",
        expected: near === undefined ? "a column of the model" : `a column of the model; is it ${near}?`,
        found: "another name",
      });
    }
  }

  cell(position: number, column: Column, row: number, value: unknown): void {
    if (value === null) {
      if (!column.feature.nullable && !column.optional)
        this.#warn(row, column, "no row lacked it in training");
      return;
    }
    const builder = this.#builder;
    switch (column.kind) {
      case "integer":
      case "number":
        if (typeof value === "number" && Number.isFinite(value)) {
          if (column.kind === "integer" && !Number.isSafeInteger(value))
            this.#wrong(column, row, value, "Value");
          else builder.number(position, row, value);
        } else this.#wrong(column, row, value);
        return;
      case "boolean": {
        const truth = typeof value === "string" ? TRUTH.get(value.toLowerCase()) : value;
        if (typeof truth === "boolean") builder.number(position, row, truth ? 1 : 0);
        else this.#wrong(column, row, value);
        return;
      }
      case "codes":
        if (typeof value === "number" && Number.isFinite(value)) builder.text(position, row, String(value));
        else this.#text(position, column, row, value);
        return;
      default:
        this.#text(position, column, row, value);
    }
  }

  #text(position: number, column: Column, row: number, value: unknown): void {
    if (typeof value !== "string") this.#wrong(column, row, value);
    else if (value.length > MAX_TEXT) {
      this.problem({
        row,
        field: column.name,
        problem: "Value",
        expected: `text of at most ${MAX_TEXT} characters`,
        found: `${value.length} characters`,
      });
    } else {
      const text = value.trim();
      if (isMissing(text)) this.cell(position, column, row, null);
      else if (column.feature.type === "Date") this.#date(position, column, row, text);
      else if (column.kind === "empty") {
        this.#warn(row, column, "it had no value in training, and is not used");
      } else {
        this.#unusual(column, row, text);
        this.#builder.text(position, row, text);
      }
    }
  }

  #date(position: number, column: Column, row: number, text: string): void {
    const date = canonicalDate(text, column.feature.format);
    if (date === undefined) this.#wrong(column, row, text, "Value");
    else this.#builder.text(position, row, date);
  }

  #unusual(column: Column, row: number, text: string): void {
    if (column.kind === "codes" && !isNumeric(text)) {
      this.#warn(row, column, `${shown(text)} is no number, as all values in training were`);
    } else if (column.known && !column.known.has(text.slice(0, LISTED_CHARACTERS))) {
      this.#warn(row, column, `${shown(text)} is not among the values of training`);
    }
  }

  #wrong(column: Column, row: number, value: unknown, problem: Problem["problem"] = "Type"): void {
    this.problem({
      row,
      field: column.name,
      problem,
      expected: expectation(column),
      found: problem === "Value" ? shown(value) : kindOf(value),
    });
  }

  #warn(row: number, { name }: Column, message: string): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push({ row, field: name, message });
  }

  done(): CheckedRows {
    if (this.#total > 0) throw new InvalidRowsError(this.#problems, this.#total);
    return { rows: this.#builder.build(), warnings: this.#warnings };
  }
}

const TRUTH: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);

function expectation({ kind, feature }: Column): string {
  switch (kind) {
    case "integer":
      return "a whole number";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "codes":
      return "text, or a number";
    default:
      return feature.type === "Date" ? "a date in ISO 8601, such as 2026-01-31" : "text";
  }
}

function columnsOf(value: unknown): Columns {
  if (!isObject(value)) throw wrongRequest('"columns" to be an object of lists', kindOf(value));
  const columns = new Map<string, unknown[]>();
  const problems: Problem[] = [];
  for (const [name, cells] of Object.entries(value)) {
    if (Array.isArray(cells)) columns.set(name, cells);
    else problems.push({ field: name, problem: "Type", expected: "a list of cells", found: kindOf(cells) });
  }
  if (problems.length > 0) throw new InvalidRowsError(problems.slice(0, MAX_PROBLEMS), problems.length);
  return columns;
}

function checkCount(rows: number, maxRows: number): void {
  if (rows > maxRows) {
    throw new RequestError(
      413,
      "TooManyRows",
      `a request may have at most ${maxRows} rows, found ${rows}: split it`,
    );
  }
}

export function wrongRequest(expected: string, found: string): InvalidRowsError {
  return new InvalidRowsError([{ problem: "Type", expected, found }], 1);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a value is, for a person; never the value itself at length. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number" && !Number.isFinite(value)) return "a number too large for a double";
  if (typeof value === "object") return "an object";
  const article = { string: "text", number: "a number", boolean: "true or false" }[typeof value as string];
  return typeof value === "string" ? `text ${shown(value)}` : (article ?? "nothing");
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
}
