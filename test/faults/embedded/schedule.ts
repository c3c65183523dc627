/** What goes wrong in a run, and when: follows from the seed alone. */
import { Random } from "./random.ts";

/** Where an operator meets the world. */
export type Seam = "API" | "watch" | "pods" | "store" | "LLM" | "lease";

/**
 * drop: it does not arrive, and no answer comes. delay: it takes seconds. duplicate: it is carried out twice, and the second answer comes. cut:
 * it is carried out, and the answer is lost. late: it is given up, and is carried out seconds later all the same. A number: that
 * answer, with nothing done. quota: no room for a pod. full: what only reads is served, and nothing is written.
 */
export type Fault =
  | "drop"
  | "delay"
  | "duplicate"
  | "cut"
  | "late"
  | "409"
  | "410"
  | "429"
  | "500"
  | "503"
  | "quota"
  | "full";

export const FAULTS: Readonly<Record<Seam, readonly Fault[]>> = {
  API: ["drop", "delay", "duplicate", "cut", "late", "409", "429", "500", "503"],
  watch: ["drop", "delay", "410"],
  pods: ["drop", "delay", "duplicate", "cut", "late", "429", "500", "503", "quota"],
  store: ["drop", "delay", "duplicate", "cut", "late", "409", "429", "500", "503", "full"],
  LLM: ["drop", "delay", "cut", "429", "500", "503"],
  lease: ["drop", "delay", "duplicate", "cut", "late", "409", "429", "500", "503"],
};

/** While it lasts, this share of the calls at the seam meets the fault. Seconds since the beginning. */
export type Episode = {
  readonly seam: Seam;
  readonly fault: Fault;
  readonly from: number;
  readonly until: number;
  readonly share: number;
};

export type Incident = { readonly at: number } & (
  | {
      /** The leader dies at one of its next calls, before or after it was carried out, and is started again. */
      readonly type: "operator killed";
      readonly calls: number;
      readonly before: boolean;
      readonly again: number;
    }
  /** The leader stands still (SIGSTOP), and goes on as if nothing had been. */
  | { readonly type: "operator stopped"; readonly seconds: number }
  /** The Lease is written over by nobody that works, or is gone. */
  | { readonly type: "lease stolen"; readonly seconds: number }
  | { readonly type: "lease deleted" }
  | {
      readonly type:
        | "pod evicted"
        | "courier killed"
        | "pod deleted"
        | "node cut off"
        | "kubelet silent"
        | "code stopped";
      /** Which of the pods that are there. */
      readonly which: number;
      readonly seconds: number;
    }
  | { readonly type: "job suspended"; readonly seconds: number }
  | { readonly type: "job deleted" }
  /** The second job's recipe is trained anew, once that job is ready. */
  | { readonly type: "job retrained" }
  | { readonly type: "deployment edited"; readonly edit: DeploymentEdit }
  /** And made anew, as it was, so many seconds later. */
  | { readonly type: "deployment deleted"; readonly again: number }
  /** With its node, and what was on its disk. */
  | { readonly type: "server lost"; readonly server: number }
);
/** What a user changes of a ModelDeployment; `model` names the other job, or the one before again. */
export type DeploymentEdit =
  | { readonly model: "first" | "second" }
  | { readonly followLatest: boolean }
  | { readonly replicas: number }
  | { readonly maxReplicas: number };

export type IncidentType = Incident["type"];

export type Schedule = {
  readonly seed: number;
  readonly operators: number;
  /** False: all of them lead at once, which no lease would allow. */
  readonly elected: boolean;
  /** Of each job. */
  readonly maxSeconds: number;
  readonly episodes: readonly Episode[];
  readonly incidents: readonly Incident[];
};

/** One in which nothing goes wrong. */
export const CALM = {
  seed: 1,
  operators: 1,
  elected: true,
  maxSeconds: 3600,
  episodes: [],
  incidents: [],
} as const;

/** After so many seconds nothing more goes wrong. */
export const CALM_AFTER = 400;

const INCIDENTS = [
  "operator killed",
  "operator killed",
  "operator killed",
  "operator stopped",
  "lease stolen",
  "lease deleted",
  "pod evicted",
  "courier killed",
  "pod deleted",
  "node cut off",
  "kubelet silent",
  "code stopped",
  "job suspended",
  "job deleted",
] as const satisfies readonly IncidentType[];

const OF_DEPLOYMENTS = [
  "job retrained",
  "deployment edited",
  "deployment edited",
  "deployment edited",
  "deployment deleted",
  "server lost",
] as const satisfies readonly IncidentType[];

export function scheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  const seams = Object.keys(FAULTS) as Seam[];
  const episodes = Array.from({ length: random.integer(0, 6) }, (): Episode => {
    const seam = random.pick(seams);
    const from = random.between(0, CALM_AFTER - 150);
    return {
      seam,
      fault: random.pick(FAULTS[seam]),
      from,
      until: from + random.between(1, 150),
      share: random.pick([0.1, 0.3, 0.6, 1]),
    };
  });
  const incidents = Array.from({ length: random.integer(0, 5) }, () => incidentOf(random));
  const elected = random.chance(0.85);
  const operators = elected ? random.integer(1, 2) : 2;
  const maxSeconds = random.pick([3600, 3600, 3600, 200]);
  const deployments = Array.from({ length: random.integer(0, 6) }, () => deploymentIncidentOf(random));
  return {
    seed,
    operators,
    elected,
    maxSeconds,
    episodes,
    incidents: [...incidents, ...deployments].sort((one, other) => one.at - other.at),
  };
}

function incidentOf(random: Random): Incident {
  const at = random.between(0, CALM_AFTER - 150);
  const type = random.pick(INCIDENTS);
  switch (type) {
    case "operator killed":
      return {
        at,
        type,
        calls: random.integer(0, 30),
        before: random.chance(0.5),
        again: random.between(0.5, 20),
      };
    case "operator stopped":
      return { at, type, seconds: random.pick([1, 5, 12, 20, 60]) };
    case "lease stolen":
    case "job suspended":
      return { at, type, seconds: random.between(5, 60) };
    case "lease deleted":
    case "job deleted":
      return { at, type };
    default:
      return { at, type, which: random.integer(0, 7), seconds: random.between(5, 120) };
  }
}

/** Jobs have to be ready for most of these, and so they come later too. */
function deploymentIncidentOf(random: Random): Incident {
  const at = random.between(0, CALM_AFTER - 20);
  const type = random.pick(OF_DEPLOYMENTS);
  switch (type) {
    case "deployment edited":
      return { at, type, edit: editOf(random) };
    case "deployment deleted":
      return { at, type, again: random.pick([0.1, 1, 5, 30]) };
    case "server lost":
      return { at, type, server: random.integer(0, 7) };
    default:
      return { at, type: "job retrained" };
  }
}

function editOf(random: Random): DeploymentEdit {
  return random.pick<DeploymentEdit>([
    { model: "first" },
    { model: "second" },
    { model: "first" },
    { followLatest: true },
    { followLatest: false },
    { replicas: random.integer(0, 3) },
    { maxReplicas: random.integer(1, 3) },
  ]);
}
