/** Into which bin of its column's training distribution a cell belongs. */
import type { ColumnDistribution } from "../../operator/api/training-profile.ts";
import type { RowBatch } from "../runtime/runtime.ts";
import { type Column, isNumericKind } from "../schema/columns.ts";

export type ColumnBins = {
  readonly name: string;
  /** Rows of training in each bin; missing cells are the last. */
  readonly expected: readonly number[];
  /** Bin of a row of a batch. */
  binOf(rows: RowBatch, row: number): number;
};

export function columnBins(column: Column, distribution: ColumnDistribution): ColumnBins | undefined {
  const { position } = column;
  const isNumeric = isNumericKind(column.kind);
  const { name, missing } = distribution;
  switch (distribution.kind) {
    case "Numeric": {
      if (!isNumeric) return undefined;
      const { edges, counts } = distribution;
      return {
        name,
        expected: [...counts, missing],
        binOf(rows, row) {
          const value = rows.numbers[position]?.[row] ?? Number.NaN;
          return Number.isNaN(value) ? counts.length : firstNotBelow(edges, value);
        },
      };
    }
    case "Categorical": {
      const { values, counts, other } = distribution;
      const expected = [...counts, other, missing];
      if (column.kind === "boolean") {
        const bins = ["False", "True"].map((truth) => binAt(values.indexOf(truth), values.length));
        return {
          name,
          expected,
          binOf(rows, row) {
            const value = rows.numbers[position]?.[row] ?? Number.NaN;
            return Number.isNaN(value) ? values.length + 1 : (bins[value] ?? values.length);
          },
        };
      }
      if (isNumeric) return undefined;
      // Codes are numbers to the model, however they are written: 1 and 1.0 are one.
      const key = column.kind === "codes" ? (text: string) => Number(text) : (text: string) => text;
      const bins = new Map<string | number, number>();
      for (const [bin, value] of values.entries()) {
        const first = bins.get(key(value)) ?? bin;
        bins.set(key(value), first);
        if (first === bin) continue;
        expected[first] = (expected[first] ?? 0) + (expected[bin] ?? 0);
        expected[bin] = 0;
      }
      return {
        name,
        expected,
        binOf(rows, row) {
          const text = rows.texts[position]?.[row] ?? null;
          return text === null ? values.length + 1 : (bins.get(key(text)) ?? values.length);
        },
      };
    }
    case "Presence": {
      const cells = isNumeric
        ? (rows: RowBatch, row: number) => Number.isNaN(rows.numbers[position]?.[row] ?? Number.NaN)
        : (rows: RowBatch, row: number) => (rows.texts[position]?.[row] ?? null) === null;
      return {
        name,
        expected: [distribution.present, missing],
        binOf: (rows, row) => (cells(rows, row) ? 1 : 0),
      };
    }
  }
}

const binAt = (index: number, other: number): number => (index < 0 ? other : index);

/** Index of the first edge that is not below the value; their number where all are. */
function firstNotBelow(edges: readonly number[], value: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
