/** Cells of a canonical CSV as rows of a request: how the reference rows come in. */
import { ModelRefusedError } from "../errors.ts";
import type { RowBatch } from "../runtime/runtime.ts";
import { isNumeric, type ModelSchema } from "./columns.ts";

/** What pandas.read_csv reads as missing (its documentation lists it). */
const MISSING: ReadonlySet<string> = new Set([
  ...["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"],
  ...["N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"],
]);

/** Whether the model saw such a text as a missing cell when it was trained. */
export const isMissing = (text: string): boolean => MISSING.has(text);

/** @throws ModelRefusedError where a cell is not of its column's type */
export function rowsFromCells(
  schema: ModelSchema,
  header: readonly string[],
  records: readonly (readonly string[])[],
): RowBatch {
  const places = schema.columns.map(({ name }) => {
    const place = header.indexOf(name);
    if (place < 0) throw new ModelRefusedError(`the reference rows lack the column ${JSON.stringify(name)}`);
    return place;
  });
  const builder = new BatchBuilder(schema, records.length);
  for (const [row, record] of records.entries()) {
    for (const [index, column] of schema.columns.entries()) {
      const cell = record[places[index] ?? -1] ?? "";
      if (isMissing(cell)) continue;
      if (column.kind === "boolean") builder.number(index, row, cell === "True" ? 1 : 0);
      else if (column.kind === "integer" || column.kind === "number") {
        if (!isNumeric(cell)) {
          throw new ModelRefusedError(
            `reference row ${row + 1} has ${JSON.stringify(cell)} in the numeric column ${JSON.stringify(column.name)}`,
          );
        }
        builder.number(index, row, Number(cell));
      } else builder.text(index, row, cell);
    }
  }
  return builder.build();
}

/** Columns of a batch, all cells missing until they are set. */
export class BatchBuilder {
  readonly #schema: ModelSchema;
  readonly #count: number;
  readonly #numbers: Float64Array[];
  readonly #texts: (string | null)[][];

  constructor(schema: ModelSchema, count: number) {
    this.#schema = schema;
    this.#count = count;
    this.#numbers = schema.numbers.map(() => new Float64Array(count).fill(Number.NaN));
    this.#texts = schema.texts.map(() => new Array<string | null>(count).fill(null));
  }

  /** @param column index in the schema's columns */
  number(column: number, row: number, value: number): void {
    const cells = this.#numbers[this.#schema.columns[column]?.position ?? -1];
    if (cells) cells[row] = value;
  }

  text(column: number, row: number, value: string): void {
    const cells = this.#texts[this.#schema.columns[column]?.position ?? -1];
    if (cells) cells[row] = value;
  }

  build(): RowBatch {
    return { count: this.#count, numbers: this.#numbers, texts: this.#texts, types: this.#types() };
  }

  /**
   * Columns that pandas would give another type than in training: whole numbers or truths with gaps (~), codes that are
   * text ("). The same for the same columns, empty for most requests.
   */
  #types(): string {
    return this.#schema.columns
      .map(({ kind, position, feature }) => {
        const gaps = !feature.nullable;
        if (kind === "integer" || kind === "boolean") {
          return gaps && this.#numbers[position]?.some(Number.isNaN) ? `~${kind[0]}${position}` : "";
        }
        const cells = kind === "codes" ? this.#texts[position] : undefined;
        if (cells?.some((cell) => cell !== null && !isNumeric(cell))) return `"${position}`;
        return gaps && cells?.includes(null) ? `~c${position}` : "";
      })
      .join("");
  }
}
