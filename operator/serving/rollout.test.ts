import { describe, expect, test } from "vitest";
import type { LiveDeployment, ServingPod } from "./children.ts";
import { rolloutOf } from "./rollout.ts";

const NOW = Date.UTC(2026, 0, 1);
const NEW = "b".repeat(64);
const OLD = "a".repeat(64);

function live(status: object, replicas = 2): LiveDeployment {
  return {
    metadata: { name: "churn", generation: 3 },
    spec: { replicas },
    status: { observedGeneration: 3, ...status },
  };
}

function pod(digest: string, status: object = {}, more: Partial<ServingPod> = {}): ServingPod {
  return {
    name: `churn-${digest.slice(0, 3)}`,
    deployment: "churn",
    digest,
    trainingJob: "churn",
    deleting: false,
    created: NOW - 30_000,
    status,
    ...more,
  };
}

const READY = { conditions: [{ type: "Ready", status: "True" }] };
const DONE = { replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 };
const container = (name: string, state: object, lastState = {}) => ({ name, state, lastState });
const ended = (exitCode: number, more: object = {}) => ({ terminated: { exitCode, ...more } });

describe("a roll-out", () => {
  test("is complete once every server wanted answers with the new model, and no other is left", () => {
    const pods = [pod(NEW, READY), pod(NEW, READY)];
    expect(rolloutOf(live(DONE), pods, NEW, NOW)).toMatchObject({
      complete: true,
      ready: 2,
      servedDigest: NEW,
    });
    for (const status of [
      { ...DONE, replicas: 3 },
      { ...DONE, updatedReplicas: 1 },
      { ...DONE, availableReplicas: 1 },
      { ...DONE, observedGeneration: 2 },
      {},
    ])
      expect(rolloutOf(live(status), pods, NEW, NOW).complete).toBe(false);
  });

  test("serves the old model as long as one server of it does", () => {
    const pods = [pod(NEW, READY), pod(OLD, READY)];
    expect(rolloutOf(live({ ...DONE, updatedReplicas: 1 }), pods, NEW, NOW)).toMatchObject({
      complete: false,
      updated: 1,
      servedDigest: OLD,
    });
  });

  test("to no servers is complete, and serves nothing", () => {
    expect(rolloutOf(live({}, 0), [], NEW, NOW)).toMatchObject({ complete: true, servedDigest: undefined });
  });
});

describe("what keeps it", () => {
  const failure = (status: object, more: Partial<ServingPod> = {}) =>
    rolloutOf(live({}), [pod(OLD, READY), pod(NEW, status, more)], NEW, NOW).failure;
  const said = (reason: string) => ({ message: JSON.stringify({ reason, message: "so it is" }) });

  test("a file that is not the published one stalls it, by the word of the container that found it", () => {
    const status = {
      initContainerStatuses: [
        container("fetch", { waiting: { reason: "CrashLoopBackOff" } }, ended(1, said("DigestMismatch"))),
      ],
    };
    expect(failure(status)).toEqual({ reason: "DigestMismatch", message: "so it is", stalls: true });
  });

  test("a store that does not answer is tried again", () => {
    const status = { initContainerStatuses: [container("fetch", ended(1, said("StoreUnavailable")))] };
    expect(failure(status)).toMatchObject({ reason: "StoreUnavailable", stalls: false });
  });

  test("a model that was killed is named, and not the front that missed it", () => {
    const status = {
      containerStatuses: [
        container("front", ended(2, said("ModelRefused"))),
        container("model", { running: {} }, ended(137, { reason: "OOMKilled" })),
      ],
    };
    expect(failure(status)).toMatchObject({ reason: "OutOfMemory", stalls: true });
  });

  test("a front that refuses the model says why", () => {
    const status = { containerStatuses: [container("front", ended(2, said("ModelRefused")))] };
    expect(failure(status)).toMatchObject({ reason: "ModelRefused", stalls: true });
  });

  test.each([
    ["ImagePullBackOff", NOW, true],
    ["ErrImagePull", NOW, false],
    ["ErrImagePull", NOW - 60_000, true],
    ["ContainerCreating", NOW - 60_000, false],
  ])("a container that waits for %s", (reason, created, stalls) => {
    const status = { containerStatuses: [container("front", { waiting: { reason } })] };
    expect(failure(status, { created })?.stalls ?? false).toBe(stalls);
  });

  test("a pod that finds no node stalls it after a while", () => {
    const status = (seconds: number) => ({
      conditions: [
        {
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message: "0/1 nodes are available",
          lastTransitionTime: new Date(NOW - seconds * 1000).toISOString(),
        },
      ],
    });
    expect(failure(status(10))).toMatchObject({ reason: "Unschedulable", stalls: false });
    expect(failure(status(100))).toMatchObject({ reason: "Unschedulable", stalls: true });
  });

  test("pods that may not be made, and a roll without progress, stall it", () => {
    const conditions = (type: string, status: string) => [
      { type, status, reason: "FailedCreate", message: "quota" },
    ];
    const of = (deployment: LiveDeployment) => rolloutOf(deployment, [], NEW, NOW).failure;
    expect(of(live({ conditions: conditions("ReplicaFailure", "True") }))).toMatchObject({
      reason: "FailedCreate",
      message: "quota",
    });
    const stuck = { conditions: conditions("Progressing", "False") };
    expect(of(live(stuck))?.reason).toBe("ProgressDeadlineExceeded");
    // Not by what is left of the one before.
    expect(of(live({ ...stuck, observedGeneration: 2 }))).toBeUndefined();
  });

  test("what a container says has no control characters, and an end", () => {
    const message = JSON.stringify({ reason: "ModelRefused", message: `\u001b[31m${"x".repeat(5000)}` });
    const found = failure({ containerStatuses: [container("front", ended(2, { message }))] });
    expect(found?.message).toMatch(/^ \[31mx+$/);
    expect(found?.message.length).toBeLessThan(1000);
  });

  test("a status that nobody understands is no failure", () => {
    expect(failure({ containerStatuses: "none" })).toBeUndefined();
    expect(
      failure({ containerStatuses: [container("front", ended(1, { message: "{no json" }))] }),
    ).toMatchObject({
      reason: "ContainerFailed",
      stalls: false,
    });
  });
});
