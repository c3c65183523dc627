/** Candidates over time: what each was worth when the operator scored it, beside what its author claimed. */
import type { Metric } from "../../api/metrics.ts";
import type { Html } from "../html.ts";
import { counted, duration, short } from "../numbers.ts";
import { type Attempt, isBaseline, lowerIsBetter } from "../story.ts";
import { figure } from "./figure.ts";
import { type ChartLayer, type ChartSpec, INK } from "./svg.ts";

/** A baseline, drawn across. */
type Line = { readonly score: number; readonly name: string };

type Mark = {
  readonly time: number;
  readonly score: number;
  readonly low: number;
  readonly high: number;
  readonly claimed: number | null;
  readonly chosen: boolean;
};

export function timelineChart(
  attempts: readonly Attempt[],
  metric: Metric,
  winner: number | undefined,
): Promise<Html> {
  const scored = attempts.filter(({ candidate }) => Number.isFinite(candidate.verified.score));
  const prior = scored.find(({ candidate }) => candidate.origin === "PriorBaseline")?.candidate;
  const others = scored.filter(({ candidate }) => candidate !== prior);
  // The prior is far off as a rule, and would press all others together.
  const shown = others.length > 0 ? others : scored;
  const domain = domainOf(shown);
  const inside = (value: number) => value >= domain[0] && value <= domain[1];
  const marks = shown.map(({ candidate, elapsedSeconds }): Mark => {
    const { score, standardError } = candidate.verified;
    const { claimedScore } = candidate;
    return {
      time: elapsedSeconds,
      score,
      low: Math.max(domain[0], score - standardError),
      high: Math.min(domain[1], score + standardError),
      claimed: claimedScore !== undefined && inside(claimedScore) ? claimedScore : null,
      chosen: candidate.number === winner,
    };
  });
  const outside = shown.filter(
    ({ candidate }) => candidate.claimedScore !== undefined && !inside(candidate.claimedScore),
  ).length;
  const boosting = others.find(({ candidate }) => isBaseline(candidate))?.candidate.verified.score;
  const lines = [
    ...(boosting === undefined ? [] : [{ score: boosting, name: "gradient-boosting baseline" }]),
    ...(prior && inside(prior.verified.score)
      ? [{ score: prior.verified.score, name: "prior baseline" }]
      : []),
  ];
  const notes = [
    prior && !inside(prior.verified.score)
      ? `The prior baseline, at ${short(prior.verified.score)}, lies outside.`
      : "",
    outside > 0 ? `${counted(outside, "claim")} outside the picture: see the table.` : "",
  ];
  return figure(
    {
      title: "Candidates over time",
      description: `Verified ${metric} of ${counted(marks.length, "candidate")} over the time worked. ${marks
        .slice(0, 30)
        .map(({ time, score }) => `After ${duration(time)}: ${short(score)}.`)
        .join(" ")}`,
      caption: `Filled: verified by the operator, with one standard error; the ringed one was chosen. Hollow: what the author claimed. ${lines.length > 0 ? `Dashed: ${lines.map(({ name }) => name).join(", ")}.` : ""} ${metric}: ${lowerIsBetter(metric) ? "lower" : "higher"} is better. ${notes.filter(Boolean).join(" ")}`,
    },
    (width) => spec(width, marks, lines, domain, metric),
    "Full",
  );
}

function spec(
  width: number,
  marks: readonly Mark[],
  lines: readonly Line[],
  domain: readonly [number, number],
  metric: Metric,
): ChartSpec {
  const y = {
    type: "quantitative" as const,
    scale: { domain: [...domain], zero: false, nice: false },
    title: metric,
  };
  const x = {
    field: "time",
    type: "quantitative" as const,
    scale: { zero: true, nice: true },
    title: "Seconds worked",
    axis: { grid: false, tickCount: width > 600 ? 10 : 5 },
  };
  const wide = width > 600;
  return {
    width,
    height: wide ? 320 : 280,
    autosize: { type: "fit", contains: "padding" },
    data: { values: [...marks] },
    layer: [
      {
        data: { values: [...lines] },
        mark: { type: "rule", color: INK.third, strokeDash: [5, 4], strokeWidth: 1.25 },
        encoding: { y: { ...y, field: "score" } },
      },
      ...(wide ? [names(lines, y)] : []),
      {
        mark: { type: "rule", color: INK.accent, strokeWidth: 1.5, opacity: 0.8 },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } },
      },
      {
        transform: [{ filter: "datum.claimed !== null" }],
        mark: {
          type: "point",
          shape: "diamond",
          filled: false,
          size: 80,
          color: INK.second,
          strokeWidth: 1.5,
        },
        encoding: { x, y: { ...y, field: "claimed" } },
      },
      {
        mark: { type: "point", filled: true, size: 55, color: INK.accent, opacity: 1 },
        encoding: { x, y: { ...y, field: "score" } },
      },
      {
        transform: [{ filter: "datum.chosen" }],
        mark: { type: "point", filled: false, size: 220, color: INK.text, strokeWidth: 1.75 },
        encoding: { x, y: { ...y, field: "score" } },
      },
    ],
  };
}

/** What each line is, beside it; a narrow chart leaves that to its caption. */
function names(lines: readonly Line[], y: object): ChartLayer {
  return {
    data: { values: lines.map(({ score, name }) => ({ score, name: name.replace(/ (?=\S+$)/, "\n") })) },
    mark: {
      type: "text",
      align: "left",
      baseline: "middle",
      dx: 8,
      lineBreak: "\n",
      color: INK.muted,
      fontSize: 11,
    },
    encoding: { y: { ...y, field: "score" }, x: { value: "width" }, text: { field: "name" } },
  } as ChartLayer;
}

/** From the worst to the best verified score with room around them; claims may widen it, but not by more than it is. */
function domainOf(attempts: readonly Attempt[]): readonly [number, number] {
  const bounds = attempts.flatMap(({ candidate: { verified } }) => [
    verified.score - verified.standardError,
    verified.score + verified.standardError,
  ]);
  if (bounds.length === 0) return [0, 1];
  let low = bounds.reduce((a, b) => Math.min(a, b));
  let high = bounds.reduce((a, b) => Math.max(a, b));
  const room = Math.max(high - low, Math.abs(high) * 1e-3, 1e-9);
  for (const { candidate } of attempts) {
    const claim = candidate.claimedScore;
    if (claim === undefined || claim < low - 1.5 * room || claim > high + 1.5 * room) continue;
    low = Math.min(low, claim);
    high = Math.max(high, claim);
  }
  const margin = 0.08 * Math.max(high - low, room);
  return [low - margin, high + margin];
}
