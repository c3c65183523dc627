/** The runs as JSON and as a table for people. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { circumstances } from "../../shared/circumstances.ts";

export type Run = {
  readonly jobs: number;
  /** READY or ERROR when the run was ended; fewer than jobs where it was ended early. */
  readonly ended: number;
  readonly ready: number;
  readonly lost: number;
  readonly seconds: number;
  /** Until the last job was applied. */
  readonly applied: number;
  readonly idleMib: number;
  readonly mostMib: number;
  readonly cpuSeconds: number;
  /** Upper bounds, by the buckets of autoai_queue_wait_seconds. */
  readonly queueP50: number;
  readonly queueP99: number;
  readonly peakQueue: number;
  /** Upper bounds, by the buckets of autoai_reconcile_seconds. */
  readonly reconcileP50: number;
  readonly reconcileP99: number;
  readonly reconciles: number;
  readonly apiRequests: number;
  readonly pods: number;
  readonly podsTwice: number;
  readonly replies: number;
  readonly repliesJournaled: number;
  /** Between two entries of one journal, or from the job's creation to its first one. */
  readonly longestGapSeconds: number;
  /** Of each job from its creation to its end, sorted. */
  readonly jobSeconds: readonly number[];
};

const MOST_MIB = 400e6 / 1024 ** 2;
const LONGEST_WAIT = 1;
const GOAL_JOBS = 1000;

/** What the scripted LLM does, as a sentence of the table. */
const AGENTS: Readonly<Record<string, string>> = {
  model:
    "The agent writes a program, runs it, and saves its model, which is verified; the better of it and the baselines is published.",
  stop: "The agent does nothing, whatever it is reminded of: two baselines are verified, and the better one is published.",
};

export function writeLoad(root: string, plane: string, agent: string, runs: readonly Run[]): string {
  const about = circumstances(root);
  const text = markdown(
    plane,
    AGENTS[agent] ?? agent,
    runs,
    `${about.machine}; commit ${about.commit}; ${about.at}.`,
  );
  const folder = join(root, "bench/results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "cluster-load.json"),
    `${JSON.stringify({ ...about, plane, agent, runs }, null, 1)}\n`,
  );
  writeFileSync(join(folder, "cluster-load.md"), text);
  return text;
}

function markdown(plane: string, agent: string, runs: readonly Run[], about: string): string {
  const row = (name: string, cell: (run: Run) => string | number) =>
    `| ${name} | ${runs.map(cell).join(" | ")} |`;
  const most = runs.reduce((one, other) => (other.jobs > one.jobs ? other : one));
  const at = (run: Run, part: number) =>
    run.jobSeconds[Math.min(run.jobSeconds.length - 1, Math.floor(part * run.jobSeconds.length))] ?? 0;
  const verdict = (fine: boolean) => (fine ? "within" : "NOT within");
  return [
    "# What many jobs at once cost the operator",
    "",
    `One operator, built, as a process of this machine; a MinIO and the scripted LLM beside it; pods on ${plane}. Such pods run`,
    "no code: a stand-in for their couriers (test/fakes/instant-courier.ts) leaves in the store, by the grants of each pod's errand, what a courier",
    "would, made up. So the figures are the operator's and the control plane's, and say nothing of training. All jobs are applied at once.",
    agent,
    "",
    row("jobs at once", ({ jobs }) => jobs),
    `| --- |${" --- |".repeat(runs.length)}`,
    row("ended, of them READY; lost", ({ ended, ready, lost }) => `${ended}, ${ready}; ${lost}`),
    row("memory, before and at most, MB", ({ idleMib, mostMib }) => `${mb(idleMib)}, ${mb(mostMib)}`),
    row(
      "CPU seconds, in all and a job",
      ({ cpuSeconds, jobs }) => `${cpuSeconds.toFixed(1)}, ${(cpuSeconds / jobs).toFixed(2)}`,
    ),
    row("seconds until all had ended, or the run was", ({ seconds }) => seconds.toFixed(0)),
    row("seconds of a job: least, median, greatest", (run) =>
      run.ended < run.jobs ? "not all ended" : [0, 0.5, 1].map((part) => at(run, part).toFixed(0)).join(", "),
    ),
    row("longest a job went without a new entry, s", ({ longestGapSeconds }) => longestGapSeconds.toFixed(0)),
    row("wait for a worker, p50 and p99, s, at most", ({ queueP50, queueP99 }) => `${queueP50}, ${queueP99}`),
    row(
      "a reconcile, its turns at the API server included, p50 and p99, s, at most",
      ({ reconcileP50, reconcileP99 }) => `${reconcileP50}, ${reconcileP99}`,
    ),
    row("longest queue, at a look each second", ({ peakQueue }) => peakQueue),
    row("pods, of which made twice", ({ pods, podsTwice }) => `${pods}, ${podsTwice}`),
    row(
      "replies of the LLM, of which in journals",
      ({ replies, repliesJournaled }) => `${replies}, ${repliesJournaled}`,
    ),
    row("requests to the API server, a job", ({ apiRequests, jobs }) => Math.round(apiRequests / jobs)),
    row("reconciles, a job", ({ reconciles, jobs }) => Math.round(reconciles / jobs)),
    "",
    ...(most.jobs < GOAL_JOBS
      ? [`- The goals are for ${GOAL_JOBS} jobs (400 MB, p99 of the wait 1 s); so many were NOT run here.`]
      : [
          `- Memory with ${most.jobs} jobs: ${mb(most.mostMib)} MB, ${verdict(most.mostMib <= MOST_MIB)} the goal of 400 MB.`,
          `- Wait for a worker with ${most.jobs} jobs: p99 at most ${most.queueP99} s by the operator's own histogram, ${verdict(most.queueP99 <= LONGEST_WAIT)} the goal of 1 s.`,
        ]),
    ...(most.ended < most.jobs
      ? [
          `- The run of ${most.jobs} was ended after ${most.seconds.toFixed(0)} s, with ${most.ended} at their end: that none is lost was NOT shown.`,
        ]
      : []),
    ...(most.ended < most.jobs
      ? []
      : [
          `- The slowest of ${most.jobs} jobs took ${(at(most, 1) / at(most, 0.5)).toFixed(2)} times as long as the median one, from its creation to its end.`,
        ]),
    `- ${most.ready} of ${most.jobs} jobs became READY, ${most.lost} were lost, ${most.podsTwice} pods were made twice.`,
    "",
    about,
    "",
  ].join("\n");
}

const mb = (mib: number): string => ((mib * 1024 ** 2) / 1e6).toFixed(0);
