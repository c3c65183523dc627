/**
 * Population stability index: how far a distribution over bins is from another one.
 *
 * The sum over bins of (a - e) ln(a / e), a and e being the shares of what came in and of what was expected (Siddiqi, Credit Risk
 * Scorecards, 2006; it is Jeffreys' divergence of the two). Without drift it is about (bins - 1) / rows (Yurdakul, Statistical
 * Properties of Population Stability Index, 2018), so that few rows look like drift: see MIN_ROWS in monitor.ts.
 */

/** Least share of a bin: an empty one would be infinitely far away. */
export const LEAST_SHARE = 0.0001;

/** @returns 0 where the shares are equal; at least 0. Both must have as many bins, and a row at least. */
export function populationStability(expected: ArrayLike<number>, actual: ArrayLike<number>): number {
  const [expectedRows, actualRows] = [sum(expected), sum(actual)];
  let index = 0;
  for (let bin = 0; bin < expected.length; bin++) {
    const e = Math.max(LEAST_SHARE, (expected[bin] ?? 0) / expectedRows);
    const a = Math.max(LEAST_SHARE, (actual[bin] ?? 0) / actualRows);
    index += (a - e) * Math.log(a / e);
  }
  return index;
}

function sum(counts: ArrayLike<number>): number {
  let total = 0;
  for (let bin = 0; bin < counts.length; bin++) total += counts[bin] ?? 0;
  return total;
}
