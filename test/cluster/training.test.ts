/**
 * Every example, on a cluster with the operator in it: applied, trained in pods, READY, with what its status promises in the store.
 *
 * Gemini is test/fakes/gemini-server.ts, in a pod: the installation of the test cluster is pointed at it (values.yaml).
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { Journal } from "../../operator/agent/journal.ts";
import { ModelManifest } from "../../operator/api/model-manifest.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { journalPrefix } from "../../operator/evaluation/context.ts";
import type { S3Store } from "../../operator/storage/minio.ts";
import { eventually, type Manifest, withCluster } from "./cluster.ts";
import { simulateGemini } from "./gemini.ts";
import { environmentsClaim } from "./minio-pod.ts";
import { artifactStore } from "./store.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;
const MINUTES = 60_000;
const READY_SECONDS = 15 * 60;

// biome-ignore lint/suspicious/noExplicitAny: manifests as they stand
type Document = any;

const examples = [
  ...readdirSync(EXAMPLES),
  ...readdirSync(join(EXAMPLES, "cluster")).map((name) => `cluster/${name}`),
]
  // cluster/churn.yaml is the same job, of the same name.
  .filter((name) => name.endsWith(".yaml") && name !== "binary-churn.yaml")
  .map((name) => ({
    name,
    documents: parseAllDocuments(readFileSync(join(EXAMPLES, name), "utf8")).map(
      (one): Document => one.toJS(),
    ),
  }))
  .filter(({ documents }) => documents.some(({ kind }: Document) => kind === "TrainingJob"));
const jobs = examples.flatMap(({ documents }) =>
  documents.filter(({ kind }: Document) => kind === "TrainingJob"),
);
const files = readdirSync(join(EXAMPLES, "data")).filter((name) => name.endsWith(".csv"));

const cluster = withCluster();
let namespace = "";
let store: S3Store;
let closeStore = () => {};

/** The same manifest with its file in a ConfigMap, and in less of a hurry to explore than to be done. */
function inCluster(document: Document): Manifest {
  // What is served is the affair of serving.test.ts: here nothing is to be left running.
  const { deploy: _, ...spec } = document.spec;
  const metadata = { ...document.metadata, namespace };
  if (document.kind === "Dataset")
    return { ...document, metadata, spec: { ...spec, source: configMap(spec.source) } };
  const gemini = spec.llm?.provider === "Gemini";
  return {
    ...document,
    metadata,
    spec: {
      ...spec,
      dataset: configMap(spec.dataset),
      // Of folds there are two: five take twice as many pods, and prove no more.
      evaluation: { ...spec.evaluation, folds: 2 },
      budget: { maxSteps: gemini ? 8 : 1, maxSeconds: 1200 },
      ...(gemini ? { llm: { ...spec.llm, apiKeySecretRef: { name: "gemini", key: "apiKey" } } } : {}),
      sandbox: { ...spec.sandbox, stepTimeoutSeconds: 120 },
    },
  };
}

function configMap(source: { uri?: string }): object {
  // As it stands, where it names a ConfigMap or a Dataset.
  if (source.uri === undefined) return source;
  const key = basename(source.uri.replace(/^file:/, ""));
  return { configMapKeyRef: { name: "data", key } };
}

beforeAll(async () => {
  await cluster.operator("running");
  namespace = await cluster.namespace("training");
  await cluster.apply(environmentsClaim(namespace));
  await cluster.kubectl(
    ...["create", "configmap", "data", "-n", namespace],
    ...files.map((file) => `--from-file=${join(EXAMPLES, "data", file)}`),
  );
  await cluster.kubectl(
    ...["create", "configmap", "churn", "-n", namespace],
    `--from-file=churn.csv=${join(EXAMPLES, "data/churn.csv")}`,
  );
  await cluster.kubectl(
    "create",
    "secret",
    "generic",
    "gemini",
    "-n",
    namespace,
    "--from-literal=apiKey=any-key",
  );
  await simulateGemini(cluster, "success");
  ({ store, close: closeStore } = await artifactStore(cluster));
  await cluster.apply(...examples.flatMap(({ documents }) => documents.map(inCluster)));
}, 5 * MINUTES);

afterAll(() => {
  closeStore();
});

async function job(name: string): Promise<TrainingJob> {
  return TrainingJob.parse(await cluster.get("trainingjobs.autoai.dev", namespace, name));
}

const sha256 = (body: Uint8Array) => createHash("sha256").update(body).digest("hex");
/** The key of an s3:// address of the operator's bucket. */
const keyOf = (uri: string) => uri.replace(/^s3:\/\/[^/]+\//, "");

describe.each(jobs)("TrainingJob $metadata.name", ({ metadata: { name }, spec }: Document) => {
  test(
    "becomes Ready by kubectl wait",
    async () => {
      const waited = await cluster.run([
        ...["wait", "--for=condition=Ready", `trainingjobs.autoai.dev/${name}`, "-n", namespace],
        `--timeout=${READY_SECONDS}s`,
      ]);
      const story = () => cluster.kubectl("describe", "trainingjobs.autoai.dev", name, "-n", namespace);
      expect(waited.code, waited.code === 0 ? "" : `${waited.errors}\n${await story()}`).toBe(0);
      const { status } = await job(name);
      expect(status?.state).toBe("READY");
      expect(status?.model?.finalScore).toMatch(/^-?\d/);
      expect(status?.baselineScore).toMatch(/^-?\d/);
      expect(status?.usage?.tokens === 0).toBe(spec.llm.provider === "Offline");
    },
    READY_SECONDS * 1000 + MINUTES,
  );

  test("has its model in the store, with the digests that the status and model.json give", async () => {
    const { status } = await job(name);
    const prefix = keyOf(status?.model?.uri ?? "");
    const manifest = await store.get(`${prefix}/model.json`);
    expect(sha256(manifest)).toBe(status?.model?.digest);
    const { files: packaged } = ModelManifest.parse(JSON.parse(new TextDecoder().decode(manifest)));
    for (const [path, { sha256: digest }] of Object.entries(packaged)) {
      expect(sha256(await store.get(`${prefix}/${path}`)), path).toBe(digest);
    }
    expect(await store.exists(keyOf(status?.reportUri ?? ""))).toBe(true);
  });

  test("has a whole journal, from the prepared data to its end", async () => {
    const one = await job(name);
    const { entries } = await Journal.load(store, journalPrefix(one), { now: Date.now }, 0);
    expect(entries.at(0)?.type).toBe("DatasetPrepared");
    expect(entries.at(-1)).toMatchObject({ type: "JobFinished", state: "READY" });
    expect(entries.filter(({ type }) => type === "ModelPublished")).toHaveLength(1);
  });
});

test("nothing is left running", async () => {
  await eventually("the end of the last pod", 60, async () => {
    const pods = await cluster.kubectl("get", "pods", "-n", namespace, "-o", "name");
    return pods.trim() === "";
  });
});
