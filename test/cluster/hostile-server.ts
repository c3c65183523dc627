/**
 * The pod of a ModelDeployment, as the operator makes it, with a model that tries things when it is loaded: without an operator, so that
 * one guard of the pod at a time can be taken away.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ModelDeployment } from "../../operator/api/modeldeployment.ts";
import { environmentLockKey } from "../../operator/sandbox/environment-keys.ts";
import { RUNNER_PATH } from "../../operator/sandbox/pods/settings.ts";
import { grantsSecret } from "../../operator/serving/grants.ts";
import { logGrant } from "../../operator/serving/log-grant.ts";
import { manifestsOf } from "../../operator/serving/manifests.ts";
import type { S3Store } from "../../operator/storage/minio.ts";
import { modelManifest } from "../builders/model-manifest.ts";
import { PYTHON } from "../builders/model-package.ts";
import { image } from "./choice.ts";
import { type Cluster, eventually, type Manifest } from "./cluster.ts";
import { STORE_LABELS, STORE_PORT } from "./minio-pod.ts";

// biome-ignore lint/suspicious/noExplicitAny: a manifest as it stands
type Json = any;
type Report = Readonly<Record<string, string | null>>;

const sha256 = (body: Uint8Array | string): string => createHash("sha256").update(body).digest("hex");

/** Acts when it is unpickled, tells what it got where only the container itself finds it, and then is a model. */
const HOSTILE = `
import json
from pathlib import Path

import attempts


class Model:
    def predict(self, frame):
        return [1.0] * len(frame)


def act():
    targets = json.loads((Path(__file__).parent / "targets.json").read_text())
    Path("/tmp/report.json").write_text(json.dumps(attempts.run(targets)))
    return Model()


class Hostile:
    def __reduce__(self):
        return act, ()
`;

export type HostileServer = {
  /** What the model got, in a pod that was changed before it was made. */
  report(change?: (pod: Json) => void): Promise<Report>;
};

export async function hostileServer(
  cluster: Cluster,
  store: S3Store,
  where: { readonly namespace: string; readonly environment: string; readonly claim: string },
  attempts: Uint8Array,
  targets: Readonly<Record<string, unknown>>,
): Promise<HostileServer> {
  const { namespace, environment, claim } = where;
  const files = {
    "trained_model.joblib": await pickled(attempts),
    "recipe/hostile.py": Buffer.from(HOSTILE),
    "recipe/attempts.py": attempts,
    "recipe/targets.json": Buffer.from(JSON.stringify(targets)),
    "lock.txt": await store.get(environmentLockKey(namespace, environment)),
    "reference.csv": Buffer.from("ask\nnothing\n"),
    "reference-predictions.csv": Buffer.from("prediction\n1.0\n"),
  };
  const manifest = Buffer.from(
    JSON.stringify(
      modelManifest({
        name: "Hostile",
        description: "Acts when it is loaded.",
        target: "answer",
        features: [
          { name: "ask", type: "Category", nullable: false, categories: ["nothing"], example: "nothing" },
        ],
        provenance: { job: { name: "hostile" }, environment },
        files: Object.fromEntries(
          Object.entries(files).map(([path, body]) => [path, { sha256: sha256(body), size: body.length }]),
        ),
      }),
    ),
  );
  const digest = sha256(manifest);
  const prefix = `models/${namespace}/hostile/${digest}`;
  for (const [path, body] of Object.entries({ ...files, "model.json": manifest }))
    await store.put(`${prefix}/${path}`, body);
  const deployment = ModelDeployment.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "ModelDeployment",
    metadata: { name: "hostile", namespace, uid: "00000000-0000-4000-8000-000000000000" },
    spec: {
      modelRef: { trainingJob: "hostile" },
      resources: { cpu: "300m", memory: "768Mi" },
      predictionLog: { mode: "Background" },
    },
  });
  const now = Date.now();
  const secret = await grantsSecret(store, {
    deployment,
    models: [{ trainingJob: "hostile", digest, files: Object.keys(files) }],
    shipping: async () => JSON.stringify(await logGrant(store, { namespace, name: "hostile" }, now)),
    now,
  });
  const children = manifestsOf(
    {
      deployment,
      model: {
        trainingJob: "hostile",
        digest,
        environment,
        bytes: Object.values(files).reduce((sum, body) => sum + body.length, 0),
      },
      environmentsClaim: claim,
    },
    {
      frontImage: image("inference-server"),
      runnerImage: image("runner"),
      pullPolicy: "IfNotPresent",
      runnerPath: RUNNER_PATH,
      store: { namespace, podLabels: STORE_LABELS },
      storePort: STORE_PORT,
    },
  );
  const [policy] = children.filter(({ kind }) => kind === "NetworkPolicy").map(ownerless);
  const template: Json = (children.find(({ kind }) => kind === "Deployment") as Json).spec.template;
  await cluster.apply(ownerless(secret), policy as Manifest);
  let count = 0;
  return {
    async report(change) {
      const name = `hostile-${++count}`;
      const pod = structuredClone({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { ...template.metadata, name, namespace },
        // Nobody waits for its answers: it is not given the time that a server has.
        spec: { ...template.spec, terminationGracePeriodSeconds: 1 },
      });
      change?.(pod);
      await cluster.apply(pod);
      const read = ["exec", "-n", namespace, name, "-c", "model", "--", "cat", "/tmp/report.json"];
      const told = await eventually(`the report of ${name}`, 120, async () => {
        const { code, out } = await cluster.run(read);
        return code === 0 && out.endsWith("}") ? out : undefined;
      });
      await cluster.kubectl(
        "delete",
        "pod",
        "-n",
        namespace,
        name,
        "--force",
        "--grace-period=0",
        "--wait=false",
      );
      return JSON.parse(told) as Report;
    },
  };
}

/** Its owner is nowhere: it would be removed with it. */
const ownerless = (child: Json): Manifest => {
  const { ownerReferences: _, ...metadata } = child.metadata;
  return { ...child, metadata };
};

async function pickled(attempts: Uint8Array): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "hostile-"));
  try {
    writeFileSync(join(folder, "hostile.py"), HOSTILE);
    writeFileSync(join(folder, "attempts.py"), attempts);
    const program = "import joblib, hostile; joblib.dump(hostile.Hostile(), 'model.joblib')";
    await promisify(execFile)(PYTHON, ["-B", "-c", program], { cwd: folder });
    return readFileSync(join(folder, "model.joblib"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
