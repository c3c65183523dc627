/**
 * What one namespace asks of the operator that is another's: the operator may read every Secret that a manifest names and everything in
 * the store, and has to read for a namespace what belongs to it. On a cluster: test/cluster/tenancy.test.ts.
 */
import { afterAll, beforeAll, describe } from "vitest";
import { Dataset } from "../../operator/api/dataset.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import type { KindName } from "../../operator/cluster/cluster.ts";
import { MemoryCluster } from "../../operator/cluster/memory.ts";
import type { JobContext } from "../../operator/evaluation/context.ts";
import { languageModelsOf } from "../../operator/language-models.ts";
import { datasetsOf } from "../../operator/reconcilers/dataset-source.ts";
import { recipesOf } from "../../operator/reconcilers/recipe-source.ts";
import { archiveKey } from "../../operator/sandbox/environment-keys.ts";
import type { InstallExecution } from "../../operator/sandbox/executor.ts";
import { errandOf } from "../../operator/sandbox/pods/errand.ts";
import { RUNNER_PATH } from "../../operator/sandbox/pods/settings.ts";
import { fetchBytes } from "../../operator/sources/https.ts";
import type { PostGrant } from "../../operator/storage/grants.ts";
import { MemoryStore } from "../../operator/storage/memory-store.ts";
import { findMinio, type Minio, startMinio } from "../minio.ts";
import { attack, type Got } from "./ledger.ts";

/** The guard is that a name is looked up in the namespace of the object that has it; here it is looked up in ada's. */
class Elsewhere extends MemoryCluster {
  override get<K extends KindName>(kind: K, key: string) {
    return super.get(kind, key.replace(/^[^/]+/, "ada"));
  }
  override secret(_: string, name: string) {
    return super.secret("ada", name);
  }
}
const cluster = new MemoryCluster();
const elsewhere = new Elsewhere();
const store = new MemoryStore();

const job = (namespace: string, spec: object): TrainingJob =>
  TrainingJob.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name: "job", namespace },
    spec: { dataset: { configMapKeyRef: { name: "rows", key: "a.csv" } }, target: "b", ...spec },
  });

for (const one of [cluster, elsewhere]) {
  one.setSecret("ada", "keys", { gemini: "the key of ada" });
  one.apply(job("ada", {}));
  one.apply(
    Dataset.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "Dataset",
      metadata: { name: "rows", namespace: "ada" },
      spec: { source: { configMapKeyRef: { name: "rows", key: "a.csv" } } },
    }),
  );
}

/** What an attempt got, but for one refusal. */
async function but(refusal: string, attempt: () => Promise<unknown>): Promise<Got> {
  try {
    return `got ${JSON.stringify(await attempt())}`;
  } catch (error) {
    const { reason } = error as { reason?: string };
    return reason === refusal ? undefined : `not ${refusal}, but ${reason}`;
  }
}

/** A reference to a thing of ada's by its name, in mallory's namespace. */
function reference(name: string, refusal: string, follow: (from: MemoryCluster) => Promise<unknown>): void {
  attack(name, {
    place: "another namespace, through the operator",
    guard: refusal,
    attempt: () => but(refusal, () => follow(cluster)),
    without: {
      how: "where names are looked up elsewhere",
      attempt: () => but(refusal, () => follow(elsewhere)),
    },
  });
}

const contextOf = (namespace: string, spec: object): JobContext =>
  ({ job: job(namespace, spec), store }) as unknown as JobContext;

reference("another's Secret as key of the LLM", "SecretNotFound", async (from) => {
  const llm = { provider: "Gemini", apiKeySecretRef: { name: "keys", key: "gemini" } };
  return typeof (await languageModelsOf(from, {})(job("mallory", { llm })));
});
reference("another's job as the source of a recipe", "RecipeNotFound", (from) =>
  recipesOf(from, store)(contextOf("mallory", { recipeFrom: "job" })),
);
reference("another's Dataset by its name", "DatasetNotFound", (from) =>
  datasetsOf(from, store, async () => {})(
    contextOf("mallory", { dataset: { datasetRef: { name: "rows" } } }),
  ),
);

for (const address of ["10.96.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "2130706433", "[fd00:ec2::254]"])
  attack(`a data set at https://${address}/`, {
    place: "another namespace, through the operator",
    guard: "public addresses alone are read",
    attempt: () =>
      but("SourceForbidden", () => fetchBytes(`https://${address}/`, { maxBytes: 10, timeoutSeconds: 1 })),
    without: {
      how: "with every address allowed",
      attempt: () =>
        but("SourceForbidden", () =>
          fetchBytes(`https://${address}/`, { maxBytes: 10, timeoutSeconds: 1, isAllowed: () => true }),
        ),
    },
  });

const program = findMinio();
describe.runIf(program !== undefined)(
  "by the grants of an installation, which who may read pods may use",
  () => {
    let minio: Minio;
    beforeAll(async () => {
      minio = await startMinio(program ?? "");
      await minio.store.ensureBucket();
    });
    afterAll(() => minio?.close());
    const digest = "e".repeat(64);

    const posted = async ({ url, fields }: PostGrant, key: string): Promise<Got> => {
      const form = new FormData();
      for (const [name, value] of Object.entries({ ...fields, key })) form.set(name, value);
      form.set("file", new Blob(["poison"]));
      const { ok, status } = await fetch(url, { method: "POST", body: form });
      return ok && `written: ${status}`;
    };
    attack("another namespace's environment, poisoned in the store", {
      place: "a grant of one's own installation",
      guard: "each namespace's environments below a prefix of its own",
      attempt: async () => {
        const install: InstallExecution = {
          kind: "Install",
          name: "install",
          owner: "mallory/job",
          limits: { seconds: 60, cpus: 1, memoryBytes: 1e9, diskBytes: 1e8, processes: 20 },
          packages: [],
          inputs: {},
          outputs: {},
          outcomeKey: "jobs/mallory/job-1/install.json",
        };
        const settings = { image: "runner", pullPolicy: "Never", runnerPath: RUNNER_PATH } as const;
        const errand = await errandOf(install, { grants: minio.store, settings });
        if (errand.kind !== "Install") throw new Error("an installation was asked for");
        const keys = [
          archiveKey("ada", digest, digest),
          `environments/${digest}.tar`,
          `environments/mallory/../ada/${digest}/${digest}.tar`,
        ];
        const got = await Promise.all(keys.map((key) => posted(errand.keep, key)));
        return got.find(Boolean);
      },
      without: {
        how: "with a grant for the environments of all namespaces, as it was before",
        attempt: async () =>
          posted(await minio.store.grantPost("environments/", 600, 1000), archiveKey("ada", digest, digest)),
      },
    });
  },
);
