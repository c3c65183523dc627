/** Objects and store are brought into an empty cluster with an empty store: jobs go on, and models are served. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Journal } from "../../operator/agent/journal.ts";
import { ORIGIN } from "../../operator/api/origin.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { journalPrefix } from "../../operator/evaluation/context.ts";
import { archiveKey, environmentsPrefix } from "../../operator/sandbox/environment-keys.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import { mirror, saved } from "../builders/backup.ts";
import type { Json } from "../fakes/kubernetes-api.ts";
import { findMinio, type Minio, startMinio } from "../minio.ts";
import { World } from "./operators.ts";

const program = findMinio();
const GROUP = "/apis/autoai.dev/v1alpha1";
const [JOBS, DEPLOYMENTS, DATASETS] = ["trainingjobs", "modeldeployments", "datasets"].map(
  (plural) => `${GROUP}/${plural}`,
) as [string, string, string];
const SERVERS = "/apis/apps/v1/deployments";
const NS = "team";
const SERVING = { AUTOAI_INFERENCE_SERVER_IMAGE: "front" };
const PATIENT = { timeout: 60_000, interval: 20 };

describe.runIf(program !== undefined)("a backup brought into an empty cluster", () => {
  let [here, there]: Minio[] = [];
  let before: World;
  let after: World;
  let worlds = 0;
  const storeOf = (minio: Minio | undefined, world: string) =>
    new S3Store({ ...(minio as Minio).options, bucket: world });

  beforeAll(async () => {
    [here, there] = await Promise.all([startMinio(String(program)), startMinio(String(program))]);
  });
  afterAll(() => Promise.all([here?.close(), there?.close()]));
  beforeEach(async () => {
    const bucket = `backup-${++worlds}`;
    before = await World.start(here as Minio, bucket, randomUUID);
    after = await World.start(there as Minio, bucket, randomUUID);
    await storeOf(there, bucket).ensureBucket();
  });
  afterEach(() => Promise.all([before[Symbol.asyncDispose](), after[Symbol.asyncDispose]()]));

  const bucket = () => `backup-${worlds}`;
  const apply = (name: string, spec: object = {}) =>
    before.api.put(
      JOBS,
      TrainingJob.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name, namespace: NS },
        spec: { dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } }, target: "churn", ...spec },
      }),
    );
  const reached = (world: World, collection: string, name: string, holds: (object: Json) => boolean) =>
    vi.waitFor(() => {
      const object = world.api.get(collection, NS, name);
      if (!object || !holds(object))
        throw new Error(`${name} is not there yet: ${JSON.stringify(object?.status)}`);
      return object;
    }, PATIENT);
  const isReady = ({ status }: Json) => status?.state === "READY";

  /** Ends the first operator and brings everything over; each object is changed by `edit` first. */
  async function restore(edit: (object: Json) => Json = (object) => object): Promise<void> {
    await mirror(storeOf(here, bucket()), storeOf(there, bucket()));
    for (const collection of [DATASETS, JOBS, DEPLOYMENTS])
      for (const object of saved(before.api.list(collection))) after.api.put(collection, edit(object));
    await after.operator({ elected: false, env: SERVING });
  }

  const entriesOf = async (minio: Minio | undefined, job: Json) =>
    (await Journal.load(storeOf(minio, bucket()), journalPrefix(job), { now: Date.now }, 0)).entries;

  it("goes on with a job in flight: no step is run and no reply asked for again", async () => {
    const operator = await before.operator({ elected: false });
    before.onAsked = (turn) => {
      if (turn === 3) operator.kill();
    };
    const job = apply("churn");
    await vi.waitFor(() => expect(operator.isGone()).toBe(true), PATIENT);
    const written = await entriesOf(here, job);
    const pods = [...before.pods];
    await restore();
    const restored = await reached(after, JOBS, "churn", isReady);
    expect(restored.metadata.uid).not.toBe(job.metadata.uid);
    expect(restored.metadata.annotations[ORIGIN]).toBe(job.metadata.uid);
    const entries = await entriesOf(there, restored);
    expect(entries.slice(0, written.length)).toEqual(written);
    expect(after.pods.filter((name) => pods.includes(name))).toEqual([]);
    const replies = entries.filter(({ type }) => type === "ReplyReceived").length;
    expect(after.gemini.requests).toHaveLength(
      replies - written.filter(({ type }) => type === "ReplyReceived").length,
    );
    expect(restored.status.startTime).toBe(written[0]?.at);
  });

  it("has the status of a job that was over as it was, runs nothing, and serves its model", async () => {
    await before.operator({ elected: false, env: SERVING });
    apply("churn", { deploy: { replicas: 2 } });
    const ready = await reached(before, JOBS, "churn", isReady);
    const [environment] = (await storeOf(here, bucket()).list(environmentsPrefix(NS))).map(
      (key) => key.split("/")[2],
    );
    await storeOf(here, bucket()).put(archiveKey(NS, String(environment), "f".repeat(64)), new Uint8Array(1));
    const server = await reached(before, SERVERS, "churn", () => true);
    // Scaled by somebody since.
    const deployment = before.api.get(DEPLOYMENTS, NS, "churn");
    before.api.put(DEPLOYMENTS, { ...deployment, spec: { ...deployment.spec, replicas: 3 } });
    await restore();
    const restored = await reached(after, JOBS, "churn", isReady);
    const timeless = ({ conditions, observedGeneration: _, startTime: __, ...status }: Json) => ({
      ...status,
      conditions: conditions.map(({ lastTransitionTime: _, observedGeneration: __, ...one }: Json) => one),
    });
    expect(timeless(restored.status)).toEqual(timeless(ready.status));
    const servedAgain = await reached(after, SERVERS, "churn", () => true);
    expect(servedAgain.metadata.annotations["autoai.dev/model-digest"]).toBe(ready.status.model.digest);
    expect(servedAgain.metadata.annotations).toEqual(server.metadata.annotations);
    const owned = await reached(
      after,
      DEPLOYMENTS,
      "churn",
      ({ metadata }) => metadata.ownerReferences?.length,
    );
    expect(owned.metadata.ownerReferences).toEqual([
      expect.objectContaining({ kind: "TrainingJob", uid: restored.metadata.uid }),
    ]);
    expect(owned.spec.replicas).toBe(3);
    expect(after.pods).toEqual([]);
    expect(after.gemini.requests).toEqual([]);
  });

  it("begins a job anew whose spec was changed in between, and says so", async () => {
    await before.operator({ elected: false });
    apply("churn");
    const ready = await reached(before, JOBS, "churn", isReady);
    await restore((object) => ({ ...object, spec: { ...object.spec, goal: "another" } }));
    const restored = await reached(after, JOBS, "churn", isReady);
    expect(restored.metadata.annotations[ORIGIN]).toBe(restored.metadata.uid);
    expect(restored.status.journalUri).not.toBe(ready.status.journalUri);
    expect(after.pods.length).toBeGreaterThan(0);
    const events = after.api.list("/api/v1/events").concat(after.api.list("/apis/events.k8s.io/v1/events"));
    expect(events.map(({ reason }) => reason)).toContain("OriginUnknown");
  });

  it("knows a Dataset again, without reading its source once more", async () => {
    await before.operator({ elected: false });
    before.api.put(DATASETS, {
      apiVersion: "autoai.dev/v1alpha1",
      kind: "Dataset",
      metadata: { name: "rows", namespace: NS },
      spec: { source: { configMapKeyRef: { name: "rows", key: "rows.csv" } }, format: {} },
    });
    const taken = ({ status }: Json) => status?.rows !== undefined;
    const first = await reached(before, DATASETS, "rows", taken);
    await restore();
    after.api.delete("/api/v1/configmaps", NS, "rows");
    const again = await reached(after, DATASETS, "rows", taken);
    expect(again.status.storageUri).toBe(first.status.storageUri);
    expect(again.status.sha256).toBe(first.status.sha256);
    expect(after.pods).toEqual([]);
  });
});
