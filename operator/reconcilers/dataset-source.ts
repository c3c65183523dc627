/** Brings the rows of a job: from its own source, or from the Dataset that it names. */
import { Profile } from "../api/profile.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { StalledError, WaitingError } from "../engine/errors.ts";
import { dataKey, encode, type JobContext, readJson } from "../evaluation/context.ts";
import { type Intake, ingest } from "../evaluation/prepare.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";
import { datasetKeys } from "./dataset.ts";

/** The data of a job; WaitingError while they are taken in, StalledError where they cannot be. */
export type Datasets = (context: JobContext) => Promise<Intake>;

/** What a CSV can be read from, but for a Dataset. */
export type Source = Pick<TrainingJob["spec"]["dataset"], "uri" | "configMapKeyRef" | "credentialsSecretRef">;

/** Puts the bytes of a source at a key of the store, once. StalledError where there are none, or too many. */
export type BringSource = (source: Source, namespace: string, key: string) => Promise<void>;

export function datasetsOf(cluster: Cluster, store: ArtifactStore, bring: BringSource): Datasets {
  return async (context) => {
    const { dataset } = context.job.spec;
    const namespace = context.job.metadata.namespace ?? "default";
    if (dataset.datasetRef) return byReference(cluster, store, `${namespace}/${dataset.datasetRef.name}`);
    const sourceKey = dataKey(context.job, "source.csv");
    if (!(await store.exists(sourceKey))) await bring(dataset, namespace, sourceKey);
    return ingest(context, sourceKey);
  };
}

async function byReference(cluster: Cluster, store: ArtifactStore, key: string): Promise<Intake> {
  const dataset = await cluster.get("Dataset", key);
  if (!dataset) {
    throw new StalledError(
      "DatasetNotFound",
      `spec.dataset.datasetRef names Dataset ${key}, which does not exist`,
    );
  }
  const condition = (type: string) => dataset.status?.conditions?.find((one) => one.type === type);
  const stalled = condition("Stalled");
  if (stalled?.status === "True") {
    throw new StalledError(stalled.reason, `Dataset ${key} could not be taken in: ${stalled.message}`);
  }
  if (condition("Ready")?.status !== "True") {
    throw new WaitingError("DatasetNotReady", `waiting for Dataset ${key} to be taken in`, 2);
  }
  const keys = datasetKeys(dataset);
  return { canonicalKey: keys.canonical, profile: await readJson(store, keys.profile, Profile) };
}

/** The bytes under a key of a ConfigMap; StalledError where there are none. */
export async function configMapBytes(
  cluster: Pick<Cluster, "configMap">,
  namespace: string,
  { name, key }: { readonly name: string; readonly key: string },
): Promise<Uint8Array> {
  const data = await cluster.configMap(namespace, name);
  const value = data?.[key];
  if (value !== undefined) return typeof value === "string" ? encode(value) : value;
  const found = data
    ? `it has the keys ${Object.keys(data).slice(0, 20).join(", ") || "(none)"}`
    : "there is no such ConfigMap";
  throw new StalledError("ConfigMapNotFound", `ConfigMap ${namespace}/${name}, key ${key}: ${found}`);
}
