/** What a schedule on a real cluster does, to whom, and when: follows from the seed alone. */
import { Random } from "../embedded/random.ts";
import type { JobKind } from "./world.ts";

export type Signal = "SIGKILL" | "SIGSTOP";

/** Of a job: which of its pods is there, or that it waits for the LLM; or that a model is served and asked. */
export type Phase =
  | "intake"
  | "baselines"
  | "LLM call"
  | "tool execution"
  | "verification"
  | "publishing"
  | "serving";

const OF_JOBS: readonly Phase[] = [
  "intake",
  "baselines",
  "LLM call",
  "tool execution",
  "verification",
  "publishing",
];
const ANY: readonly Phase[] = [...OF_JOBS, "serving"];
/** The LLM is asked by the operator itself, and the data are taken in by code of our own alone. */
const WITH_PODS = OF_JOBS.filter((phase) => phase !== "LLM call");
const WITH_CODE = WITH_PODS.filter((phase) => phase !== "intake");

/** Processes that are hit, and when each can be. */
export const VICTIMS = {
  operator: ANY,
  courier: WITH_PODS,
  /** What runs generated code. */
  "tool pod": WITH_CODE,
  "inference front": ["serving"],
  "inference worker": ["serving"],
  MinIO: ANY,
  kubelet: ANY,
  "API server": ANY,
} as const satisfies Readonly<Record<string, readonly Phase[]>>;
export type Victim = keyof typeof VICTIMS;

export type Incident = {
  readonly victim: Victim;
  readonly signal: Signal;
  readonly phase: Phase;
  /** Which of the jobs. */
  readonly job: number;
  /** Seconds from when the phase begins, or the victim is there. */
  readonly delay: number;
  /** For how long it stands still; of an operator that was killed, until it is started again. */
  readonly seconds: number;
};

export type Plan = {
  readonly seed: number;
  readonly jobs: readonly JobKind[];
  /** Whether a model is served and asked meanwhile. */
  readonly isServed: boolean;
  readonly incidents: readonly Incident[];
};

/** The Lease holds for 15 s: shorter than that, its leader goes on; longer, another one leads. */
const STILL_SECONDS = [1, 4, 9, 17] as const;
/** How long a phase lasts at least, where nobody hurries. */
const LONGEST_DELAY = 0.6;

/** Victims take turns, so that few schedules hit all of them; all else is drawn. */
export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const victims = Object.keys(VICTIMS) as Victim[];
  const first = victims[seed % victims.length] as Victim;
  const isServed = (VICTIMS[first] as readonly Phase[]).includes("serving") && !isOfJobs(first);
  const served = isServed || random.chance(0.3);
  const rest = victims.filter((victim) => served || isOfJobs(victim));
  const incidents = [first, ...Array.from({ length: random.integer(0, 2) }, () => random.pick(rest))].map(
    (victim): Incident => {
      const phases = (VICTIMS[victim] as readonly Phase[]).filter((phase) => served || phase !== "serving");
      const signal = random.pick(["SIGKILL", "SIGSTOP"] as const);
      const isRestarted = victim === "operator" && signal === "SIGKILL";
      return {
        victim,
        signal,
        phase: random.pick(phases),
        // The others have not all phases.
        job: 0,
        delay: random.between(0, LONGEST_DELAY),
        seconds: isRestarted ? random.pick([0.5, 18]) : random.pick(STILL_SECONDS),
      };
    },
  );
  // The pods of one that only talks cost as much as those of one that comes to a model.
  const other = random.chance(0.2) ? "talk" : "brief";
  return { seed, jobs: ["model", other], isServed: served, incidents };
}

const isOfJobs = (victim: Victim): boolean =>
  (VICTIMS[victim] as readonly Phase[]).some((phase) => phase !== "serving");

/** Phase of a pod of a job, by its name; undefined where that says nothing. */
export function phaseOf(pod: string): Phase | undefined {
  const label = /-[0-9a-f]{8}-(.*?)(?:-[23])?$/.exec(pod)?.[1] ?? "";
  return PODS.find(([pattern]) => pattern.test(label))?.[1];
}
const PODS: readonly (readonly [RegExp, Phase])[] = [
  [/^(ingest|split|environment)$/, "intake"],
  [/^(prior|boosting)-/, "baselines"],
  [/^s\d+c\d+$/, "tool execution"],
  [/^s\d+c\d+-/, "verification"],
  [/^final|-refit|-reference$/, "publishing"],
];
