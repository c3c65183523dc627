import { describe, expect, it } from "vitest";
import { classify, hasEnded, hasStarted } from "./classify.ts";
import type { PodEvent, PodView } from "./pods.ts";

const NOW = Date.parse("2026-11-25T12:00:00Z");
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

function pod(status: object, more: Partial<PodView> = {}): PodView {
  return {
    namespace: "team",
    name: "job-1",
    owner: "team/job",
    execution: "job-1",
    phase: "Running",
    deleting: false,
    created: NOW - 30_000,
    status,
    ...more,
  };
}
const running = { running: { startedAt: ago(20) } };
const terminated = (exitCode: number, reason: string, message = "") => ({
  terminated: {
    exitCode,
    reason,
    message,
    startedAt: ago(20),
    finishedAt: ago(1),
    containerID: "containerd://1",
  },
});
const two = (courier: object, code: object) => [
  { name: "courier", state: courier, ready: true, restartCount: 0, image: "runner:1" },
  { name: "code", state: code, ready: true, restartCount: 0, image: "runner:1" },
];
const waiting = (reason: string, message = "") =>
  two({ waiting: { reason, message } }, { waiting: { reason: "ContainerCreating" } });
const said = (reason: string, message: string) => JSON.stringify({ reason, message });
const unscheduled = (since: number, message: string) => ({
  phase: "Pending",
  conditions: [
    {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastTransitionTime: ago(since),
    },
  ],
});
const disrupted = (reason: string, message = "") => ({
  phase: "Failed",
  conditions: [{ type: "DisruptionTarget", status: "True", reason, message, lastTransitionTime: ago(3) }],
});
const creating = { phase: "Pending", containerStatuses: waiting("ContainerCreating") };

type Row = {
  readonly of: string;
  readonly view: PodView;
  readonly events?: PodEvent[];
  readonly is: object | undefined;
};
const ROWS: Row[] = [
  { of: "a pod without a status", view: pod({}), is: undefined },
  {
    of: "one that runs",
    view: pod({ phase: "Running", containerStatuses: two(running, running) }),
    is: undefined,
  },
  {
    of: "code that failed, while its courier brings the news",
    view: pod({ phase: "Running", containerStatuses: two(running, terminated(1, "Error")) }),
    is: undefined,
  },
  {
    of: "a node under pressure",
    view: pod({
      phase: "Failed",
      reason: "Evicted",
      message: "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi.",
    }),
    is: { reason: "Evicted", message: /low on resource/, retry: "SameStep" },
  },
  {
    of: "an eviction by the API, as of a drained node",
    view: pod(disrupted("EvictionByEvictionAPI", "Eviction API: evicting")),
    is: { reason: "Evicted", retry: "SameStep" },
  },
  {
    of: "a workspace that grew beyond its size",
    view: pod({
      phase: "Failed",
      reason: "Evicted",
      message: 'Usage of EmptyDir volume "workspace" exceeds the limit "64Mi". ',
    }),
    is: { ended: "DiskFull" },
  },
  {
    of: "the courier's own disk that grew beyond its size",
    view: pod({
      phase: "Failed",
      reason: "Evicted",
      message: 'Usage of EmptyDir volume "spool" exceeds the limit "1Gi". ',
    }),
    is: { reason: "Evicted", retry: "SameStep" },
  },
  {
    of: "code that was ended for want of memory",
    view: pod({ phase: "Running", containerStatuses: two(running, terminated(137, "OOMKilled")) }),
    is: { ended: "OutOfMemory" },
  },
  {
    of: "the same, once its courier has given up",
    view: pod({
      phase: "Failed",
      containerStatuses: two(
        terminated(1, "Error", said("SandboxEnded", "it ended")),
        terminated(137, "OOMKilled"),
      ),
    }),
    is: { ended: "OutOfMemory" },
  },
  {
    of: "a courier that was ended for want of memory",
    view: pod({
      phase: "Failed",
      containerStatuses: two(terminated(137, "OOMKilled"), terminated(3, "Error")),
    }),
    is: { reason: "CourierOutOfMemory", retry: "SameStep" },
  },
  {
    of: "a verb of the runner that was ended for want of memory",
    view: pod({
      phase: "Failed",
      containerStatuses: [{ name: "runner", state: terminated(137, "OOMKilled") }],
    }),
    is: { reason: "RunnerOutOfMemory", retry: "SameStep" },
  },
  {
    of: "a courier that saw the code end, before it is known how",
    view: pod({
      phase: "Running",
      containerStatuses: two(terminated(1, "Error", said("SandboxEnded", "it ended")), running),
    }),
    is: undefined,
  },
  {
    of: "code whose supervisor went without a word",
    view: pod({
      phase: "Failed",
      containerStatuses: two(
        terminated(1, "Error", said("SandboxEnded", "it ended")),
        terminated(139, "Error"),
      ),
    }),
    is: { reason: "SandboxEnded", message: /139/, retry: "SameStep" },
  },
  {
    of: "a store that did not answer the courier",
    view: pod({
      phase: "Failed",
      containerStatuses: two(
        terminated(1, "Error", said("StoreUnavailable", "the store at s:9000")),
        terminated(4, "Error"),
      ),
    }),
    is: { reason: "StoreUnavailable", message: "the store at s:9000", retry: "SameStep" },
  },
  {
    of: "a package index that did not answer",
    view: pod({
      phase: "Failed",
      containerStatuses: [
        { name: "runner", state: terminated(1, "Error", said("IndexUnreachable", "no answer")) },
      ],
    }),
    is: { reason: "IndexUnreachable", message: "no answer", retry: "SameStep" },
  },
  {
    of: "a courier that ended well without an outcome",
    view: pod({
      phase: "Succeeded",
      containerStatuses: two(terminated(0, "Completed"), terminated(0, "Completed")),
    }),
    is: { reason: "OutcomeMissing", retry: "SameStep" },
  },
  {
    of: "a termination message that is none of ours",
    view: pod({ phase: "Failed", containerStatuses: two(terminated(1, "Error", "{not json"), running) }),
    is: { reason: "ContainerFailed", message: /exit code 1/, retry: "SameStep" },
  },
  {
    of: "a container that the runtime could not start",
    view: pod({
      phase: "Failed",
      containerStatuses: two(terminated(128, "StartError", "exec: no such file"), running),
    }),
    is: { reason: "ContainerNotStarted", message: /no such file/, retry: "SameStep" },
  },
  {
    of: "a pod that was active too long",
    view: pod({
      phase: "Failed",
      reason: "DeadlineExceeded",
      message: "Pod was active on the node longer than the specified deadline",
    }),
    is: { reason: "DeadlineExceeded", retry: "SameStep" },
  },
  {
    of: "a node that is not heard of",
    view: pod(
      { ...disrupted("DeletionByTaintManager", "Taint manager: deleting"), phase: "Running" },
      { deleting: true },
    ),
    is: { reason: "NodeLost", retry: "SameStep" },
  },
  {
    of: "a node that is gone",
    view: pod(disrupted("DeletionByPodGC", "PodGC: node no longer exists")),
    is: { reason: "NodeLost", retry: "SameStep" },
  },
  {
    of: "the NodeLost of old",
    view: pod({
      phase: "Unknown",
      reason: "NodeLost",
      message: "Node n which was running pod is unresponsive",
    }),
    is: { reason: "NodeLost", retry: "SameStep" },
  },
  {
    of: "a node that shuts down",
    view: pod({
      phase: "Failed",
      reason: "Terminated",
      message: "Pod was terminated in response to imminent node shutdown.",
    }),
    is: { reason: "NodeShutdown", retry: "SameStep" },
  },
  {
    of: "a pod of more weight",
    view: pod(disrupted("PreemptionByScheduler")),
    is: { reason: "Preempted", retry: "SameStep" },
  },
  {
    of: "a kubelet that would not have it",
    view: pod({
      phase: "Failed",
      reason: "OutOfcpu",
      message: "Pod was rejected: Node didn't have enough resource: cpu",
    }),
    is: { reason: "NodeRefused", message: /OutOfcpu/, retry: "SameStep" },
  },
  {
    of: "a pod that somebody deletes",
    view: pod({ phase: "Running", containerStatuses: two(running, running) }, { deleting: true }),
    is: { reason: "PodDeleted", retry: "SameStep" },
  },
  {
    of: "a pod that no node takes yet",
    view: pod(unscheduled(20, "0/1 nodes are available: 1 Insufficient cpu.")),
    is: undefined,
  },
  {
    of: "a pod that no node takes",
    view: pod(
      unscheduled(121, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."),
      {
        created: NOW - 121_000,
      },
    ),
    is: { reason: "Unschedulable", message: /node affinity.*spec\.sandbox\.resources/, retry: "Stall" },
  },
  {
    of: "a pod that waits for room on full nodes",
    view: pod(unscheduled(299, "0/1 nodes are available: 1 Insufficient cpu."), { created: NOW - 299_000 }),
    is: undefined,
  },
  {
    of: "a pod that has waited for room for long",
    view: pod(unscheduled(301, "0/1 nodes are available: 1 Insufficient cpu."), { created: NOW - 301_000 }),
    is: { reason: "Unschedulable", message: /Insufficient cpu/, retry: "Stall" },
  },
  {
    of: "a pod that has found a node at last",
    view: pod(creating, { created: NOW - 200_000 }),
    events: [{ reason: "FailedScheduling", message: "0/1 nodes are available: 1 Insufficient cpu." }],
    is: undefined,
  },
  {
    of: "an image that cannot be pulled",
    view: pod({
      phase: "Pending",
      containerStatuses: waiting("ImagePullBackOff", 'Back-off pulling image "runner:1"'),
    }),
    is: {
      reason: "ImagePullBackOff",
      message: /Back-off.*check the name of the runner image/,
      retry: "Stall",
    },
  },
  {
    of: "a pull that failed for the first time",
    view: pod({ phase: "Pending", containerStatuses: waiting("ErrImagePull") }, { created: NOW - 2_000 }),
    is: undefined,
  },
  {
    of: "a pull that goes on failing",
    view: pod({ phase: "Pending", containerStatuses: waiting("ErrImagePull", "not found") }),
    is: { reason: "ErrImagePull", retry: "Stall" },
  },
  {
    of: "an image that is not there and must not be pulled",
    view: pod({ phase: "Pending", containerStatuses: waiting("ErrImageNeverPull") }),
    is: { reason: "ErrImageNeverPull", retry: "Stall" },
  },
  {
    of: "an image whose name is none",
    view: pod({ phase: "Pending", containerStatuses: waiting("InvalidImageName") }),
    is: { reason: "InvalidImageName", retry: "Stall" },
  },
  {
    of: "a container that cannot be configured",
    view: pod({
      phase: "Pending",
      containerStatuses: waiting("CreateContainerConfigError", "failed to create subPath"),
    }),
    is: { reason: "CreateContainerConfigError", message: /subPath/, retry: "Stall" },
  },
  { of: "a pod whose volumes take their time", view: pod(creating), is: undefined },
  {
    of: "a volume that cannot be mounted",
    view: pod(creating, { created: NOW - 61_000 }),
    events: [{ reason: "FailedMount", message: "MountVolume.SetUp failed: no such claim" }],
    is: { reason: "FailedMount", message: /no such claim/, retry: "Stall" },
  },
  {
    of: "a runtime that the node does not have",
    view: pod(creating, { created: NOW - 61_000 }),
    events: [
      {
        reason: "FailedCreatePodSandBox",
        message: 'failed to get sandbox runtime: no runtime for "gvisor" is configured',
      },
    ],
    is: { reason: "RuntimeClassNotFound", message: /gvisor.*runtimeClassName/, retry: "Stall" },
  },
  {
    of: "an old event of a pod that runs",
    view: pod({ phase: "Running", containerStatuses: two(running, running) }, { created: NOW - 61_000 }),
    events: [{ reason: "FailedMount", message: "passing" }],
    is: undefined,
  },
];

describe("classify", () => {
  it.each(ROWS)("$of", ({ view, events = [], is }) => {
    const verdict = classify(view, events, NOW);
    if (is === undefined) expect(verdict).toBeUndefined();
    else expect(verdict).toMatchObject(is);
  });

  it("takes a status of no known form for one that says nothing", () => {
    expect(classify(pod({ containerStatuses: "no" }), [], NOW)).toBeUndefined();
  });
});

describe("what a status says of start and end", () => {
  it("counts the courier's end, and not the code's", () => {
    const view = (courier: object, code: object) =>
      pod({ phase: "Running", containerStatuses: two(courier, code) });
    expect(hasEnded(view(running, terminated(0, "Completed")))).toBe(false);
    expect(hasEnded(view(terminated(0, "Completed"), running))).toBe(true);
    expect(hasStarted(view(running, { waiting: {} }))).toBe(true);
    expect(hasStarted(pod(creating))).toBe(false);
  });
});
