/**
 * What a pod's status says went wrong, and whose fault it is.
 *
 * Reasons are Kubernetes' own words where it has one. SameStep: the pod is removed, and made anew when asked again.
 * Stall: no new pod would fare better until somebody mends something; this one is left, because it goes on by itself then.
 */
import { z } from "zod";
import { type ContainerStatus, type PodStatus, podStatus, WAITING } from "../../api/pod-status.ts";
import { CONTAINERS } from "./manifest.ts";
import type { PodEvent, PodView } from "./pods.ts";

export type Verdict =
  | { readonly reason: string; readonly message: string; readonly retry: "SameStep" | "Stall" }
  /** The code's own doing, which its supervisor did not live to tell. */
  | { readonly ended: "OutOfMemory" | "DiskFull"; readonly message: string };

/** Milliseconds that a pod may look for a node. */
export const UNSCHEDULABLE_MS = 120_000;
/** The same where nodes are full: others may be about to end. */
export const FULL_MS = 300_000;
/** Milliseconds that a container may take to be made: an image is pulled, a volume mounted. */
export const STARTING_MS = 60_000;

/** What a courier leaves as its termination message. */
const Said = z.object({ reason: z.string().min(1).max(64), message: z.string() });

/** undefined: nothing is wrong, or not yet. Events decide only while no container has started. */
export function classify(pod: PodView, events: readonly PodEvent[], now: number): Verdict | undefined {
  const status = podStatus(pod.status);
  return (
    ofPod(status) ??
    ofContainers(status) ??
    (pod.deleting ? again("PodDeleted", "the pod was deleted from outside") : undefined) ??
    ofStart(status, events, pod, now)
  );
}

/** Whether a container has ended: then the outcome is in the store, or never will be. */
export function hasEnded(pod: PodView): boolean {
  const status = podStatus(pod.status);
  return (
    messengerOf(status)?.state?.terminated !== undefined ||
    ["Succeeded", "Failed"].includes(status.phase ?? "")
  );
}

/** Whether any container runs or ran. */
export function hasStarted(pod: PodView): boolean {
  return (podStatus(pod.status).containerStatuses ?? []).some(
    ({ state }) => state?.running !== undefined || state?.terminated !== undefined,
  );
}

function ofPod(status: PodStatus): Verdict | undefined {
  const message = status.message ?? "";
  switch (status.reason) {
    case "Evicted":
      return /EmptyDir volume "(workspace|shared-memory)" exceeds the limit/i.test(message)
        ? { ended: "DiskFull", message }
        : again("Evicted", message || "the node evicted the pod");
    case "DeadlineExceeded":
      return again("DeadlineExceeded", message || "the pod was active for longer than its deadline");
    case "NodeLost":
      return again("NodeLost", message || "the node of the pod is not heard of");
    case "Shutdown":
    case "NodeShutdown":
    case "Terminated":
      return again("NodeShutdown", message || "the node of the pod is shutting down");
    case undefined:
    case "":
      break;
    default:
      // What the kubelet turns away at its door: OutOfcpu, OutOfmemory, NodeAffinity, UnexpectedAdmissionError, ...
      if (status.phase === "Failed") return again("NodeRefused", `${status.reason}: ${message}`);
  }
  const disrupted = status.conditions?.find(
    (condition) => condition.type === "DisruptionTarget" && condition.status === "True",
  );
  if (disrupted) {
    const reason = DISRUPTIONS[disrupted.reason ?? ""] ?? "Disrupted";
    return again(reason, disrupted.message ?? `the pod is taken off its node: ${disrupted.reason}`);
  }
  return undefined;
}

const DISRUPTIONS: Readonly<Record<string, string>> = {
  PreemptionByScheduler: "Preempted",
  DeletionByTaintManager: "NodeLost",
  DeletionByPodGC: "NodeLost",
  EvictionByEvictionAPI: "Evicted",
  TerminationByKubelet: "NodeShutdown",
};

/** The container that speaks for the pod: the courier, or the only one. */
function messengerOf(status: PodStatus): ContainerStatus | undefined {
  return status.containerStatuses?.find(({ name }) => name !== CONTAINERS.code);
}

function ofContainers(status: PodStatus): Verdict | undefined {
  const messenger = messengerOf(status);
  const code = status.containerStatuses?.find(({ name }) => name === CONTAINERS.code);
  const codeEnd = code?.state?.terminated;
  const end = messenger?.state?.terminated;
  if (codeEnd?.reason === "OOMKilled" && end?.exitCode !== 0)
    return { ended: "OutOfMemory", message: "the kernel ended the program for want of memory" };
  if (end === undefined) return undefined;
  if (end.reason === "OOMKilled") {
    return code === undefined
      ? again("RunnerOutOfMemory", "the runner's own code used more memory than its container may")
      : again("CourierOutOfMemory", "the courier used more memory than its container may");
  }
  const said = saidBy(end.message);
  // How the code ended decides, and may be known a moment later.
  if (
    said?.reason === "SandboxEnded" &&
    code !== undefined &&
    codeEnd === undefined &&
    status.phase !== "Failed"
  )
    return undefined;
  if (said !== undefined) {
    const how = said.reason === "SandboxEnded" && codeEnd ? ` (its exit code: ${codeEnd.exitCode})` : "";
    return again(said.reason, said.message + how);
  }
  if (end.exitCode === 0)
    return again("OutcomeMissing", "the courier ended well, and left no outcome in the store");
  if (["StartError", "ContainerCannotRun"].includes(end.reason ?? ""))
    return again(
      "ContainerNotStarted",
      `${end.reason}: ${end.message ?? "the container could not be started"}`,
    );
  const what = messenger?.name ?? "container";
  return again(
    "ContainerFailed",
    `${what} ended with exit code ${end.exitCode} (${end.reason ?? "no reason"})`,
  );
}

function saidBy(message: string | undefined): z.infer<typeof Said> | undefined {
  if (message === undefined || !message.startsWith("{")) return undefined;
  try {
    return Said.safeParse(JSON.parse(message)).data;
  } catch {
    return undefined;
  }
}

/** Why no container has started, where that takes too long, or cannot get better. */
function ofStart(
  status: PodStatus,
  events: readonly PodEvent[],
  pod: PodView,
  now: number,
): Verdict | undefined {
  const age = now - pod.created;
  for (const { state } of status.containerStatuses ?? []) {
    const { reason = "", message = "" } = state?.waiting ?? {};
    const patience = PATIENCE[reason];
    if (patience !== undefined && age >= patience)
      return stall(reason, `${message || reason}; ${remedyOf(reason)}`);
  }
  if (status.containerStatuses?.some(({ state }) => state?.running || state?.terminated)) return undefined;
  const scheduled = status.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False" && scheduled.reason === "Unschedulable") {
    const since = scheduled.lastTransitionTime?.getTime() ?? pod.created;
    const full = /Insufficient|Too many pods/.test(scheduled.message ?? "");
    if (now - since < (full ? FULL_MS : UNSCHEDULABLE_MS)) return undefined;
    return stall(
      "Unschedulable",
      `no node takes the pod: ${scheduled.message ?? "the scheduler gave no reason"}; add room, or ask for less in spec.sandbox.resources`,
    );
  }
  if (age < STARTING_MS) return undefined;
  const event = events.findLast(({ reason }) => STARTING_EVENTS.has(reason));
  if (event === undefined) return undefined;
  if (/runtime handler|no runtime for/i.test(event.message))
    return stall(
      "RuntimeClassNotFound",
      `${event.message}; install the runtime on the nodes, or change spec.sandbox.runtimeClassName`,
    );
  return stall(event.reason, event.message);
}

/** What these pods name was there when they were made: a configuration that cannot be had is no matter of time. */
const PATIENCE: Readonly<Record<string, number>> = { ...WAITING, CreateContainerConfigError: 5_000 };
const STARTING_EVENTS = new Set([
  "FailedMount",
  "FailedAttachVolume",
  "FailedCreatePodSandBox",
  "NetworkNotReady",
]);

function remedyOf(reason: string): string {
  if (/image|registry/i.test(reason)) return "check the name of the runner image, and that nodes may pull it";
  return "kubectl describe pod tells more";
}

function again(reason: string, message: string): Verdict {
  return { reason, message: message.slice(0, 2000), retry: "SameStep" };
}

function stall(reason: string, message: string): Verdict {
  return { reason, message: message.slice(0, 2000), retry: "Stall" };
}
