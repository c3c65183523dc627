/** Which resource is taken for one of a backup, and which is not. */
import { describe, expect, test } from "vitest";
import { ORIGIN, originOf } from "../api/origin.ts";
import { TrainingJob } from "../api/trainingjob.ts";
import { MemoryCluster } from "../cluster/memory.ts";
import { encode, jobPrefix } from "../evaluation/context.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { adopt } from "./adopt.ts";
import { FINALIZER } from "./cleanup.ts";

const OLD = "11111111-2222-4333-8444-555555555555";
const PREFIX = "jobs/team/churn-11111111";

function world() {
  const cluster = new MemoryCluster();
  const store = new MemoryStore();
  const apply = (annotations: Record<string, string>, spec: object = {}) =>
    cluster.apply(
      TrainingJob.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name: "churn", namespace: "team", annotations },
        spec: { dataset: { uri: "s3://bucket/rows.csv" }, target: "churn", ...spec },
      }),
    );
  const adopted = (job: TrainingJob) => adopt({ cluster, store }, job, jobPrefix);
  return { cluster, store, apply, adopted };
}

describe("a job", () => {
  test("that is new is marked with its own uid, which is not done twice", async () => {
    const { apply, adopted, store } = world();
    const job = await adopted(apply({ "example.org/team": "red" }));
    expect(job?.metadata.annotations).toEqual({ "example.org/team": "red", [ORIGIN]: job?.metadata.uid });
    expect(job?.metadata.finalizers).toEqual([FINALIZER]);
    expect(await store.list("jobs/")).toEqual([`${job && jobPrefix(job)}/spec.json`]);
    expect(await adopted(job as TrainingJob)).toBe(job);
  });

  test("of a backup is the one that the store has under its old uid, whatever of it may change has changed", async () => {
    const { apply, adopted, store } = world();
    // As a version wrote it that knew fewer fields.
    await store.put(
      `${PREFIX}/spec.json`,
      encode({ dataset: { uri: "s3://bucket/rows.csv" }, target: "churn" }),
    );
    const job = await adopted(apply({ [ORIGIN]: OLD }, { suspend: true, deploy: {} }));
    expect(job && jobPrefix(job)).toBe(PREFIX);
    expect(job?.metadata).toMatchObject({ finalizers: [FINALIZER], annotations: { [ORIGIN]: OLD } });
  });

  test.each([
    ["the store has nothing under that uid", OLD, undefined],
    ["the spec there is another", OLD, { dataset: { uri: "s3://bucket/rows.csv" }, target: "age" }],
  ])("begins anew where %s", async (_, origin, kept) => {
    const { apply, adopted, store, cluster } = world();
    if (kept) await store.put(`${PREFIX}/spec.json`, encode(kept));
    const job = await adopted(apply({ [ORIGIN]: origin }));
    expect(job?.metadata.annotations?.[ORIGIN]).toBe(job?.metadata.uid);
    expect(job && jobPrefix(job)).not.toBe(PREFIX);
    expect(cluster.events.map(({ reason }) => reason)).toEqual(["OriginUnknown"]);
  });

  test.each(["../../models", "11111111", "11111111-2222-4333-8444-55555555555/", ""])(
    "is not led out of its place in the store by an origin that is no uid: %j",
    async (origin) => {
      const { apply, adopted } = world();
      const job = apply({ [ORIGIN]: origin });
      expect(originOf(job)).toBe(job.metadata.uid);
      expect((await adopted(job))?.metadata.annotations?.[ORIGIN]).toBe(job.metadata.uid);
    },
  );
});
