/** CSV files that people bring, and those that they take away (RFC 4180). */
import { CsvError, parse } from "csv-parse/sync";
import { ConsoleError } from "./errors.ts";

export type CsvRecord = {
  /** In the file, from 1: where the record begins. */
  readonly line: number;
  readonly cells: readonly string[];
};

const DELIMITERS = [",", ";", "\t", "|"];

/** Header and records of a CSV in UTF-8. Throws ConsoleError (Invalid) with the line that is wrong. */
export function linesOfCsv(csv: Uint8Array): {
  readonly header: readonly string[];
  readonly records: CsvRecord[];
} {
  const text = textOf(csv);
  const [first = ""] = text.split(/\r?\n/, 1);
  const count = (delimiter: string): number => first.split(delimiter).length;
  const delimiter = DELIMITERS.reduce((best, one) => (count(one) > count(best) ? one : best), ",");
  try {
    const all = parse(text, { delimiter, info: true, skip_empty_lines: true }) as unknown as {
      readonly record: string[];
      readonly info: { readonly lines: number };
    }[];
    const [head, ...rest] = all;
    if (!head) throw new ConsoleError("Invalid", "the CSV is empty: expected a header and rows");
    return {
      header: head.record,
      // What csv-parse counts is the line that a record ends on.
      records: rest.map(({ record, info }) => ({
        line: info.lines - record.reduce((sum, cell) => sum + (cell.match(/\n/g)?.length ?? 0), 0),
        cells: record,
      })),
    };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new ConsoleError("Invalid", error.message.slice(0, 300));
  }
}

function textOf(csv: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(csv);
  } catch {
    throw new ConsoleError("Invalid", "the CSV is not UTF-8: save it as UTF-8");
  }
}

export function toCsv(rows: readonly (readonly string[])[]): Uint8Array {
  const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return new TextEncoder().encode(rows.map((row) => `${row.map(cell).join(",")}\n`).join(""));
}
