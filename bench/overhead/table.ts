/** The rounds as JSON and as a table for people. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { circumstances } from "../shared/circumstances.ts";
import { median, type Round } from "./intervals.ts";

/** The goal: overhead below this share of the job's time. */
const GOAL = 0.05;

export function writeResults(
  root: string,
  results: Readonly<Record<string, readonly Round[]>>,
  seconds: number,
): string {
  const report = {
    seconds,
    goal: GOAL,
    ...circumstances(root),
    rounds: results,
  };
  const folder = join(root, "bench/results");
  mkdirSync(folder, { recursive: true });
  const text = markdown(report);
  writeFileSync(join(folder, "overhead.json"), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(folder, "overhead.md"), text);
  return text;
}

type Report = {
  readonly seconds: number;
  readonly commit: string;
  readonly machine: string;
  readonly at: string;
  readonly rounds: Readonly<Record<string, readonly Round[]>>;
};

function markdown({ seconds, commit, machine, at, rounds }: Report): string {
  const names = Object.keys(rounds);
  const line = (label: string, of: (round: Round) => number, digits: number, unit = "") => {
    const cells = names.map((name) => spread((rounds[name] ?? []).map(of), digits, unit));
    return `| ${label} | ${cells.join(" | ")} |`;
  };
  const verdicts = names.map((name) => {
    const shares = (rounds[name] ?? []).map(({ own, wall }) => own / wall);
    const strict = (rounds[name] ?? []).map(({ withTrusted, wall }) => withTrusted / wall);
    const said = (share: number) =>
      `${(share * 100).toFixed(1)} %, ${share < GOAL ? "within the goal" : "above the goal"}`;
    return `- ${name}: ${said(median(shares))}; with trusted Python as overhead ${said(median(strict))}.`;
  });
  const loads = names.flatMap((name) => (rounds[name] ?? []).map(({ load }) => load));
  return [
    "# Operator overhead in the embedded run",
    "",
    `The job of examples/binary-churn.yaml, from the start of the command to its end: Offline with ${seconds} s, Gemini by a`,
    "scripted endpoint that has the job explore and save a linear model. Median of the rounds (least to greatest).",
    "",
    `| | ${names.map((name) => `${name}, ${rounds[name]?.length} rounds`).join(" | ")} |`,
    `| --- |${" --- |".repeat(names.length)}`,
    line("wall seconds", ({ wall }) => wall, 1),
    line("no reply awaited and no process running, seconds: the overhead", ({ own }) => own, 2),
    line("as a share of the wall time", ({ own, wall }) => (own / wall) * 100, 1, " %"),
    line("overhead with trusted Python (intake, split, scores) in it, seconds", (one) => one.withTrusted, 2),
    line("as a share of the wall time", ({ withTrusted, wall }) => (withTrusted / wall) * 100, 1, " %"),
    line("CPU seconds of the Node process alone, user + sys", ({ cpu }) => cpu, 2),
    line("waiting for replies, seconds", ({ replies }) => replies, 2),
    line("generated code and installs, seconds", ({ generated }) => generated, 1),
    line("trusted Python, seconds", ({ trusted }) => trusted, 1),
    line("processes started and verbs run", ({ executions }) => executions, 0),
    "",
    `Goal: under ${GOAL * 100} %.`,
    "",
    ...verdicts,
    "",
    "Each child process is timed from its start to its exit inside the command itself; times are united, so that what runs",
    "side by side counts once. The start of Node is overhead, and so is all that the operator does between executions;",
    "what it does while one runs is in the CPU seconds alone. The baselines are recipes and count as generated code.",
    "A verb of the runner's worker is timed from the request to the answer, so loading its libraries counts as far as a verb",
    "waits for it.",
    "",
    `${machine}; load before a round ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}; commit ${commit}; ${at}.`,
    "",
  ].join("\n");
}

function spread(values: readonly number[], digits: number, unit: string): string {
  const [middle, low, high] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return `${middle}${unit} (${low} to ${high})`;
}
