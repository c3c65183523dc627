/** Time as intervals, in milliseconds of the epoch. */

export type Interval = { readonly from: number; readonly to: number; readonly what: string };

export type Recording = {
  readonly children: readonly Interval[];
  readonly replies: readonly Interval[];
  /** Children that had not ended when the program did. */
  readonly unended: number;
  /** user + sys of the Node process alone. */
  readonly cpuSeconds: number;
};

/** Seconds in which at least one of the intervals was under way, within the bounds. */
export function covered(intervals: readonly Interval[], bounds: { from: number; to: number }): number {
  const sorted = intervals
    .map(({ from, to }) => ({ from: Math.max(from, bounds.from), to: Math.min(to, bounds.to) }))
    .filter(({ from, to }) => to > from)
    .sort((a, b) => a.from - b.from);
  let reached = bounds.from;
  let total = 0;
  for (const { from, to } of sorted) {
    total += Math.max(0, to - Math.max(from, reached));
    reached = Math.max(reached, to);
  }
  return total / 1000;
}

export type Round = {
  readonly wall: number;
  /** Less replies and every process started: what the operator itself took. */
  readonly own: number;
  /** Less replies, generated code and installs alone: trusted intake, split and scoring count as overhead. */
  readonly withTrusted: number;
  readonly replies: number;
  readonly generated: number;
  readonly trusted: number;
  readonly cpu: number;
  readonly executions: number;
  readonly load: number;
};

export function measured(
  { children, replies, cpuSeconds }: Recording,
  bounds: { from: number; to: number },
  load: number,
): Round {
  const wall = (bounds.to - bounds.from) / 1000;
  const generated = children.filter(({ what }) => what === "sandboxed" || what === "install");
  const trusted = children.filter(({ what }) => what.startsWith("trusted:"));
  return {
    wall,
    own: wall - covered([...children, ...replies], bounds),
    withTrusted: wall - covered([...generated, ...replies], bounds),
    replies: covered(replies, bounds),
    generated: covered(generated, bounds),
    trusted: covered(trusted, bounds),
    cpu: cpuSeconds,
    executions: children.length,
    load,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}
