import { expect, test } from "vitest";
import { ApiError, type ApiServer } from "./api-server.ts";
import { EventRecorder } from "./events.ts";

const JOB = {
  apiVersion: "autoai.dev/v1alpha1",
  kind: "TrainingJob",
  metadata: { name: "churn", namespace: "team", uid: "u1" },
};

/** Events as the API server keeps them. */
function recorder() {
  const clock = { at: Date.UTC(2026, 0, 1) };
  const events = new Map<string, Record<string, unknown>>();
  let requests = 0;
  const api = {
    async request(verb: string, path: string, { body }: { body?: unknown } = {}) {
      requests++;
      const name = path.split("/")[6] ?? (body as { metadata: { name: string } }).metadata.name;
      const present = events.get(name);
      if (verb === "POST" && present) throw new ApiError(409, "AlreadyExists", "it is there");
      if (verb !== "POST" && !present) throw new ApiError(404, "NotFound", "it is not there");
      if (verb !== "GET") events.set(name, { ...present, ...(body as object) });
      return events.get(name);
    },
  } as unknown as ApiServer;
  const make = () => new EventRecorder({ api, component: "autoai", instance: "one", now: () => clock.at });
  return { clock, events, requests: () => requests, make };
}

const counts = (events: Map<string, Record<string, unknown>>) =>
  [...events.values()].map(({ count }) => count);

test("what is said again raises a count, and at most once a minute", async () => {
  const { clock, events, requests, make } = recorder();
  const record = make();
  for (let second = 0; second < 300; second++) {
    await record.record(JOB, "Warning", "SecretNotFound", "there is none");
    clock.at += 1000;
  }
  expect(requests()).toBe(5);
  expect(counts(events)).toEqual([241]);
});

test("a reason with ever new messages becomes one event", async () => {
  const { clock, events, make } = recorder();
  const record = make();
  for (let index = 0; index < 500; index++) {
    await record.record(JOB, "Warning", "Evicted", `attempt ${index}`);
    clock.at += 1000;
  }
  expect(events.size).toBe(11);
});

test("the next operator goes on counting where this one stopped", async () => {
  const { clock, events, make } = recorder();
  await make().record(JOB, "Warning", "Evicted", "drained");
  clock.at += 120_000;
  await make().record(JOB, "Warning", "Evicted", "drained");
  expect(counts(events)).toEqual([2]);
});

test("an event that the API server has forgotten is made again", async () => {
  const { clock, events, make } = recorder();
  const record = make();
  await record.record(JOB, "Warning", "Evicted", "drained");
  events.clear();
  for (let again = 0; again < 2; again++) {
    clock.at += 120_000;
    await record.record(JOB, "Warning", "Evicted", "drained");
  }
  expect(counts(events)).toEqual([1]);
});
