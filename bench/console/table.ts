/** The rounds as JSON and as a table for people. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { median } from "../overhead/intervals.ts";
import { circumstances } from "../shared/circumstances.ts";
import type { FirstPage, Motion } from "./page.ts";

export type Round = {
  /** Of the machine, before the round. */
  readonly load: number;
  readonly first: FirstPage;
  /** Milliseconds until the first step could be read, of a page that was opened anew. */
  readonly transcriptShown: number;
  readonly reading: Motion;
  readonly growing: Motion;
  readonly listShown: number;
  readonly finding: Motion;
};

export type Subject = {
  readonly jobs: number;
  readonly steps: number;
  readonly transcriptBytes: number;
  readonly chromium: string;
};

/** Bytes and milliseconds. A frame of 34 ms is two of a screen's; a task of 200 ms is what a hand on a key begins to notice. */
const GOALS = { bytes: 200_000, interactive: 1000, frame: 34, task: 200 };

export function writeResults(root: string, subject: Subject, rounds: readonly Round[]): string {
  const measured = circumstances(root);
  const report = {
    ...subject,
    goals: GOALS,
    ...measured,
    machine: `${measured.machine}, Chromium ${subject.chromium}`,
    rounds,
  };
  const folder = join(root, "bench/results");
  mkdirSync(folder, { recursive: true });
  const text = markdown(report);
  writeFileSync(join(folder, "console.json"), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(folder, "console.md"), text);
  return text;
}

type Report = Subject & {
  readonly commit: string;
  readonly machine: string;
  readonly at: string;
  readonly rounds: readonly Round[];
};

type Line = {
  readonly label: string;
  readonly of: (round: Round) => number;
  readonly unit: string;
  readonly digits?: number;
  readonly goal?: number;
};

function markdown({ jobs, steps, transcriptBytes, commit, machine, at, rounds }: Report): string {
  const moving = (label: string, of: (round: Round) => Motion): Line[] => [
    { label: `${label}: of 100 frames, 95 within`, of: (one) => of(one).p95, unit: "ms", goal: GOALS.frame },
    { label: `${label}: CPU of the main thread a frame`, of: (one) => of(one).cpu, unit: "ms", digits: 1 },
    { label: `${label}: longest frame`, of: (one) => of(one).longest, unit: "ms" },
    { label: `${label}: tasks of more than 50 ms`, of: (one) => of(one).longTasks, unit: "" },
    { label: `${label}: longest of them`, of: (one) => of(one).longestTask, unit: "ms", goal: GOALS.task },
  ];
  const lines: Line[] = [
    {
      label: "first page: over the wire, compressed",
      of: ({ first }) => first.bytes / 1000,
      unit: "kB",
      digits: 1,
      goal: GOALS.bytes / 1000,
    },
    { label: "first page: first paint", of: ({ first }) => first.firstPaint, unit: "ms" },
    {
      label: "first page: interactive",
      of: ({ first }) => first.interactive,
      unit: "ms",
      goal: GOALS.interactive,
    },
    { label: "first page: CPU of its main thread", of: ({ first }) => first.cpu, unit: "ms" },
    { label: "first page: its main thread was blocked for", of: ({ first }) => first.blocked, unit: "ms" },
    { label: "job: first step shown", of: ({ transcriptShown }) => transcriptShown, unit: "ms" },
    ...moving("job, scrolling", ({ reading }) => reading),
    ...moving("job, scrolling while steps come in", ({ growing }) => growing),
    { label: "list: shown", of: ({ listShown }) => listShown, unit: "ms" },
    ...moving("list, typing, paging and scrolling", ({ finding }) => finding),
  ];
  const loads = rounds.map(({ load }) => load);
  return [
    "# The console in a browser",
    "",
    `A home with ${jobs.toLocaleString("en")} jobs, and one whose transcript has ${steps} steps and ${(transcriptBytes / 1e6).toFixed(1)} MB and grows by four steps a second where it is`,
    `said; \`autoai console\` on the loopback address, a browser with nothing in its cache. ${rounds.length} rounds: median (least to greatest).`,
    "",
    "| | measured | goal | |",
    "| --- | --- | --- | --- |",
    ...lines.map(({ label, of, unit, digits = 0, goal }) => {
      const values = rounds.map(of);
      const [middle, low, high] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
        value.toFixed(digits),
      );
      const met = goal === undefined ? "" : median(values) <= goal ? "met" : "**missed**";
      return `| ${label} | ${middle} ${unit} (${low} to ${high}) | ${goal === undefined ? "" : `${goal} ${unit}`} | ${met} |`;
    }),
    "",
    "Interactive is the later of two moments: the page's content is there, and its last task of more than 50 ms before five quiet seconds is over. What comes",
    "over the wire is counted with its headers, answers of the API but for streams of events included. CPU is the main thread's own and grows little when other",
    "programs use the machine; the other times are the clock's, which they lengthen (see the load below). Frames are told by requestAnimationFrame while the wheel turns; Chromium has no",
    "screen and no GPU here, so that it draws with the CPU what a person's machine would not.",
    "",
    `${machine}; load before a round ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}; commit ${commit}; ${at}.`,
    "",
  ].join("\n");
}
