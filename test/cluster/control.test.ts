/** What the API server refuses, and what the operator does about resources and its lease, on a real cluster. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import { describeWire } from "../fakes/kubernetes-contract.ts";
import { CHANGES, INVALID_MANIFESTS } from "../fixtures/invalid-manifests.ts";
import { apiOf } from "./api.ts";
import { eventually, withCluster } from "./cluster.ts";
import { type OperatorProcess, type Store, startOperator, storeIn } from "./operator-process.ts";

const cluster = withCluster();
let namespace = "";

beforeAll(async () => {
  // The chart's, of another file: it would do what the tests or their own operators do.
  await cluster.operator("absent");
  await cluster.kinds();
  namespace = await cluster.namespace("control");
});

const dryRun = (manifest: string) =>
  cluster.run(["apply", "--dry-run=server", "-n", namespace, "-f", "-"], manifest);

describe("a manifest with one thing wrong is refused by the API server, with the field and the reason", () => {
  test.concurrent.each(INVALID_MANIFESTS)("$name", async ({ manifest, field, server }) => {
    const { code, errors } = await dryRun(manifest);
    expect(code).not.toBe(0);
    expect(errors).toContain(server);
    expect(errors).toContain(field);
  });
});

describe("a change of a resource", () => {
  test.each(CHANGES)("$name", async ({ before, after, refused }) => {
    const created = await cluster.run(["create", "-n", namespace, "-f", "-"], before);
    expect(created.code, created.errors).toBe(0);
    const changed = await cluster.run(["replace", "--dry-run=server", "-n", namespace, "-f", "-"], after);
    await cluster.run(["delete", "-n", namespace, "--wait", "-f", "-"], before);
    if (refused === undefined) expect(changed.code, changed.errors).toBe(0);
    else {
      expect(changed.code).not.toBe(0);
      expect(changed.errors).toMatch(new RegExp(`${refused}.*immutable`));
    }
  });
});

describeWire("the wire of the API server", async () => ({
  api: apiOf(cluster),
  namespace: await cluster.namespace("wire"),
}));

describe("with an operator", () => {
  let store: Store;
  let one: OperatorProcess;
  let two: OperatorProcess;

  beforeAll(async () => {
    store = await storeIn(cluster, namespace);
    one = await startOperator(cluster, { identity: "one", namespace, store });
    await eventually("operator one to lead", 30, async () => (await one.metric("autoai_leader")) === 1);
  });
  afterAll(async () => {
    one?.child.kill("SIGKILL");
    two?.child.kill("SIGKILL");
    store?.stop();
    // Nobody is there any more to take the finalizers off.
    for (const kind of ["trainingjobs", "datasets"]) {
      const names = (await cluster.kubectl("get", kind, "-n", namespace, "-o", "name")).split("\n");
      for (const name of names.filter((line) => line !== ""))
        await cluster.run([
          "patch",
          "-n",
          namespace,
          name,
          "--type=merge",
          "-p",
          '{"metadata":{"finalizers":null}}',
        ]);
    }
  });

  const apply = (name: string, spec: object) =>
    cluster.apply({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name, namespace },
      spec: { target: "y", llm: { provider: "Offline" }, ...spec },
    });
  const jobOf = (name: string) => cluster.get<TrainingJob>("trainingjob", namespace, name);
  const reasonOf = async (name: string) =>
    (await jobOf(name))?.status?.conditions?.find(({ type }) => type === "Ready")?.reason;
  const reason = (name: string, wanted: string, seconds: number) =>
    eventually(`${name} to be ${wanted}`, seconds, async () => (await reasonOf(name)) === wanted);
  const uri = (address: string) => ({ dataset: { uri: address } });

  // They wait for the operator to look again, side by side.
  test.concurrent.each([
    ["no-config-map", { dataset: { configMapKeyRef: { name: "none", key: "a" } } }, "ConfigMapNotFound"],
    ["no-dataset", { dataset: { datasetRef: { name: "none" } } }, "DatasetNotFound"],
    [
      "no-secret",
      { dataset: { uri: "s3://data/rows.csv", credentialsSecretRef: { name: "none" } } },
      "SecretNotFound",
    ],
    ["no-host", uri("https://no-such-host.invalid/rows.csv"), "SourceNotFound"],
    ["others-rows", uri("s3://autoai/jobs/other/rows.csv"), "SourceForbidden"],
    ["inside", uri("https://10.96.0.1/api"), "SourceForbidden"],
    ["metadata", uri("https://169.254.169.254/latest"), "SourceForbidden"],
  ] as const)("%s stalls within 30 s with the reason", async (name, spec, wanted) => {
    await apply(name, spec);
    await reason(name, wanted, 30);
    const conditions = (await jobOf(name))?.status?.conditions ?? [];
    expect(conditions.find(({ type }) => type === "Stalled")?.status).toBe("True");
    const events = await cluster.kubectl("get", "events", "-n", namespace, "-o", "json");
    const mine = (
      JSON.parse(events) as { items: { reason: string; involvedObject: { name: string } }[] }
    ).items.filter((event) => event.involvedObject.name === name && event.reason === wanted);
    expect(mine).toHaveLength(1);
  });

  test.concurrent("a bucket and a key that are missing stall, and a key that comes is read", async () => {
    const secret = { accessKeyId: "tester-access", secretAccessKey: "tester-secret-key" };
    await cluster.apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s3", namespace },
      stringData: secret,
    });
    const credentialsSecretRef = { name: "s3" };
    await apply("no-bucket", { dataset: { uri: "s3://nowhere/rows.csv", credentialsSecretRef } });
    await apply("no-key", { dataset: { uri: "s3://autoai/late.csv", credentialsSecretRef } });
    await reason("no-bucket", "SourceNotFound", 30);
    await reason("no-key", "SourceNotFound", 30);
    const { S3Store } = await import("../../operator/storage/minio.ts");
    const bucket = new S3Store({
      endpoint: store.endpoint,
      bucket: "autoai",
      region: "us-east-1",
      accessKey: secret.accessKeyId,
      secretKey: secret.secretAccessKey,
    });
    await bucket.put("late.csv", new TextEncoder().encode("x,y\n1,2\n"));
    await reason("no-key", "Prepare", 30);
  });

  test.concurrent("a stall ends when a person mends it", async () => {
    await apply("mended", { dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } } });
    await reason("mended", "ConfigMapNotFound", 30);
    await cluster.apply({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "rows", namespace },
      data: { "rows.csv": "x,y\n1,2\n" },
    });
    await reason("mended", "Prepare", 30);
  });

  test("a job is suspended and resumed, and its pods are gone meanwhile", async () => {
    const spec = { dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } } };
    await apply("paused", spec);
    const pods = async () =>
      (await cluster.kubectl("get", "pods", "-n", namespace, "-o", "name"))
        .split("\n")
        .filter((name) => name.startsWith("pod/paused-"));
    await eventually("its pods", 60, async () => (await pods()).length > 0);
    await apply("paused", { ...spec, suspend: true });
    await reason("paused", "Suspended", 30);
    await eventually("its pods to go", 60, async () => (await pods()).length === 0);
    await apply("paused", spec);
    await reason("paused", "Prepare", 30);
    await eventually("its pods again", 60, async () => (await pods()).length > 0);
  });

  test("a job that is deleted while it works takes its pods with it", async () => {
    await cluster.kubectl("delete", "trainingjob", "paused", "-n", namespace, "--timeout=60s");
    const pods = await cluster.kubectl("get", "pods", "-n", namespace, "-o", "name");
    expect(pods).not.toMatch(/pod\/paused-/);
  });

  test("a finished job is deleted when its time to live is over", async () => {
    await apply("brief", { ...uri("s3://autoai/jobs/other/rows.csv"), ttlSecondsAfterFinished: 3 });
    await eventually("brief to be there", 10, () => jobOf("brief"));
    await eventually("brief to be gone", 60, async () => (await jobOf("brief")) === undefined);
  });

  test("health, metrics and logs tell of it, and no secret", async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${one.port}/metrics`)).text();
    expect(metrics).toMatch(/autoai_reconciles_total\{kind="TrainingJob",result="requeued"\} \d/);
    expect(metrics).toMatch(/autoai_jobs\{state="ERROR"\} [1-9]/);
    expect((await fetch(`http://127.0.0.1:${one.port}/healthz`)).status).toBe(200);
    const unknown = await fetch(`http://127.0.0.1:${one.port}/journals/${namespace}/mended`, {
      headers: { "x-autoai-token": "not-a-token" },
    });
    expect(unknown.status).toBe(401);
    expect(one.log.some(({ job }) => job === `${namespace}/mended`)).toBe(true);
    expect(JSON.stringify(one.log)).not.toContain("tester-secret-key");
  });

  test("a journal is shown to who may get the job, and to nobody else", async () => {
    const token = async (account: string) => {
      await cluster.kubectl("create", "serviceaccount", account, "-n", namespace);
      return (await cluster.kubectl("create", "token", account, "-n", namespace)).trim();
    };
    const [reader, stranger] = [await token("reader"), await token("stranger")];
    const role = [
      "create",
      "role",
      "reader",
      "-n",
      namespace,
      "--verb=get",
      "--resource=trainingjobs.autoai.dev",
    ];
    await cluster.kubectl(...role);
    const subject = `--serviceaccount=${namespace}:reader`;
    await cluster.kubectl("create", "rolebinding", "reader", "-n", namespace, "--role=reader", subject);
    const ask = (who: string, name: string) =>
      fetch(`http://127.0.0.1:${one.port}/journals/${namespace}/${name}`, {
        headers: { "x-autoai-token": who },
      });
    const shown = await ask(reader, "others-rows");
    expect(shown.status).toBe(200);
    const { entries } = (await shown.json()) as { entries: { type: string }[] };
    expect(entries.map(({ type }) => type)).toEqual(["JobFinished"]);
    expect((await ask(reader, "none")).status).toBe(404);
    expect((await ask(stranger, "others-rows")).status).toBe(403);
  });

  test("a second operator stands by, and leads within seconds of the first one's leaving", async () => {
    two = await startOperator(cluster, { identity: "two", namespace, store });
    expect(await two.metric("autoai_leader")).toBe(0);
    one.child.kill("SIGTERM");
    expect(await one.exited).toBe(0);
    await eventually("operator two to lead", 10, async () => (await two.metric("autoai_leader")) === 1);
    await apply("after", { dataset: { configMapKeyRef: { name: "none", key: "a" } } });
    await reason("after", "ConfigMapNotFound", 30);
  });

  test("a leader whose lease is stolen ends at once, and another leads when the thief does not renew", async () => {
    const thief = {
      spec: {
        holderIdentity: "thief",
        leaseDurationSeconds: 5,
        renewTime: new Date().toISOString().replace("Z", "000Z"),
      },
    };
    const lease = ["patch", "lease", "autoai-operator", "-n", namespace, "--type=merge"];
    await cluster.kubectl(...lease, "-p", JSON.stringify(thief));
    expect(await two.exited).toBe(1);
    one = await startOperator(cluster, { identity: "one", namespace, store });
    await eventually("operator one to lead", 40, async () => (await one.metric("autoai_leader")) === 1);
  });
});
