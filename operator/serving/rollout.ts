/** How far a roll-out is, and what keeps it: read off the Deployment and its pods, pure. */
import { z } from "zod";
import { type ContainerStatus, podStatus, WAITING } from "../api/pod-status.ts";
import type { LiveDeployment, ServingPod } from "./children.ts";
import { CONTAINERS } from "./names.ts";

export type Failure = {
  readonly reason: string;
  readonly message: string;
  /** Whether nothing helps until somebody mends something. */
  readonly stalls: boolean;
};

export type Rollout = {
  /** All servers that are wanted are there, ready, and serve the wanted model; no other is left. */
  readonly complete: boolean;
  readonly wanted: number;
  /** Servers that are ready, of whatever model. */
  readonly ready: number;
  /** Servers of the wanted model that are ready. */
  readonly updated: number;
  /** What answers; undefined where nothing does. */
  readonly servedDigest: string | undefined;
  readonly failure: Failure | undefined;
};

/** Milliseconds that a pod may look for a node: others may be about to end. */
const UNSCHEDULABLE_MS = 60_000;
const MESSAGE_CHARACTERS = 700;

/** What our own containers leave as their termination message. */
const Said = z.object({ reason: z.string().regex(/^[A-Za-z]{1,64}$/), message: z.string() });

/** @param live the Deployment as it stood after it was applied */
export function rolloutOf(
  live: LiveDeployment,
  pods: readonly ServingPod[],
  digest: string,
  now: number,
): Rollout {
  const { status = {}, metadata } = live;
  const wanted = live.spec?.replicas ?? 1;
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, readyReplicas = 0 } = status;
  const isSeen = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const complete =
    isSeen && updatedReplicas === wanted && replicas === wanted && availableReplicas === wanted;
  const serving = pods.filter((pod) => !pod.deleting && isReady(pod));
  const updated = serving.filter((pod) => pod.digest === digest).length;
  const old = serving.find((pod) => pod.digest !== digest)?.digest;
  return {
    complete,
    wanted,
    ready: readyReplicas,
    updated,
    servedDigest: complete && wanted > 0 ? digest : (old ?? (updated > 0 ? digest : undefined)),
    failure: complete ? undefined : failureOf(live, pods, digest, now),
  };
}

export function isReady({ status }: ServingPod): boolean {
  return Boolean(
    podStatus(status).conditions?.some(
      (condition) => condition.type === "Ready" && condition.status === "True",
    ),
  );
}

function failureOf(
  live: LiveDeployment,
  pods: readonly ServingPod[],
  digest: string,
  now: number,
): Failure | undefined {
  const failures = pods
    .filter((pod) => pod.digest === digest && !pod.deleting && !isReady(pod))
    .flatMap((pod) => ofPod(pod, now) ?? []);
  const found = failures.find(({ stalls }) => stalls) ?? failures[0];
  if (found) return found;
  const { conditions = [], observedGeneration = 0 } = live.status ?? {};
  // Of the roll before, until the new one was seen.
  if (observedGeneration < (live.metadata.generation ?? 0)) return undefined;
  const refused = conditions.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  if (refused) return stall(refused.reason ?? "FailedCreate", refused.message ?? "its pods cannot be made");
  const progress = conditions.find(({ type }) => type === "Progressing");
  return progress?.status === "False"
    ? stall("ProgressDeadlineExceeded", progress.message ?? "no server became ready in time")
    : undefined;
}

function ofPod(pod: ServingPod, now: number): Failure | undefined {
  const { reason, message, initContainerStatuses, containerStatuses, conditions } = podStatus(pod.status);
  const containers = [...(initContainerStatuses ?? []), ...(containerStatuses ?? [])];
  // What the front says is the effect of what befell the model, where that was killed.
  const inOrder = [CONTAINERS.fetch, CONTAINERS.model, CONTAINERS.front].flatMap((name) =>
    containers.filter((one) => one.name === name),
  );
  for (const container of inOrder) {
    const failure = ofContainer(container, now - pod.created);
    if (failure) return failure;
  }
  if (reason === "Evicted") return retried("Evicted", message ?? "the node evicted it");
  const scheduled = conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False") {
    const since = scheduled.lastTransitionTime?.getTime() ?? pod.created;
    const why = `no node takes the pod: ${scheduled.message ?? "the scheduler gave no reason"}; add room, or ask for less in spec.resources`;
    return now - since < UNSCHEDULABLE_MS ? retried("Unschedulable", why) : stall("Unschedulable", why);
  }
  return undefined;
}

function ofContainer({ name, state, lastState }: ContainerStatus, age: number): Failure | undefined {
  const { reason = "", message = "" } = state?.waiting ?? {};
  const patience = WAITING[reason];
  if (patience !== undefined && age >= patience) return stall(reason, message || reason);
  const end = state?.terminated ?? lastState?.terminated;
  if (end === undefined || end.exitCode === 0) return undefined;
  if (end.reason === "OOMKilled") {
    const what = name === CONTAINERS.model ? "the model" : `container ${name}`;
    return stall("OutOfMemory", `${what} used more memory than it may: give more in spec.resources.memory`);
  }
  const said = saidBy(end.message);
  if (said)
    return PASSING.has(said.reason) ? retried(said.reason, said.message) : stall(said.reason, said.message);
  return retried(
    "ContainerFailed",
    `container ${name} ended with exit code ${end.exitCode} (${end.reason ?? "no reason"}): ${(end.message ?? "").slice(-300)}`,
  );
}

/** Words of our containers for what may be better at the next try, which the kubelet makes by itself. */
const PASSING: ReadonlySet<string> = new Set(["StoreUnavailable", "FetchFailed", "ServerFailed"]);

function saidBy(message: string | undefined): z.infer<typeof Said> | undefined {
  // The last line: what came before it in a log may be anything.
  const line = message?.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) return undefined;
  try {
    return Said.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function stall(reason: string, message: string): Failure {
  return { reason, message: plain(message), stalls: true };
}

function retried(reason: string, message: string): Failure {
  return { reason, message: plain(message), stalls: false };
}

/** It may quote a model, or what a stranger put into the store: no control character of it reaches a terminal. */
function plain(message: string): string {
  return message.replaceAll(/\p{C}+/gu, " ").slice(0, MESSAGE_CHARACTERS);
}
