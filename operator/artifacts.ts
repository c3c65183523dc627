/** What is handed out of a TrainingJob or a Dataset, by the name of the artifact: a reader chooses no key of the store. */
import type { Dataset } from "./api/dataset.ts";
import { packagePrefix } from "./api/model-manifest.ts";
import { Profile } from "./api/profile.ts";
import type { TrainingJob } from "./api/trainingjob.ts";
import { dataKey, encode, ownerKey, readJson, reportKey } from "./evaluation/context.ts";
import { openPackage, type Package } from "./evaluation/package-entries.ts";
import type { ArtifactFile, ArtifactName } from "./observability/artifacts.ts";
import { datasetKeys } from "./reconcilers/dataset.ts";
import { type ArtifactStore, NotFoundError } from "./storage/artifact-store.ts";
import { type StoredStream, type Streams, streamOf } from "./storage/streams.ts";
import { packTar } from "./storage/tar.ts";

export type Artifacts = Pick<ArtifactStore, "get"> & Streams;

const HTML = "text/html; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";

/** The artifact; undefined where there is none yet. */
export async function openArtifact(
  store: Artifacts,
  resource: TrainingJob | Dataset,
  artifact: ArtifactName,
): Promise<ArtifactFile | undefined> {
  try {
    return await (resource.kind === "TrainingJob"
      ? ofJob(store, resource, artifact)
      : ofDataset(store, resource, artifact));
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** The package of a job's model; undefined where it has none. */
export async function modelOf(store: Artifacts, job: TrainingJob): Promise<Package | undefined> {
  const digest = job.status?.model?.digest;
  // Of the status nothing becomes part of a key but a digest.
  if (digest === undefined || !/^[0-9a-f]{64}$/.test(digest)) return undefined;
  return openPackage(store, packagePrefix(ownerKey(job), digest), digest);
}

async function ofJob(
  store: Artifacts,
  job: TrainingJob,
  artifact: ArtifactName,
): Promise<ArtifactFile | undefined> {
  const { name } = job.metadata;
  switch (artifact) {
    case "report":
      return { name: `${name}.html`, contentType: HTML, ...(await store.open(reportKey(job))) };
    case "profile":
      return json(`${name}-profile.json`, await store.open(dataKey(job, "profile.json")));
    case "preview": {
      const { preview } = await readJson(store, dataKey(job, "profile.json"), Profile);
      return json(`${name}-preview.json`, streamOf(encode(preview)));
    }
    case "model": {
      const found = await modelOf(store, job);
      if (!found) return undefined;
      const at = new Date(found.manifest.provenance.createdAt);
      return { name: `${name}.tar`, contentType: "application/x-tar", body: packTar(found.entries, at) };
    }
  }
}

async function ofDataset(
  store: Artifacts,
  dataset: Dataset,
  artifact: ArtifactName,
): Promise<ArtifactFile | undefined> {
  if (artifact !== "profile" && artifact !== "preview") return undefined;
  const key = datasetKeys(dataset)[artifact];
  return json(`${dataset.metadata.name}-${artifact}.json`, await store.open(key));
}

function json(name: string, stored: StoredStream): ArtifactFile {
  return { name, contentType: JSON_TYPE, ...stored };
}
