/** Small histograms of a data set's numeric columns, from its first rows. Categories have theirs in the profile. */
import type { Readable } from "node:stream";
import { parse } from "csv-parse";
import type { Profile } from "../../operator/api/profile.ts";

export type Histogram = {
  readonly from: number;
  readonly to: number;
  /** Rows in each of equally wide bins, the first one from `from`. */
  readonly counts: readonly number[];
};

const BINS = 16;
export const SAMPLED_ROWS = 20_000;

/**
 * In the order of the profile's columns; null where a column has none. The canonical CSV is UTF-8 with commas, whatever the source
 * was; no more of it is read than is looked at.
 */
export async function histogramsOf(canonical: Readable, profile: Profile): Promise<(Histogram | null)[]> {
  const places = profile.columns.map(({ type, min, max }) => {
    const [from, to] = [Number(min), Number(max)];
    const numeric = (type === "Integer" || type === "Number") && to > from;
    return numeric ? { from, to, counts: new Array<number>(BINS).fill(0) } : null;
  });
  try {
    if (places.every((place) => place === null)) return places;
    const rows = parse({ fromLine: 2, to: SAMPLED_ROWS, relaxColumnCount: true });
    canonical.on("error", (error) => rows.destroy(error)).pipe(rows);
    for await (const row of rows as AsyncIterable<string[]>) {
      for (const [index, place] of places.entries()) {
        const cell = place === null ? "" : (row[index] ?? "");
        const value = cell === "" ? Number.NaN : Number(cell);
        if (place === null || Number.isNaN(value)) continue;
        const { from, to, counts } = place;
        const bin = Math.max(0, Math.min(BINS - 1, Math.floor(((value - from) / (to - from)) * BINS)));
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
    }
    return places;
  } finally {
    canonical.destroy();
  }
}
