/** The rounds as JSON and as a table for people. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { median } from "../overhead/intervals.ts";
import { circumstances } from "../shared/circumstances.ts";

export type Round = {
  /** From the call to the result, less the code's own time. */
  readonly seconds: number;
  readonly own: number;
  /** Of the operator to the API server, watches aside. */
  readonly requests: number;
  readonly load: number;
};
type Results = Readonly<Record<"echo" | "claim" | "store", readonly Round[]>>;

const GOALS = { claim: 1.3, store: 1.5 } as const;
const MOST_REQUESTS = 8;

export function writeResults(root: string, results: Results): string {
  const { commit, machine, at } = circumstances(root);
  const text = markdown(results, `${machine}; ${loads(results)}; commit ${commit}; ${at}.`);
  const folder = join(root, "bench/results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "cluster.json"),
    `${JSON.stringify({ commit, machine, at, rounds: results }, null, 2)}\n`,
  );
  writeFileSync(join(folder, "cluster.md"), text);
  return text;
}

function markdown(results: Results, circumstances: string): string {
  const spread = (all: readonly number[], digits: number) =>
    `${median(all).toFixed(digits)} (${Math.min(...all).toFixed(digits)} to ${Math.max(...all).toFixed(digits)})`;
  const of = (which: keyof Results, what: (round: Round) => number) => results[which].map(what);
  /** Pair by pair: both sides of a pair had the same machine. */
  const ratios = (which: "claim" | "store") =>
    results[which].map((round, index) => round.seconds / (results.echo[index]?.seconds ?? Number.NaN));
  const verdict = (which: "claim" | "store") => {
    const ratio = median(ratios(which));
    return `${ratio.toFixed(2)} of the bare pod, ${ratio <= GOALS[which] ? "within" : "above"} the goal of ${GOALS[which]}`;
  };
  const most = Math.max(...of("claim", (round) => round.requests), ...of("store", (round) => round.requests));
  return [
    "# What a step costs in a cluster",
    "",
    "From the tool call to its result, less the time of the code itself, beside a bare, hardened pod that echoes, from its POST until its phase",
    `Succeeded shows. The environment holds scikit-learn and pandas. ${results.echo.length} rounds, in turn, one pod at a time; median (least to greatest).`,
    "",
    "| | bare pod | step, environment on a claim | step, environment from the store |",
    "| --- | --- | --- | --- |",
    `| seconds | ${(["echo", "claim", "store"] as const)
      .map((which) =>
        spread(
          of(which, (round) => round.seconds),
          2,
        ),
      )
      .join(" | ")} |`,
    `| ratio to the bare pod of the same round | 1 | ${spread(ratios("claim"), 2)} | ${spread(ratios("store"), 2)} |`,
    `| the code's own seconds | | ${spread(
      of("claim", (round) => round.own),
      2,
    )} | ${spread(
      of("store", (round) => round.own),
      2,
    )} |`,
    `| requests of the operator to the API server | | ${spread(
      of("claim", (round) => round.requests),
      0,
    )} | ${spread(
      of("store", (round) => round.requests),
      0,
    )} |`,
    "",
    `- Environment on a claim: ${verdict("claim")}.`,
    `- Environment from the store: ${verdict("store")}.`,
    `- Requests: at most ${most} a step, ${most <= MOST_REQUESTS ? "within" : "above"} the goal of ${MOST_REQUESTS}; the status patch of a reconcile comes on top.`,
    "",
    "What many jobs at once cost stands in cluster-load.md.",
    "",
    circumstances,
    "",
  ].join("\n");
}

function loads(results: Results): string {
  const all = Object.values(results).flatMap((rounds) => rounds.map(({ load }) => load));
  return `load before a pod ${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)}`;
}
