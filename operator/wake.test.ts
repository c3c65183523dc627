import { describe, expect, test } from "vitest";
import { Dataset } from "./api/dataset.ts";
import { ModelDeployment } from "./api/modeldeployment.ts";
import { TrainingJob } from "./api/trainingjob.ts";
import type { KindName, Resource } from "./cluster/cluster.ts";
import { needsReconcile, wokenBy } from "./wake.ts";

const metadata = { namespace: "team", uid: "u", generation: 1 };
const job = (name: string, spec: object, status?: object): TrainingJob =>
  TrainingJob.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name, ...metadata },
    spec: { target: "y", dataset: { datasetRef: { name: "rows" } }, ...spec },
    ...(status ? { status } : {}),
  });
const condition = (status: string) => ({
  conditions: [
    { type: "Ready", status, reason: "R", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" },
  ],
});

describe("a change", () => {
  const change = (current: Resource | undefined, previous: Resource | undefined) => ({
    kind: "TrainingJob" as const,
    key: "team/a",
    current,
    previous,
  });
  const one = job("a", {});
  const but = (changed: object) => ({ ...one, metadata: { ...one.metadata, ...changed } });

  test.each([
    ["of a new resource", one, undefined],
    ["of one that is gone", undefined, one],
    ["of the spec", but({ generation: 2 }), one],
    ["by deletion", but({ deletionTimestamp: "2026-01-01T00:00:00Z" }), one],
    ["to another one of the name", but({ uid: "v" }), one],
  ])("%s is reconciled", (_what, current, previous) => {
    expect(needsReconcile(change(current, previous))).toBe(true);
  });

  test("of the status alone is the operator's own, and no news", () => {
    expect(needsReconcile(change(job("a", {}, condition("True")), one))).toBe(false);
  });
});

describe("a job that becomes READY", () => {
  const deployment = (name: string, spec: object): ModelDeployment =>
    ModelDeployment.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name, ...metadata },
      spec: { modelRef: { trainingJob: "churn" }, ...spec },
    });
  const deployments = [deployment("serves", {}), deployment("follows", { followLatest: true })];
  const lister = { list: (kind: KindName) => (kind === "ModelDeployment" ? deployments : []) as never };
  const woken = (name: string, spec: object = {}) =>
    wokenBy(
      {
        kind: "TrainingJob",
        key: `team/${name}`,
        current: job(name, spec, condition("True")),
        previous: job(name, spec, condition("Unknown")),
      },
      lister,
    ).map(({ key }) => key);

  test("wakes those that serve it, and where it was retrained those that follow", () => {
    expect(woken("churn")).toEqual(["team/serves", "team/follows"]);
    expect(woken("churn-2", { recipeFrom: "churn" })).toEqual(["team/follows"]);
    expect(woken("other")).toEqual([]);
  });

  test("is woken when the ModelDeployment of its name is gone, which it may want", () => {
    const change = { kind: "ModelDeployment" as const, key: "team/churn" };
    const [one] = deployments;
    expect(wokenBy({ ...change, current: undefined, previous: one }, lister)).toEqual([
      { kind: "TrainingJob", key: "team/churn" },
    ]);
  });
});

test("who waits for a data set is woken when it becomes ready, and nobody else", () => {
  const dataset = (status: object): Dataset =>
    Dataset.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "Dataset",
      metadata: { name: "rows", ...metadata },
      spec: { source: { upload: true } },
      status,
    });
  const jobs = [
    job("waits", {}),
    job("is-over", {}, { state: "READY" }),
    job("reads-another", { dataset: { datasetRef: { name: "other" } } }),
  ];
  const lister = { list: (kind: KindName) => (kind === "TrainingJob" ? jobs : []) as never };
  const [unknown, ready] = [dataset(condition("Unknown")), dataset(condition("True"))];
  const change = { kind: "Dataset" as const, key: "team/rows" };
  expect(wokenBy({ ...change, current: ready, previous: unknown }, lister)).toEqual([
    { kind: "TrainingJob", key: "team/waits" },
  ]);
  expect(wokenBy({ ...change, current: ready, previous: ready }, lister)).toEqual([]);
});
