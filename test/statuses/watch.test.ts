import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import { conditions, type Situation, summary } from "../../operator/reconcilers/conditions.ts";
import { KubernetesApi } from "../fakes/kubernetes-api.ts";
import { type StatusWatch, watchStatuses } from "./watch.ts";

const DATASETS = "/apis/autoai.dev/v1alpha1/datasets";
const READY: Situation = { type: "Ready", reason: "Ready", message: "" };
const WORKING: Situation = { type: "InProgress", reason: "Prepare", message: "" };

let api: KubernetesApi;
let watch: StatusWatch;
beforeEach(async () => {
  api = await KubernetesApi.start();
  watch = watchStatuses(new ApiServer(api.config()));
  await vi.waitFor(() => expect(api.watches).toBe(3));
  api.put(DATASETS, {
    metadata: { name: "rows", namespace: "ns" },
    spec: { source: { upload: true } },
  });
});
afterEach(async () => {
  await watch.stop();
  await api.close();
});

/** As a reconcile writes it, after what stands there. */
const status = (situation: Situation, second: number) => ({
  observedGeneration: 1,
  conditions: conditions(
    api.get(DATASETS, "ns", "rows").status?.conditions,
    summary(situation),
    1,
    `2026-01-01T00:00:0${second}Z`,
  ),
});
const write = (written: object) => api.setStatus(DATASETS, "ns", "rows", written);
const seen = (count: number) => vi.waitFor(() => expect(watch.seen).toBe(count));

test("statuses that go from one to the next as they may are no faults", async () => {
  write(status(WORKING, 0));
  write(status(READY, 1));
  await seen(2);
  expect(watch.faults).toEqual([]);
});

test("a status that no reader understands is told, though the next one is valid", async () => {
  const { conditions: all, ...rest } = status(WORKING, 0);
  write({
    ...rest,
    conditions: all.map((one) => (one.type === "Stalled" ? { ...one, status: "True" } : one)),
  });
  write(status(READY, 1));
  await seen(2);
  expect(watch.faults).toEqual([
    expect.stringMatching(
      /^Dataset ns\/rows, version \d+: Ready, Reconciling, Stalled are Unknown True True$/,
    ),
  ]);
});

test("a time of transition that moved without a transition is told", async () => {
  write(status(READY, 0));
  const [ready, ...others] = status(READY, 0).conditions;
  write({
    observedGeneration: 1,
    conditions: [{ ...ready, lastTransitionTime: "2026-01-01T00:00:01Z" }, ...others],
  });
  await seen(2);
  expect(watch.faults).toEqual([expect.stringContaining("Ready moved its lastTransitionTime")]);
});

test("of a server that restarts no version is missed; where it has forgotten some, they are not guessed at", async () => {
  write(status(READY, 0));
  await seen(1);
  api.endWatches();
  write(status(WORKING, 1));
  write(status(READY, 2));
  await seen(3);
  api.endWatches();
  write(status(WORKING, 3));
  write(status(READY, 4));
  api.compact();
  await seen(4);
  write({ observedGeneration: 1 });
  await seen(5);
  expect(watch.faults).toEqual([expect.stringContaining("Ready, Reconciling, Stalled are - - -")]);
});

test("a status that is first seen with the spec after its own is read by its own", async () => {
  write(status(READY, 0));
  await seen(1);
  api.endWatches();
  write(status(WORKING, 1));
  api.put(DATASETS, {
    ...api.get(DATASETS, "ns", "rows"),
    spec: { source: { uri: "https://example.org/rows.csv" } },
  });
  api.compact();
  await seen(2);
  expect(watch.faults).toEqual([]);
  // Which excuses nothing else.
  write({ observedGeneration: 1 });
  await seen(3);
  expect(watch.faults).toEqual([expect.stringContaining("Ready, Reconciling, Stalled are - - -")]);
});
