/**
 * Models served on a real cluster: rolls, kills, tampering and misbehaviour under the eyes of a client in the cluster; and a job that
 * is trained meanwhile and deploys. One installation, one namespace; the tests go on from each other, in their order.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { find, Journal } from "../../operator/agent/journal.ts";
import { ModelDeployment, type ModelDeploymentStatus } from "../../operator/api/modeldeployment.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { journalPrefix } from "../../operator/evaluation/context.ts";
import { archiveIn, archiveKey, environmentLockKey } from "../../operator/sandbox/environment-keys.ts";
import { IN_FLIGHT_METRIC } from "../../operator/serving/manifests.ts";
import type { S3Store } from "../../operator/storage/minio.ts";
import { breaches } from "../chart/restricted.ts";
import { eventually, withCluster } from "./cluster.ts";
import { type Client, clientIn } from "./load.ts";
import { metricsAdapter } from "./metrics-adapter.ts";
import { metricsServer } from "./metrics-server.ts";
import { environmentsClaim } from "./minio-pod.ts";
import { type Environment, pickled, plant } from "./planted.ts";
import { processesOf } from "./processes.ts";
import { artifactStore } from "./store.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;
const MINUTES = 60_000;
const CONNECTIONS = 8;
const NOTHING = { rows: [{ ask: "nothing" }] };

const cluster = withCluster();
let namespace = "";
let store: S3Store;
let closeStore = () => {};
let client: Client;
let environment: Environment;
/** What the example deploys. */
let deployed: unknown;
/** What each model predicts, by its digest. */
const values: Record<string, number> = {};
const digests: Record<string, string> = {};
/** A namespace whose servers are given no claim for environments. */
let bare = "";
/** Id of the last request before there were no servers. */
let asked = "";
/** How many requests each model answered while one was rolled out in place of the other, by its digest. */
let rolled: Readonly<Record<string, number>> = {};

// biome-ignore lint/suspicious/noExplicitAny: objects as they stand
type Json = any;

/** Applies the ModelDeployment, with servers that find room on a small node. */
async function deploy(name: string, spec: object, where = namespace): Promise<void> {
  await cluster.apply({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "ModelDeployment",
    metadata: { name, namespace: where },
    spec: { resources: { cpu: "300m", memory: "768Mi" }, ...spec },
  });
}

async function read(name: string): Promise<ModelDeployment | undefined> {
  const found = await cluster.get("modeldeployments.autoai.dev", namespace, name);
  return found && ModelDeployment.parse(found);
}

/** Waits until its status is about what was applied last, and the condition holds. */
async function until(
  name: string,
  what: string,
  holds: (status: ModelDeploymentStatus) => boolean,
  seconds = 60,
): Promise<ModelDeploymentStatus> {
  let last: unknown;
  try {
    return await eventually(what, seconds, async () => {
      const found = await read(name);
      last = found?.status;
      const isSeen = found?.status?.observedGeneration === found?.metadata.generation;
      return isSeen && found?.status && holds(found.status) ? found.status : undefined;
    });
  } catch (error) {
    const pods = await cluster.kubectl("get", "pods", "-n", namespace, "-o", "wide");
    throw new Error(`${(error as Error).message}\n${JSON.stringify(last, null, 1)}\n${pods}`);
  }
}

const condition = ({ conditions }: ModelDeploymentStatus, type = "Ready") =>
  conditions?.find((one) => one.type === type);
const serves = (digest: string | undefined) => (status: ModelDeploymentStatus) =>
  condition(status)?.status === "True" && status.modelDigest === digest;

async function podsOf(name: string): Promise<Json[]> {
  const selector = `autoai.dev/modeldeployment=${name}`;
  const list = await cluster.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json");
  return JSON.parse(list).items;
}

const isReady = ({ metadata, status }: Json): boolean =>
  !metadata.deletionTimestamp &&
  status.conditions?.some((one: Json) => one.type === "Ready" && one.status === "True");

async function patchDeploy(patch: object): Promise<void> {
  const job = ["trainingjobs.autoai.dev", "churn", "-n", namespace];
  await cluster.kubectl("patch", ...job, "--type=json", "-p", JSON.stringify(patch));
}

async function nothingLeft(what: RegExp): Promise<void> {
  const kinds =
    "modeldeployments.autoai.dev,pods,deployments,replicasets,services,secrets,networkpolicies,poddisruptionbudgets";
  await eventually("the end of all that served", 90, async () => {
    const left = await cluster.kubectl("get", kinds, "-n", namespace, "-o", "name");
    return !left.split("\n").some((name) => what.test(name));
  });
}

const url = (name: string, path = "/predict") => `http://${name}.${namespace}.svc${path}`;

/** Servers of the model before answer until they have drained: a node hears a little later than the status that they go. */
async function answers(name: string, value: number): Promise<void> {
  await eventually(`the answer ${value} of ${name}`, 30, async () => {
    const { status, body } = await client.ask(url(name), NOTHING);
    expect(status).toBe(200);
    return (body.predictions as number[])[0] === value;
  });
}

async function planted(name: string, value: number, more: object = {}): Promise<void> {
  const digest = await plant(cluster, store, namespace, environment, { name, value, ...more });
  digests[name] = digest;
  values[digest] = value;
}

/** Of the job in a namespace, once it has one. */
function environmentOf(where: string): Promise<Environment> {
  return eventually(`the environment of the job in ${where}`, 180, async () => {
    const job = TrainingJob.parse(await cluster.get("trainingjobs.autoai.dev", where, "churn"));
    const { entries } = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0);
    const digest = find(entries, "DatasetPrepared")?.environment;
    return digest === undefined
      ? undefined
      : { digest, lock: await store.get(environmentLockKey(where, digest)) };
  });
}

beforeAll(async () => {
  await cluster.operator("running");
  namespace = await cluster.namespace("serving");
  bare = await cluster.namespace("serving-bare");
  await cluster.apply(environmentsClaim(namespace));
  const rows = join(EXAMPLES, "data/churn.csv");
  for (const where of [namespace, bare])
    await cluster.kubectl("create", "configmap", "churn", "-n", where, `--from-file=churn.csv=${rows}`);
  ({ store, close: closeStore } = await artifactStore(cluster));
  // The example, in more of a hurry.
  const example = parse(readFileSync(join(EXAMPLES, "cluster/churn.yaml"), "utf8"));
  const { deploy: wanted, ...spec } = example.spec;
  deployed = wanted;
  const budget = { maxSteps: 1, maxSeconds: 150 };
  // It trains meanwhile, and leaves room for others.
  const sandbox = { resources: { cpu: "500m" } };
  const metadata = { ...example.metadata, namespace };
  await cluster.apply({ ...example, metadata, spec: { ...spec, budget, sandbox } });
  // For its environment alone.
  const brief = { ...spec, budget: { maxSteps: 1, maxSeconds: 1 }, sandbox };
  await cluster.apply({ ...example, metadata: { ...metadata, namespace: bare }, spec: brief });
  client = await clientIn(cluster, namespace);
  environment = await environmentOf(namespace);
  await planted("one", 1);
  await planted("two", 2);
}, 5 * MINUTES);

afterAll(() => {
  closeStore();
});

describe("two servers under load", () => {
  test(
    "roll to another model with no request that fails, and no answer that is wrong",
    async () => {
      await deploy("steady", { modelRef: { trainingJob: "one" }, replicas: 2 });
      await until(
        "steady",
        "two servers",
        (status) => serves(digests.one)(status) && status.replicas === 2,
        90,
      );
      const stop = await client.load(url("steady"), NOTHING, CONNECTIONS, values);
      await deploy("steady", { modelRef: { trainingJob: "two" }, replicas: 2 });
      await until("steady", "the roll", serves(digests.two), 90);
      const load = await stop();
      expect(load).toMatchObject({ failures: {}, wrong: 0 });
      expect(Object.keys(load.byDigest).sort()).toEqual([digests.one, digests.two].sort());
      rolled = load.byDigest;
      console.info(`roll: ${load.requests} requests, none failed`);
    },
    3 * MINUTES,
  );

  test(
    "of which one is killed give no wrong answer, and fail at most what was in flight",
    async () => {
      const [victim] = (await podsOf("steady")).filter((pod) => !pod.metadata.deletionTimestamp);
      const stop = await client.load(url("steady"), NOTHING, CONNECTIONS, values);
      await cluster.kubectl(
        ...["delete", "pod", "-n", namespace, victim.metadata.name, "--grace-period=0", "--force"],
      );
      await eventually("another server in its place", 90, async () => {
        const others = (await podsOf("steady")).filter(
          ({ metadata }) => metadata.uid !== victim.metadata.uid,
        );
        return others.filter(isReady).length === 2;
      });
      await until(
        "steady",
        "two servers again",
        (status) => serves(digests.two)(status) && status.replicas === 2,
        90,
      );
      const { failures, wrong, requests } = await stop();
      expect(wrong).toBe(0);
      const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
      expect(failed, JSON.stringify(failures)).toBeLessThanOrEqual(CONNECTIONS);
      expect(requests).toBeGreaterThan(100);
      console.info(`kill: ${requests} requests, failed: ${JSON.stringify(failures)}`);
    },
    2 * MINUTES,
  );

  test.runIf(cluster.own).each([
    ["front", "inference-server/server.js"],
    ["model", "autoai_runner.serve.worker"],
  ])(
    cluster.ownOnly(
      "of which the %s of one has its process killed give no wrong answer, and fail at most what was in flight",
      "its processes are those of this machine",
    ),
    async (name, words) => {
      const pod = await eventually("a server that is ready", 60, async () =>
        (await podsOf("steady")).find(isReady),
      );
      const containerNow = async (): Promise<Json> =>
        (await podsOf("steady"))
          .find(({ metadata }) => metadata.uid === pod.metadata.uid)
          .status.containerStatuses.find((one: Json) => one.name === name);
      const container = await containerNow();
      const stop = await client.load(url("steady"), NOTHING, CONNECTIONS, values);
      const [victim = 0, ...others] = processesOf(container.containerID, words);
      expect(others).toEqual([]);
      process.kill(victim, "SIGKILL");
      await eventually("another process in its place", 60, async () => {
        const { containerID = "none" } = await containerNow();
        const [next] = processesOf(containerID, words);
        return next !== undefined && next !== victim;
      });
      await until(
        "steady",
        "two servers",
        (status) => serves(digests.two)(status) && status.replicas === 2,
        90,
      );
      const { failures, wrong, requests } = await stop();
      const after = await containerNow();
      // The worker is replaced by its keeper, in the same container.
      expect(after.restartCount - container.restartCount).toBe(name === "front" ? 1 : 0);
      expect(wrong).toBe(0);
      // A connection that is refused, by a front that is gone, has carried no request: whoever asks anew is answered.
      const { ECONNREFUSED: refused = 0, ...sent } = failures;
      const failed = Object.values(sent).reduce((sum, count) => sum + count, 0);
      expect(failed, JSON.stringify(failures)).toBeLessThanOrEqual(CONNECTIONS);
      expect(requests).toBeGreaterThan(100);
      console.info(
        `${name} killed: ${requests} requests, failed: ${JSON.stringify(sent)}, refused: ${refused}`,
      );
    },
    3 * MINUTES,
  );
});

describe("a model that was tampered with in the store", () => {
  test(
    "is refused by its digest before anything of it is loaded, and the one before goes on being served",
    async () => {
      await planted("poisoned", 13);
      const key = `models/${namespace}/poisoned/${digests.poisoned}/trained_model.joblib`;
      await store.put(key, await pickled("Poison()"));
      await deploy("steady", { modelRef: { trainingJob: "poisoned" }, replicas: 1 });
      const status = await until(
        "steady",
        "the refusal",
        (one) => condition(one, "Stalled")?.status === "True",
      );
      expect(condition(status)?.reason).toBe("DigestMismatch");
      expect(status.lastFailure).toMatch(/^DigestMismatch: trained_model\.joblib .*Nothing was loaded/);
      expect(status.modelDigest).toBe(digests.two);
      const pods = await podsOf("steady");
      const refused = pods.filter(
        (pod) => pod.metadata.annotations["autoai.dev/model-digest"] === digests.poisoned,
      );
      expect(refused.length).toBeGreaterThan(0);
      // Neither front nor model ever ran, so that nobody unpickled anything.
      for (const { status: of } of refused) {
        for (const one of of.containerStatuses)
          expect([one.started, one.containerID]).toEqual([false, undefined]);
      }
      await answers("steady", 2);
    },
    2 * MINUTES,
  );

  test(
    "is left by naming the one before again",
    async () => {
      await deploy("steady", { modelRef: { trainingJob: "one" }, replicas: 1 });
      const status = await until("steady", "the roll back", serves(digests.one), 90);
      expect(status.lastFailure).toBeUndefined();
      await answers("steady", 1);
    },
    2 * MINUTES,
  );
});

test(
  "a deployment that follows its job rolls to a retrained model that is not worse, and to no other",
  async () => {
    await planted("worse", 3, { recipeFrom: "one", verified: 0.7 });
    await deploy("steady", { modelRef: { trainingJob: "one" }, replicas: 1, followLatest: true });
    const status = await until("steady", "the look at the worse one", (one) =>
      /worse is passed over/.test(condition(one)?.message ?? ""),
    );
    expect(status).toMatchObject({ modelDigest: digests.one, trainingJob: "one" });
    await planted("better", 4, { recipeFrom: "one", verified: 0.8 });
    const rolled = await until("steady", "the roll to the better one", serves(digests.better), 90);
    expect(rolled.trainingJob).toBe("better");
    await answers("steady", 4);
  },
  2 * MINUTES,
);

test(
  "no servers, and back",
  async () => {
    const scale = (replicas: number) =>
      cluster.kubectl(
        "scale",
        "modeldeployments.autoai.dev",
        "steady",
        "-n",
        namespace,
        `--replicas=${replicas}`,
      );
    asked = await eventually("the answer of a server that is about to go", 30, async () => {
      const { body } = await client.ask(url("steady"), NOTHING);
      // Not of one that went before, and still drains.
      return (body.model as Json)?.digest === digests.better ? String(body.requestId) : undefined;
    });
    await scale(0);
    const none = await until(
      "steady",
      "no servers",
      (status) => condition(status)?.reason === "ScaledToZero",
    );
    expect(none.replicas).toBe(0);
    await eventually("the end of the last pod", 90, async () => (await podsOf("steady")).length === 0);
    await scale(1);
    await until("steady", "a server", serves(digests.better), 90);
    await answers("steady", 4);
  },
  3 * MINUTES,
);

test(
  "the prediction log of servers that are gone is read by who may get their deployment, and by nobody else",
  async () => {
    for (const account of ["reader", "stranger"]) {
      await cluster.kubectl("create", "serviceaccount", account, "-n", namespace);
    }
    const role = ["--verb=get", "--resource=modeldeployments.autoai.dev"];
    await cluster.kubectl("create", "role", "reader", "-n", namespace, ...role);
    const subject = `--serviceaccount=${namespace}:reader`;
    await cluster.kubectl("create", "rolebinding", "reader", "-n", namespace, "--role=reader", subject);
    const { code, out, errors } = await inferences("reader");
    expect(code, errors).toBe(0);
    const entries = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const ids = entries.map(({ requestId }) => requestId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(entries.find(({ requestId }) => requestId === asked)).toMatchObject({
      model: digests.better,
      inputs: NOTHING,
      predictions: [4],
    });
    // Its servers were ended under load, by the roll: of what they had answered nothing is missing.
    const logged = entries.filter(
      ({ requestId, model }) => model === digests.one && requestId.startsWith("load-1-"),
    );
    expect(logged).toHaveLength(rolled[digests.one as string] as number);
    // Of every model that it served, and so of servers that were replaced.
    const models = new Set(entries.map(({ model }) => model));
    expect(models).toEqual(new Set([digests.one, digests.two, digests.better]));
    const refused = await inferences("stranger");
    expect([refused.code, refused.out]).toEqual([2, ""]);
    expect(refused.errors).toContain("you may not get modeldeployments");
  },
  2 * MINUTES,
);

/** `autoai inferences` of the deployment, as an account of the namespace. */
function inferences(account: string): Promise<{ code: number; out: string; errors: string }> {
  const program = join(import.meta.dirname, "..", "..", "operator", "cli.ts");
  const args = ["inferences", "steady", "-n", namespace, "--json", "--service-account", account];
  const env = {
    ...process.env,
    KUBECONFIG: cluster.kubeconfig,
  };
  return new Promise((resolve) => {
    const options = { env, maxBuffer: 256 << 20 };
    const child = execFile(process.execPath, [program, ...args], options, (_, out, errors) =>
      resolve({ code: child.exitCode ?? -1, out, errors }),
    );
  });
}

// These two mostly wait, each for something else: at once.
test.concurrent(
  "a model that raises, forks, connects, sleeps, leaks or ends never takes its front down",
  async () => {
    await deploy("wild", {
      modelRef: { trainingJob: "two" },
      limits: { timeoutSeconds: 2 },
      resources: { cpu: "500m", memory: "512Mi" },
    });
    await until("wild", "the server", serves(digests.two), 90);
    const ask = (what: string) => client.ask(url("wild"), { rows: [{ ask: what }] });
    const [before] = await podsOf("wild");
    const found: Record<string, unknown> = {};
    for (const what of ["raise", "fork", "run", "connect", "sleep", "leak", "end"]) {
      const { status, body } = await ask(what);
      found[what] = `${status} ${body.reason}`;
      await eventually(`an answer after ${what}`, 40, async () => (await ask("nothing")).status === 200);
    }
    expect(found).toEqual({
      raise: "500 ModelFailed",
      fork: "500 ModelFailed",
      run: "500 ModelFailed",
      connect: "500 ModelFailed",
      sleep: "503 TimedOut",
      // By how fast the machine is: it runs out of memory, or out of time before that.
      leak: expect.stringMatching(/^(500 ModelFailed|503 TimedOut|503 WorkerUnavailable)$/),
      end: "503 WorkerUnavailable",
    });
    const [after] = await podsOf("wild");
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(after.status.containerStatuses.map((one: Json) => [one.name, one.restartCount])).toEqual(
      before.status.containerStatuses.map((one: Json) => [one.name, one.restartCount]),
    );
  },
  3 * MINUTES,
);

test.concurrent(
  "an exported model is served without Python where it is asked for, and only behind the gate",
  async () => {
    await planted("graph", 5, { exported: 5 });
    await planted("wrong-graph", 6, { exported: 7 });
    const about = { runtime: "Onnx", resources: { cpu: "100m", memory: "256Mi" } };
    await deploy("graph", { ...about, modelRef: { trainingJob: "graph" } });
    const status = await until("graph", "the server", serves(digests.graph), 90);
    expect(status.runtime).toBe("Onnx");
    expect((await client.ask(url("graph", "/v1/model"))).body).toMatchObject({ runtime: { engine: "Onnx" } });
    await answers("graph", 5);
    // Not equal to its pipeline on the reference rows.
    await deploy("graph", { ...about, modelRef: { trainingJob: "wrong-graph" } });
    const refused = await until(
      "graph",
      "the refusal",
      (one) => condition(one, "Stalled")?.status === "True",
      90,
    );
    expect(refused.lastFailure).toMatch(/^ModelRefused: this is not the model that was published: /);
    expect(refused).toMatchObject({ runtime: "Onnx", modelDigest: digests.graph });
    await answers("graph", 5);
  },
  4 * MINUTES,
);

// The API server finds what gives the figures on this machine.
test.runIf(cluster.own).each([
  [
    "requests in flight decide",
    () => metricsAdapter(cluster, namespace, IN_FLIGHT_METRIC),
    { targetInFlightRequests: 2 },
    { rows: [{ ask: "wait" }] },
  ],
  [
    "processors in use, as metrics-server tells them, decide",
    () => metricsServer(cluster, namespace),
    { targetCpuPercent: 40 },
    NOTHING,
  ],
] as const)(
  "%s how many servers there are, by the cluster's autoscaler, until it is taken out of the spec",
  { timeout: 6 * MINUTES },
  async (_name, metrics, target, rows) => {
    const autoscaler = () => cluster.get<Json>("horizontalpodautoscalers", namespace, "scaled");
    // Two of them find room beside the servers of the other tests.
    const model = { modelRef: { trainingJob: "two" }, resources: { cpu: "150m", memory: "768Mi" } };
    await using _ = await metrics();
    await deploy("scaled", { ...model, autoscaling: { minReplicas: 1, maxReplicas: 2, ...target } });
    await eventually("the autoscaler", 30, autoscaler);
    // As anyone may who does not want to wait for the usual five minutes: the operator says nothing of it.
    const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } };
    const patch = JSON.stringify({ spec: { behavior } });
    await cluster.kubectl("patch", "hpa", "scaled", "-n", namespace, "--type=merge", "-p", patch);
    await until("scaled", "one server", ({ replicas }) => replicas === 1, 90);
    const stop = await client.load(url("scaled"), rows, CONNECTIONS, values);
    await until("scaled", "a second server", ({ replicas }) => replicas === 2, 120);
    expect(await stop()).toMatchObject({ failures: {}, wrong: 0 });
    await until("scaled", "one server again", ({ replicas }) => replicas === 1, 120);
    expect((await autoscaler()).spec.behavior).toMatchObject(behavior);
    await deploy("scaled", { ...model, replicas: 1 });
    await eventually("the end of the autoscaler", 60, async () => (await autoscaler()) === undefined);
  },
);

test(
  "what is deleted leaves nothing",
  async () => {
    await cluster.kubectl(
      "delete",
      "modeldeployments.autoai.dev",
      "steady",
      "wild",
      "graph",
      "scaled",
      // Not all of them are there on a cluster of others.
      "--ignore-not-found",
      "-n",
      namespace,
    );
    await nothingLeft(/steady|wild|graph|scaled/);
  },
  2 * MINUTES,
);

describe("a job that is to deploy", () => {
  test(
    "has its model answer at the Service once it is READY, as what its status says",
    async () => {
      // Only now: a server of a job's own takes a whole CPU.
      await patchDeploy([{ op: "add", path: "/spec/deploy", value: deployed }]);
      const status = await until(
        "churn",
        "the job's model to answer",
        (one) => condition(one)?.status === "True",
        240,
      );
      const trained = TrainingJob.parse(await cluster.get("trainingjobs.autoai.dev", namespace, "churn"));
      expect(status).toMatchObject({
        url: `http://churn.${namespace}.svc`,
        replicas: 1,
        trainingJob: "churn",
        modelDigest: trained.status?.model?.digest,
      });
      expect(status.runtime).toMatch(/^(Compiled|DataFrame|Onnx)$/);
      const about = await client.ask(`${status.url}/v1/model`);
      expect(about.body).toMatchObject({ digest: status.modelDigest, runtime: { engine: status.runtime } });
      const answer = await client.ask(`${status.url}/predict`, { rows: [about.body.example] });
      expect(answer).toMatchObject({ status: 200, body: { model: { digest: status.modelDigest } } });
    },
    5 * MINUTES,
  );

  test("in pods that are restricted, without a token", async () => {
    const [pod] = await podsOf("churn");
    expect(breaches(pod.spec)).toEqual([]);
    const mounts = [...pod.spec.initContainers, ...pod.spec.containers].flatMap(
      (one: Json) => one.volumeMounts ?? [],
    );
    expect(mounts.map((mount: Json) => mount.mountPath).join()).not.toContain("serviceaccount");
  });

  test(
    "serves no longer when deploy is taken out of its spec, and leaves nothing",
    async () => {
      await patchDeploy([{ op: "remove", path: "/spec/deploy" }]);
      await nothingLeft(/service\/churn|deployment.*\/churn|churn-model/);
    },
    3 * MINUTES,
  );
});

test(
  "where there is no claim for environments, servers fetch theirs from the store, by its bytes",
  async () => {
    const fetched = await environmentOf(bare);
    const archive = (await archiveIn(store, bare, fetched.digest)) as string;
    const planted = { ...fetched, archive };
    const digest = await plant(cluster, store, bare, planted, { name: "one", value: 1 });
    await deploy("one", { modelRef: { trainingJob: "one" } }, bare);
    const statusOf = async () =>
      ModelDeployment.parse(await cluster.get("modeldeployments.autoai.dev", bare, "one")).status ?? {};
    await eventually("the server", 120, async () => serves(digest)(await statusOf()));
    const answer = await client.ask(`http://one.${bare}.svc/predict`, NOTHING);
    expect(answer).toMatchObject({ status: 200, body: { predictions: [1] } });
    // Who can write to the store puts something else in the place of the archive.
    await store.put(archiveKey(bare, fetched.digest, archive), await pickled("Poison()"));
    const next = await plant(cluster, store, bare, planted, { name: "two", value: 2 });
    await deploy("one", { modelRef: { trainingJob: "two" } }, bare);
    await eventually(
      "the refusal",
      120,
      async () => condition(await statusOf(), "Stalled")?.status === "True",
    );
    expect(await statusOf()).toMatchObject({
      modelDigest: digest,
      lastFailure: expect.stringMatching(/^DigestMismatch: the archive of the environment was changed/),
    });
    expect(next).not.toBe(digest);
  },
  5 * MINUTES,
);
