/** What is measured of an operator from outside, and what its own metrics say. */
import { readFileSync } from "node:fs";

const TICKS = 100;
const MIB = 1024 ** 2;

export type Sample = { readonly memoryMib: number; readonly cpuSeconds: number };

/** Of a process of this machine: its resident memory now and its CPU time so far. */
export function sampleOf(pid: number): Sample {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN);
  // Fields from the third on, after the name in parentheses: utime and stime are the 14th and 15th.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return { memoryMib: (kib * 1024) / MIB, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS };
}

/** Metrics in Prometheus' text form, by name with labels. */
export function metricsOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

/** Sum of a metric over its labels. */
export function total(metrics: ReadonlyMap<string, number>, name: string): number {
  let sum = 0;
  for (const [key, value] of metrics) if (key === name || key.startsWith(`${name}{`)) sum += value;
  return sum;
}

/** Upper bound of a quantile, by the buckets of a histogram; Infinity above the last bucket. */
export function quantileBound(
  metrics: ReadonlyMap<string, number>,
  histogram: string,
  label: string,
  quantile: number,
): number {
  const bounds: [bound: number, count: number][] = [];
  for (const [key, count] of metrics) {
    if (!key.startsWith(`${histogram}_bucket{`) || !key.includes(label)) continue;
    const le = /le="([^"]+)"/.exec(key)?.[1] ?? "";
    bounds.push([le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le), count]);
  }
  bounds.sort(([one], [other]) => one - other);
  const all = bounds.at(-1)?.[1] ?? 0;
  return bounds.find(([, count]) => count >= all * quantile)?.[0] ?? Number.NaN;
}
