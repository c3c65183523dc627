/** A ModelDeployment from the wish to servers that answer, and back; on memory, with pods that the test speaks for. */
import { createHash } from "node:crypto";
import { describe, expect, test, vi } from "vitest";
import { modelManifest } from "../../test/builders/model-manifest.ts";
import { ModelDeployment } from "../api/modeldeployment.ts";
import { TrainingJob } from "../api/trainingjob.ts";
import { ConflictError } from "../cluster/cluster.ts";
import { MemoryCluster } from "../cluster/memory.ts";
import { OVERTAKEN } from "../engine/controller.ts";
import { archiveKey } from "../sandbox/environment-keys.ts";
import { CHILD_KINDS, RefusedChildError, type ServingPod } from "../serving/children.ts";
import { MemoryChildren } from "../serving/memory-children.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { FINALIZER, type Retention } from "./cleanup.ts";
import { conditions, summary } from "./conditions.ts";
import { reconcileModelDeployment } from "./modeldeployment.ts";
import { deployModel } from "./trainingjob/deploy.ts";

const META = { apiVersion: "autoai.dev/v1alpha1" } as const;
const NS = "team";
const ENVIRONMENT = "e".repeat(64);
const ARCHIVE = "a".repeat(64);
const HOUR = 3_600_000;

const sha256 = (body: string): string => createHash("sha256").update(body).digest("hex");

const manifest = (name: string, verified: number, environmentArchive?: string): string =>
  JSON.stringify(
    modelManifest({
      name,
      task: "BinaryClassification",
      target: "churn",
      classes: ["no", "yes"],
      metric: "RocAuc",
      features: [{ name: "age", type: "Integer", nullable: false, example: 1 }],
      scores: { verified },
      provenance: { job: { name }, environment: ENVIRONMENT, environmentArchive },
    }),
  );

type ReadyJob = {
  readonly verified?: number;
  readonly day?: number;
  readonly recipeFrom?: string;
  readonly environmentArchive?: string;
};

async function world(artifacts: Retention = "Retain") {
  const clock = { at: Date.UTC(2026, 0, 2), now: () => clock.at };
  const cluster = new MemoryCluster({ now: clock.now });
  const children = new MemoryChildren();
  const memory = new MemoryStore();
  let granted = 0;
  const store = Object.assign(memory, {
    grantGet: (key: string) => Promise.resolve(`http://store/${key}?grant=${++granted}`),
    grantPut: () => Promise.reject(new Error("nothing is to be put")),
    grantPost: () => Promise.reject(new Error("nothing is to be posted")),
  });
  await store.put(archiveKey(NS, ENVIRONMENT, "f".repeat(64)), new Uint8Array());
  const serving = {
    ...{ cluster, children, store, artifacts },
    settings: {
      frontImage: "front",
      runnerImage: "runner",
      pullPolicy: "IfNotPresent" as const,
      runnerPath: "/runner",
      store: { cidr: "192.0.2.1/32" },
      storePort: 9000,
    },
    environmentsClaim: (): Promise<string | undefined> => Promise.resolve(undefined),
    shipping: () => Promise.resolve("{}"),
    engineOf: () => Promise.resolve("Compiled" as const),
  };
  // The Secret is read where the operator applied it.
  cluster.secret = (namespace, name) => {
    const data = children.applied("Secret", namespace, name)?.data as Record<string, string> | undefined;
    return Promise.resolve(
      data &&
        Object.fromEntries(
          Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
        ),
    );
  };
  const operator = { cluster, clock, serving };
  const read = () => cluster.get("ModelDeployment", `${NS}/churn`);
  const grants = () => cluster.secret(NS, "churn-model-grants");

  /** A job that is READY, with its package in the store. */
  async function ready(
    name: string,
    { verified = 0.8, day = 1, recipeFrom = "", environmentArchive }: ReadyJob = {},
  ): Promise<string> {
    const body = manifest(name, verified, environmentArchive);
    const digest = sha256(body);
    await store.put(`models/${NS}/${name}/${digest}/model.json`, Buffer.from(body));
    const spec = { dataset: { uri: "s3://bucket/rows.csv" }, target: "churn" };
    const job = cluster.apply(
      TrainingJob.parse({
        ...META,
        kind: "TrainingJob",
        metadata: { name, namespace: NS },
        spec: { ...spec, ...(recipeFrom ? { recipeFrom } : {}) },
      }),
    );
    const { generation = 1 } = job.metadata;
    const at = `2026-01-0${day}T00:00:00Z`;
    const facts = summary({ type: "Ready", reason: "Published", message: "" });
    await cluster.updateStatus(job, {
      state: "READY",
      observedGeneration: generation,
      completionTime: at,
      conditions: conditions(undefined, facts, generation, at),
      model: { name, description: "", uri: "s3://bucket/model", digest, finalScore: "0.8" },
    });
    return digest;
  }

  const pod = (digest: string, trainingJob: string, status: object = READY): ServingPod => ({
    name: `churn-${digest.slice(0, 4)}`,
    deployment: "churn",
    digest,
    trainingJob,
    ip: "10.0.0.1",
    deleting: false,
    created: clock.at - 60_000,
    status,
  });

  return {
    ...{ operator, serving, cluster, children, store, clock, read, ready, pod, grants },
    apply: (spec: object = {}) =>
      cluster.apply(
        ModelDeployment.parse({
          ...META,
          kind: "ModelDeployment",
          metadata: { name: "churn", namespace: NS },
          spec: { modelRef: { trainingJob: "churn" }, ...spec },
        }),
      ),
    reconcile: () => reconcileModelDeployment(operator, `${NS}/churn`),
    /** Every server wanted answers with this model. */
    settle: (digest: string, trainingJob: string, replicas = 1) =>
      children.settle(
        NS,
        "churn",
        {
          replicas,
          updatedReplicas: replicas,
          readyReplicas: replicas,
          availableReplicas: replicas,
        },
        Array.from({ length: replicas }, () => pod(digest, trainingJob)),
      ),
    async condition() {
      const status = (await read())?.status;
      return status?.conditions?.find(({ type }) => type === "Ready");
    },
    digestWanted: () =>
      children.applied("Deployment", NS, "churn")?.metadata.annotations?.["autoai.dev/model-digest"],
  };
}

const READY = { conditions: [{ type: "Ready", status: "True" }] };
const REFUSED = {
  initContainerStatuses: [
    {
      name: "fetch",
      lastState: {
        terminated: {
          exitCode: 1,
          message: JSON.stringify({ reason: "DigestMismatch", message: "trained_model.joblib was changed" }),
        },
      },
    },
  ],
};

test("says at every moment what it waits for, and in the end where the model answers", async () => {
  const { apply, reconcile, condition, ready, settle, read, children } = await world();
  apply({ replicas: 2 });
  await reconcile();
  expect(await condition()).toMatchObject({ status: "False", reason: "TrainingJobNotFound" });
  expect(children.changes).toEqual([]);
  const digest = await ready("churn");
  await reconcile();
  expect(await condition()).toMatchObject({ status: "Unknown", reason: "RollingOut" });
  // Before the pods, which wait for it.
  expect(children.changes[0]).toBe("Secret/churn-model-grants");
  expect(children.changes).toEqual(
    expect.arrayContaining([
      "NetworkPolicy/churn-model",
      "Service/churn",
      "Deployment/churn",
      "PodDisruptionBudget/churn",
    ]),
  );
  settle(digest, "churn", 2);
  await reconcile();
  expect(await condition()).toMatchObject({ status: "True", reason: "Serving" });
  expect((await read())?.status).toMatchObject({
    url: "http://churn.team.svc",
    replicas: 2,
    modelDigest: digest,
    trainingJob: "churn",
    runtime: "Compiled",
  });
});

test("what stands is left as it is: nothing is applied twice, and grants are not made anew", async () => {
  const { apply, reconcile, ready, settle, children } = await world();
  apply();
  const digest = await ready("churn");
  await reconcile();
  settle(digest, "churn");
  const before = children.changes.length;
  for (let time = 0; time < 3; time++) await reconcile();
  expect(children.changes.length).toBe(before);
});

describe("grants", () => {
  test("are for the package and the environment of the model alone, and renewed before they end", async () => {
    const { apply, reconcile, ready, settle, clock, grants, children } = await world();
    apply();
    const digest = await ready("churn");
    await reconcile();
    const { files, environment } = JSON.parse((await grants())?.[`${digest}.json`] ?? "");
    expect(Object.keys(files)).toEqual(["model.json", "trained_model.joblib"]);
    for (const [path, url] of Object.entries<string>(files))
      expect(url).toContain(`/models/team/churn/${digest}/${path}?`);
    expect(environment).toContain(`/${archiveKey(NS, ENVIRONMENT, "f".repeat(64))}?`);
    settle(digest, "churn");
    const template = JSON.stringify(children.applied("Deployment", NS, "churn"));
    const before = (await grants())?.[`${digest}.json`];
    clock.at += 2 * HOUR;
    const { requeueAfterSeconds = 0 } = await reconcile();
    expect((await grants())?.[`${digest}.json`]).toBe(before);
    clock.at += HOUR + 1000;
    expect(requeueAfterSeconds).toBeLessThanOrEqual(3600);
    await reconcile();
    expect((await grants())?.[`${digest}.json`]).not.toBe(before);
    // Nobody is rolled for that.
    expect(JSON.stringify(children.applied("Deployment", NS, "churn"))).toBe(template);
  });

  test("go on for the model that still answers while another one is rolled out", async () => {
    const { apply, reconcile, ready, settle, grants } = await world();
    apply();
    const old = await ready("churn");
    const other = await ready("other");
    await reconcile();
    settle(old, "churn");
    apply({ modelRef: { trainingJob: "other" } });
    await reconcile();
    expect(Object.keys((await grants()) ?? {})).toEqual(
      expect.arrayContaining([`${old}.json`, `${other}.json`]),
    );
    settle(other, "other");
    await reconcile();
  });

  test("are for nothing outside of the namespace, whatever the annotations of a pod say", async () => {
    const { apply, reconcile, ready, children, pod, grants } = await world();
    apply();
    const digest = await ready("churn");
    await reconcile();
    children.settle(NS, "churn", {}, [pod(digest, "../other/churn"), pod("f".repeat(64), "../../secret")]);
    await reconcile();
    expect(JSON.stringify(await grants())).not.toContain("..");
  });

  test("read no environment where a claim has it", async () => {
    const { apply, reconcile, ready, serving, grants, children } = await world();
    serving.environmentsClaim = () => Promise.resolve("environments");
    apply();
    const digest = await ready("churn");
    await reconcile();
    expect(JSON.parse((await grants())?.[`${digest}.json`] ?? "")).not.toHaveProperty("environment");
    expect(JSON.stringify(children.applied("Deployment", NS, "churn"))).toContain(
      '"claimName":"environments"',
    );
  });
});

describe("a roll that does not succeed", () => {
  test("stalls with the reason, and the old model goes on being served", async () => {
    const { apply, reconcile, ready, settle, children, pod, read, condition } = await world();
    apply();
    const old = await ready("churn");
    const other = await ready("other");
    await reconcile();
    settle(old, "churn");
    await reconcile();
    apply({ modelRef: { trainingJob: "other" } });
    await reconcile();
    children.settle(
      NS,
      "churn",
      { replicas: 2, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 },
      [pod(old, "churn"), pod(other, "other", REFUSED)],
    );
    await reconcile();
    expect(await condition()).toMatchObject({ status: "False", reason: "DigestMismatch" });
    expect((await condition())?.message).toContain("goes on being served");
    expect((await read())?.status).toMatchObject({
      replicas: 1,
      modelDigest: old,
      trainingJob: "churn",
      lastFailure: "DigestMismatch: trained_model.joblib was changed",
    });
    // Back again.
    apply({ modelRef: { trainingJob: "churn" } });
    await reconcile();
    settle(old, "churn");
    await reconcile();
    expect(await condition()).toMatchObject({ status: "True" });
    expect((await read())?.status).not.toHaveProperty("lastFailure");
  });

  test("is not begun where the store has another model.json than the one that was published", async () => {
    const { apply, reconcile, ready, store, children, condition, read } = await world();
    apply();
    const digest = await ready("churn");
    await store.put(`models/${NS}/churn/${digest}/model.json`, Buffer.from("{}"));
    await reconcile();
    expect(await condition()).toMatchObject({ status: "False", reason: "DigestMismatch" });
    expect((await read())?.status?.lastFailure).toContain("DigestMismatch");
    expect(children.changes).toEqual([]);
  });

  test("for want of its model leaves the one before what it needs to go on", async () => {
    const { apply, reconcile, ready, settle, store, condition, read, clock, grants } = await world();
    apply();
    const old = await ready("churn");
    const other = await ready("other");
    await reconcile();
    settle(old, "churn", 1);
    await reconcile();
    await store.deletePrefix(`models/${NS}/other/${other}/`);
    apply({ modelRef: { trainingJob: "other" } });
    const before = (await grants())?.[`${old}.json`];
    clock.at += 4 * HOUR;
    await reconcile();
    expect(await condition()).toMatchObject({ status: "False", reason: "ModelMissing" });
    expect((await read())?.status).toMatchObject({ modelDigest: old, replicas: 1 });
    expect((await read())?.status?.lastFailure).toContain("ModelMissing");
    expect((await grants())?.[`${old}.json`]).not.toBe(before);
  });

  test("for want of an environment says so", async () => {
    const { apply, reconcile, ready, store, condition } = await world();
    apply();
    await ready("churn");
    await store.deletePrefix("environments/");
    await reconcile();
    expect(await condition()).toMatchObject({ status: "False", reason: "EnvironmentMissing" });
  });

  test("for want of the very archive that the model was published with says so, whatever else there is of its lock", async () => {
    const { apply, reconcile, ready, store, condition, grants } = await world();
    apply();
    const digest = await ready("churn", { environmentArchive: ARCHIVE });
    await reconcile();
    expect(await condition()).toMatchObject({ status: "False", reason: "EnvironmentMissing" });
    await store.put(archiveKey(NS, ENVIRONMENT, ARCHIVE), new Uint8Array());
    await reconcile();
    expect(JSON.parse((await grants())?.[`${digest}.json`] ?? "").environment).toContain(
      `/${archiveKey(NS, ENVIRONMENT, ARCHIVE)}?`,
    );
  });

  test("by the will of the API server is not tried for ever at once", async () => {
    const { apply, reconcile, ready, children, condition } = await world();
    apply();
    await ready("churn");
    children.apply = () => Promise.reject(new RefusedChildError("Forbidden", "exceeded quota"));
    await expect(reconcile()).resolves.toEqual({ requeueAfterSeconds: 15 });
    expect(await condition()).toMatchObject({ status: "False", reason: "Forbidden" });
  });

  test("by something else is tried again, and what was known of the servers is kept", async () => {
    const { apply, reconcile, ready, settle, children, condition, read } = await world();
    apply();
    const digest = await ready("churn");
    await reconcile();
    settle(digest, "churn");
    await reconcile();
    children.apply = () => Promise.reject(new Error("busy"));
    await expect(reconcile()).rejects.toThrow("busy");
    expect(await condition()).toMatchObject({ status: "Unknown" });
    expect((await read())?.status).toMatchObject({ replicas: 1, modelDigest: digest });
  });
});

test("a job that is gone takes no server with it", async () => {
  const { apply, reconcile, ready, settle, cluster, condition, read, grants, clock } = await world();
  apply();
  const digest = await ready("churn");
  await reconcile();
  settle(digest, "churn");
  await reconcile();
  cluster.delete("TrainingJob", `${NS}/churn`);
  clock.at += 5 * HOUR;
  const before = (await grants())?.[`${digest}.json`];
  await reconcile();
  expect(await condition()).toMatchObject({ status: "False", reason: "TrainingJobNotFound" });
  expect((await read())?.status).toMatchObject({ replicas: 1, modelDigest: digest });
  expect((await grants())?.[`${digest}.json`]).not.toBe(before);
});

test("0 servers, and back", async () => {
  const { apply, reconcile, ready, settle, condition, read } = await world();
  apply({ replicas: 0 });
  const digest = await ready("churn");
  await reconcile();
  settle(digest, "churn", 0);
  await reconcile();
  expect(await condition()).toMatchObject({ status: "True", reason: "ScaledToZero" });
  expect((await read())?.status?.replicas).toBe(0);
  apply({ replicas: 1 });
  await reconcile();
  expect(await condition()).toMatchObject({ status: "Unknown", reason: "RollingOut" });
  settle(digest, "churn", 1);
  await reconcile();
  expect(await condition()).toMatchObject({ status: "True", reason: "Serving" });
});

test("an autoscaler comes and goes", async () => {
  const { apply, reconcile, ready, children } = await world();
  apply({ replicas: 3 });
  await ready("churn");
  await reconcile();
  apply({ autoscaling: { maxReplicas: 5 } });
  await reconcile();
  expect(children.applied("HorizontalPodAutoscaler", NS, "churn")).toBeDefined();
  expect(children.deployment(NS, "churn")?.spec?.replicas).toBe(3);
  apply({ replicas: 2 });
  await reconcile();
  expect(children.applied("HorizontalPodAutoscaler", NS, "churn")).toBeUndefined();
  expect(children.deployment(NS, "churn")?.spec?.replicas).toBe(2);
});

describe("followLatest", () => {
  test("rolls to a retrained model that is not worse, and says which one is", async () => {
    const { apply, reconcile, ready, settle, digestWanted, condition } = await world();
    apply({ followLatest: true });
    const first = await ready("churn", { verified: 0.8, day: 1 });
    await reconcile();
    settle(first, "churn");
    await ready("worse", { verified: 0.7, day: 2, recipeFrom: "churn" });
    await reconcile();
    expect(digestWanted()).toBe(first);
    expect((await condition())?.message).toMatch(/TrainingJob worse is passed over: .*0\.7.*0\.8/);
    const better = await ready("better", { verified: 0.8, day: 3, recipeFrom: "churn" });
    await reconcile();
    expect(digestWanted()).toBe(better);
  });

  test("without it no other model is looked at", async () => {
    const { apply, reconcile, ready, digestWanted } = await world();
    apply();
    const first = await ready("churn");
    await ready("better", { verified: 0.9, day: 2, recipeFrom: "churn" });
    await reconcile();
    expect(digestWanted()).toBe(first);
  });
});

describe("what is there under the name of a child and is somebody else's", () => {
  const CHILDREN = [
    ["Deployment", "churn"],
    ["Service", "churn"],
    ["Secret", "churn-model-grants"],
    ["NetworkPolicy", "churn-model"],
    ["PodDisruptionBudget", "churn"],
    ["HorizontalPodAutoscaler", "churn"],
  ] as const;
  const foreign = (kind: (typeof CHILDREN)[number][0], name: string) => ({
    apiVersion: CHILD_KINDS[kind].apiVersion,
    kind,
    metadata: { name, namespace: NS, ownerReferences: [] },
    spec: { theirs: true },
  });

  test.each(CHILDREN)("is not taken over: %s", async (kind, name) => {
    const { apply, reconcile, ready, children, condition } = await world();
    await children.apply(foreign(kind, name));
    apply({ autoscaling: { maxReplicas: 2 } });
    await ready("churn");
    const before = children.changes.length;
    await reconcile();
    expect(await condition()).toMatchObject({ status: "False", reason: "NameTaken" });
    expect((await condition())?.message).toContain(`${kind} ${name}`);
    expect(children.changes.slice(before)).toEqual([]);
    await children.remove(kind, NS, name);
    await reconcile();
    expect(await condition()).toMatchObject({ status: "Unknown", reason: "RollingOut" });
  });

  test.each(CHILDREN)("is not taken over either where it came later: %s", async (kind, name) => {
    const { apply, reconcile, ready, children, condition } = await world();
    apply({ autoscaling: { maxReplicas: 2 } });
    await ready("churn");
    await reconcile();
    await children.remove(kind, NS, name);
    await children.apply(foreign(kind, name));
    await reconcile();
    expect(await condition()).toMatchObject({ status: "False", reason: "NameTaken" });
    expect(children.applied(kind, NS, name)).toEqual(foreign(kind, name));
  });

  test("is not a Secret whose grants are renewed, where the wanted model cannot be had", async () => {
    const { apply, reconcile, ready, settle, children, cluster, clock } = await world();
    apply();
    const digest = await ready("churn");
    await reconcile();
    settle(digest, "churn");
    cluster.delete("TrainingJob", `${NS}/churn`);
    await children.remove("Secret", NS, "churn-model-grants");
    await children.apply(foreign("Secret", "churn-model-grants"));
    clock.at += 5 * HOUR;
    await reconcile();
    expect(children.applied("Secret", NS, "churn-model-grants")).toEqual(
      foreign("Secret", "churn-model-grants"),
    );
  });

  test("is not removed with the autoscaling that it has the name of", async () => {
    const { apply, reconcile, ready, children } = await world();
    apply({ autoscaling: { maxReplicas: 2 } });
    await ready("churn");
    await reconcile();
    await children.remove("HorizontalPodAutoscaler", NS, "churn");
    await children.apply(foreign("HorizontalPodAutoscaler", "churn"));
    apply({ replicas: 1 });
    await reconcile();
    expect(children.applied("HorizontalPodAutoscaler", NS, "churn")).toBeDefined();
  });

  test("is not removed when the ModelDeployment is", async () => {
    const { apply, reconcile, ready, children, cluster, read } = await world("Delete");
    await children.apply(foreign("Deployment", "churn"));
    apply();
    await ready("churn");
    await reconcile();
    cluster.delete("ModelDeployment", `${NS}/churn`);
    await reconcile();
    expect(await read()).toBeUndefined();
    expect(children.applied("Deployment", NS, "churn")).toBeDefined();
  });
});

describe("who was overtaken", () => {
  const overtaken = async ({ apply, reconcile, cluster }: Awaited<ReturnType<typeof world>>) => {
    apply();
    cluster.updateStatus = () => Promise.reject(new ConflictError("it changed since it was read"));
    return reconcile();
  };

  test("by another write reads again at once, and backs off where that goes on", async () => {
    expect(await overtaken(await world())).toEqual(OVERTAKEN);
  });

  test("when the finalizer is written, too", async () => {
    const { apply, reconcile, cluster } = await world("Delete");
    apply();
    cluster.setFinalizer = () => Promise.reject(new ConflictError("it changed since it was read"));
    expect(await reconcile()).toEqual(OVERTAKEN);
  });

  test("when it was deleted, too", async () => {
    const { apply, reconcile, cluster } = await world("Delete");
    apply();
    await reconcile();
    cluster.delete("ModelDeployment", `${NS}/churn`);
    cluster.setFinalizer = () => Promise.reject(new ConflictError("it changed since it was read"));
    expect(await reconcile()).toEqual(OVERTAKEN);
  });
});

describe("deleted", () => {
  test("with artifacts kept it goes at once, and its children with it", async () => {
    const { apply, reconcile, ready, cluster, read } = await world();
    apply();
    await ready("churn");
    await reconcile();
    expect((await read())?.metadata.finalizers ?? []).toEqual([]);
    cluster.delete("ModelDeployment", `${NS}/churn`);
    expect(await read()).toBeUndefined();
    expect(await reconcile()).toEqual({});
  });

  test("with artifacts deleted, its servers go first, then their log, then itself", async () => {
    const { apply, reconcile, ready, settle, cluster, read, store, children } = await world("Delete");
    apply();
    const digest = await ready("churn");
    await reconcile();
    settle(digest, "churn");
    await store.put("predictions/team/churn/2026-01-02/a.ndjson.gz", new Uint8Array());
    expect((await read())?.metadata.finalizers).toEqual([FINALIZER]);
    cluster.delete("ModelDeployment", `${NS}/churn`);
    await reconcile();
    expect(children.changes.at(-1)).toBe("-Deployment/churn");
    const isWhole = async () => (await read()) && (await store.list("predictions/team/churn/")).length === 1;
    expect(await isWhole()).toBe(true);
    await reconcile();
    expect(await isWhole()).toBe(true);
    children.end(NS, "churn");
    await reconcile();
    expect(await read()).toBeUndefined();
    expect(await store.list("predictions/team/churn/")).toEqual([]);
  });

  test("its log stays for as long as its Deployment is there, which may make another server", async () => {
    const { apply, reconcile, ready, cluster, read, store, children } = await world("Delete");
    apply();
    await ready("churn");
    await reconcile();
    const live = await children.get("Deployment", NS, "churn");
    await store.put("predictions/team/churn/2026-01-02/a.ndjson.gz", new Uint8Array());
    cluster.delete("ModelDeployment", `${NS}/churn`);
    vi.spyOn(children, "get").mockResolvedValue(live);
    await reconcile();
    await reconcile();
    expect(await read()).toBeDefined();
    expect(await store.list("predictions/team/churn/")).toHaveLength(1);
    vi.mocked(children.get).mockRestore();
    await reconcile();
    expect(await read()).toBeUndefined();
  });
});

describe("spec.deploy of a job", () => {
  async function deployed(replicas: number | undefined) {
    const all = await world();
    const { cluster } = all;
    const deployer = {
      cluster,
      children: {
        apply: (child: object) => {
          cluster.apply(ModelDeployment.parse(child));
          return Promise.resolve({ metadata: { name: "churn" } });
        },
      },
    };
    const run = async (wanted: number | undefined) => {
      const job = cluster.apply(
        TrainingJob.parse({
          ...META,
          kind: "TrainingJob",
          metadata: { name: "churn", namespace: NS },
          spec: {
            dataset: { uri: "s3://bucket/rows.csv" },
            target: "churn",
            ...(wanted === undefined ? {} : { deploy: { replicas: wanted } }),
          },
        }),
      );
      await deployModel(deployer, job);
      return job;
    };
    return { ...all, run, job: await run(replicas) };
  }

  test("makes a ModelDeployment of its name that goes with it, and carries edits through", async () => {
    const { read, run, job } = await deployed(2);
    expect((await read())?.spec).toMatchObject({ modelRef: { trainingJob: "churn" }, replicas: 2 });
    expect((await read())?.metadata.ownerReferences).toEqual([
      expect.objectContaining({ kind: "TrainingJob", name: "churn", uid: job.metadata.uid }),
    ]);
    await run(3);
    expect((await read())?.spec.replicas).toBe(3);
    await run(undefined);
    expect(await read()).toBeUndefined();
  });

  test("undoes nothing that somebody did to the ModelDeployment meanwhile", async () => {
    const { read, run, cluster } = await deployed(2);
    const present = await read();
    if (!present) throw new Error("there is none");
    const spec = { ...present.spec, replicas: 5, modelRef: { trainingJob: "before" } };
    cluster.apply({ ...present, spec });
    await run(2);
    expect((await read())?.spec).toMatchObject({ replicas: 5, modelRef: { trainingJob: "before" } });
    await run(1);
    expect((await read())?.spec).toMatchObject({ replicas: 1, modelRef: { trainingJob: "before" } });
  });

  test("leaves a ModelDeployment that is somebody else's alone, and says so", async () => {
    const { read, run, cluster, apply } = await deployed(undefined);
    apply({ replicas: 7 });
    await run(1);
    expect((await read())?.spec.replicas).toBe(7);
    expect(cluster.events.map(({ reason }) => reason)).toContain("DeploymentExists");
    await run(undefined);
    expect(await read()).toBeDefined();
  });
});
