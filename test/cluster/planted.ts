/**
 * READY jobs without a training: what a job leaves in the store (journal, package, report) is put there, and the operator makes
 * the status of it, as it does after a restart. The model is test/fakes/programs/behaviour.py: it predicts one number.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Journal } from "../../operator/agent/journal.ts";
import type { JournalDraft } from "../../operator/api/journal.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { journalPrefix, reportKey } from "../../operator/evaluation/context.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import { baselines, candidate, jobFinished, prepared, published } from "../builders/entries.ts";
import { modelManifest } from "../builders/model-manifest.ts";
import { PYTHON, ROOT } from "../builders/model-package.ts";
import { type Cluster, eventually } from "./cluster.ts";

export type Planted = {
  readonly name: string;
  /** What its model predicts. */
  readonly value: number;
  /** What the graph in its package predicts; absent: it has none. */
  readonly exported?: number;
  readonly recipeFrom?: string;
  readonly verified?: number;
};

/** A real environment: of a job that was trained; and by which archive of it a model is served, where that is to be said. */
export type Environment = {
  readonly digest: string;
  readonly lock: Uint8Array;
  readonly archive?: string;
};

const PROGRAMS = join(ROOT, "test", "fakes", "programs");
const sha256 = (body: Uint8Array | string): string => createHash("sha256").update(body).digest("hex");

/** A pickle of something in behaviour.py, in the form of joblib. */
export async function pickled(expression: string): Promise<Buffer> {
  const program = `import sys, joblib; sys.path.insert(0, sys.argv[1]); import behaviour; joblib.dump(behaviour.${expression}, sys.stdout.buffer)`;
  const { stdout } = await promisify(execFile)(PYTHON, ["-B", "-c", program, PROGRAMS], {
    encoding: "buffer",
  });
  return stdout;
}

/** A graph over the column `ask` that gives one number for every row. */
async function graphOf(value: number): Promise<Buffer> {
  const program = `
import sys, onnx
from onnx import TensorProto as t, helper as h
nodes = [
    h.make_node("Shape", ["ask"], ["shape"]),
    h.make_node("ConstantOfShape", ["shape"], ["table"], value=h.make_tensor("value", t.FLOAT, [1], [float(sys.argv[1])])),
    h.make_node("Reshape", ["table", "flat"], ["values"]),
]
graph = h.make_graph(
    nodes, "number",
    [h.make_tensor_value_info("ask", t.STRING, [None, 1])],
    [h.make_tensor_value_info("values", t.FLOAT, [None])],
    [h.make_tensor("flat", t.INT64, [1], [-1])],
)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
sys.stdout.buffer.write(model.SerializeToString())`;
  const { stdout } = await promisify(execFile)(PYTHON, ["-B", "-c", program, String(value)], {
    encoding: "buffer",
  });
  return stdout;
}

/** Makes the job, READY. Gives the digest of its model. */
export async function plant(
  cluster: Cluster,
  store: ArtifactStore,
  namespace: string,
  environment: Environment,
  job: Planted,
): Promise<string> {
  const { name, recipeFrom } = job;
  const manifest = {
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name, namespace },
    spec: {
      dataset: { configMapKeyRef: { name: "none", key: "none" } },
      target: "answer",
      suspend: true,
      ...(recipeFrom === undefined ? { llm: { provider: "Offline" } } : { recipeFrom }),
    },
  };
  await cluster.apply(manifest);
  const read = TrainingJob.parse(await cluster.get("trainingjobs.autoai.dev", namespace, name));
  const { verified = 0.8 } = job;
  const digest = await packed(store, read, environment, job);
  await store.put(reportKey(read), Buffer.from("<p>planted</p>"));
  const journal = await Journal.load(store, journalPrefix(read), { now: Date.now }, 0);
  const entry = published(2);
  const drafts = [
    prepared({ task: "Regression", metric: "R2", classes: [] }),
    ...baselines(0, 0.5, "R2"),
    { type: "CandidateVerified", candidate: candidate({ score: verified, metric: "R2" }) },
    { ...entry, digest, prefix: `models/${namespace}/${name}/${digest}` },
    jobFinished("READY"),
  ];
  for (const draft of drafts) await journal.append(draft as JournalDraft);
  await cluster.apply({ ...manifest, spec: { ...manifest.spec, suspend: false } });
  await eventually(`TrainingJob ${name} to be READY`, 30, async () => {
    const { status } = TrainingJob.parse(await cluster.get("trainingjobs.autoai.dev", namespace, name));
    return status?.state === "READY";
  });
  return digest;
}

async function packed(
  store: ArtifactStore,
  { metadata }: TrainingJob,
  environment: Environment,
  { value, exported, verified = 0.8 }: Planted,
): Promise<string> {
  const files: Readonly<Record<string, Uint8Array>> = {
    "trained_model.joblib": await pickled(`Model(${value}.0)`),
    "recipe/behaviour.py": readFileSync(join(PROGRAMS, "behaviour.py")),
    "lock.txt": environment.lock,
    "reference.csv": Buffer.from("ask\nnothing\nsomething\n"),
    ...(exported === undefined ? {} : { "model.onnx": await graphOf(exported) }),
    "reference-predictions.csv": Buffer.from(`prediction\n${value}.0\n${value}.0\n`),
  };
  const manifest = modelManifest({
    name: `The number ${value}`,
    description: "Made by a test.",
    target: "answer",
    features: [
      { name: "ask", type: "Category", nullable: false, categories: ["nothing"], example: "nothing" },
    ],
    scores: { verified, baselineFinal: 0.5 },
    provenance: {
      job: { name: metadata.name },
      environment: environment.digest,
      environmentArchive: environment.archive,
    },
    files: Object.fromEntries(
      Object.entries(files).map(([path, body]) => [path, { sha256: sha256(body), size: body.length }]),
    ),
  });
  const text = Buffer.from(JSON.stringify(manifest));
  const digest = sha256(text);
  const prefix = `models/${metadata.namespace}/${metadata.name}/${digest}`;
  for (const [path, body] of Object.entries(files)) await store.put(`${prefix}/${path}`, body);
  await store.put(`${prefix}/model.json`, text);
  return digest;
}
