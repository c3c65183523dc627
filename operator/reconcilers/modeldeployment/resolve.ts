/** Which model a ModelDeployment serves: the job that it names, or a retrained one where it follows. */
import { ModelManifest, packagePrefix } from "../../api/model-manifest.ts";
import type { ModelDeployment } from "../../api/modeldeployment.ts";
import type { TrainingJob } from "../../api/trainingjob.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { StalledError } from "../../engine/errors.ts";
import { sha256 } from "../../evaluation/context.ts";
import type { Contender } from "../../serving/follow.ts";
import { follow, retrainedFrom } from "../../serving/follow.ts";
import type { ServedModel } from "../../serving/pod.ts";
import { type ArtifactStore, NotFoundError } from "../../storage/artifact-store.ts";
import type { Situation } from "../conditions.ts";

export type Resolved = {
  readonly model: ServedModel;
  readonly manifest: ModelManifest;
  /** What a person should know of the choice: begins with a semicolon, or is empty. */
  readonly note: string;
};

type Candidate = Contender & { readonly manifest: ModelManifest; readonly job: TrainingJob };

/** The job that `spec.modelRef` names, READY and with a model; or what keeps that. */
export async function readyJob(
  cluster: Pick<Cluster, "get">,
  { metadata, spec }: ModelDeployment,
): Promise<{ readonly job: TrainingJob } | Situation> {
  const name = spec.modelRef.trainingJob;
  const job = await cluster.get("TrainingJob", `${metadata.namespace ?? "default"}/${name}`);
  if (!job) {
    const message = `spec.modelRef names TrainingJob ${name}, which does not exist in this namespace`;
    return { type: "Stalled", reason: "TrainingJobNotFound", message };
  }
  if (job.status?.state === "ERROR") {
    const message = `TrainingJob ${name} ended in an error, so it has no model: name another one`;
    return { type: "Stalled", reason: "ModelNotAvailable", message };
  }
  if (job.status?.state !== "READY" || !job.status.model) {
    return { type: "InProgress", reason: "ModelNotReady", message: `waiting for TrainingJob ${name}` };
  }
  return { job };
}

/** @param job READY, as readyJob has it */
export async function resolveModel(
  cluster: Pick<Cluster, "list">,
  store: ArtifactStore,
  { metadata, spec }: ModelDeployment,
  job: TrainingJob,
): Promise<Resolved> {
  const { namespace = "default" } = metadata;
  const first = await candidateOf(store, namespace, job);
  const retrained = spec.followLatest
    ? await retrainedModels(cluster, store, namespace, job.metadata.name)
    : [];
  const { chosen, passedOver } = follow(first, retrained);
  return {
    model: servedModel(chosen),
    manifest: chosen.manifest,
    note: passedOver
      .map(({ trainingJob, why }) => `; TrainingJob ${trainingJob} is passed over: ${why}`)
      .join(""),
  };
}

async function retrainedModels(
  cluster: Pick<Cluster, "list">,
  store: ArtifactStore,
  namespace: string,
  first: string,
): Promise<Candidate[]> {
  const jobs = cluster.list("TrainingJob").filter(({ metadata }) => metadata.namespace === namespace);
  const family = new Set(
    retrainedFrom(
      first,
      jobs.map(({ metadata, spec }) => ({ name: metadata.name, recipeFrom: spec.recipeFrom })),
    ),
  );
  const ready = jobs.filter(
    ({ metadata, status }) =>
      family.has(metadata.name) && status?.state === "READY" && status.model !== undefined,
  );
  const found: Candidate[] = [];
  for (const job of ready) {
    try {
      found.push(await candidateOf(store, namespace, job));
    } catch (error) {
      // One that is gone or was tampered with is no reason not to serve another.
      if (!(error instanceof StalledError)) throw error;
    }
  }
  return found;
}

/** Throws StalledError where the store has not the model that the job's status names. */
async function candidateOf(store: ArtifactStore, namespace: string, job: TrainingJob): Promise<Candidate> {
  const digest = job.status?.model?.digest ?? "";
  const trainingJob = job.metadata.name;
  const manifest = await readManifest(store, namespace, trainingJob, digest);
  return { trainingJob, digest, manifest, job, completed: job.status?.completionTime ?? "" };
}

/** model.json of a model, if it is the one of the digest. Throws StalledError where it is not there, or another one. */
export async function readManifest(
  store: ArtifactStore,
  namespace: string,
  trainingJob: string,
  digest: string,
): Promise<ModelManifest> {
  const key = `${packagePrefix(`${namespace}/${trainingJob}`, digest)}/model.json`;
  let bytes: Uint8Array;
  try {
    bytes = await store.get(key);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new StalledError(
      "ModelMissing",
      `the store has no model at ${store.uri(key)}: was it deleted? Train again`,
      { cause: error },
    );
  }
  const found = sha256(bytes);
  if (found !== digest) {
    throw new StalledError(
      "DigestMismatch",
      `${store.uri(key)} is not the model that TrainingJob ${trainingJob} published: expected digest ${digest}, found ${found}`,
    );
  }
  return ModelManifest.parse(JSON.parse(new TextDecoder().decode(bytes)));
}

function servedModel({ trainingJob, digest, manifest, job }: Candidate): ServedModel {
  const { runtimeClassName } = job.spec.sandbox;
  return {
    trainingJob,
    digest,
    bytes: Object.values(manifest.files).reduce((sum, { size }) => sum + size, 0),
    environment: manifest.provenance.environment,
    environmentArchive: manifest.provenance.environmentArchive,
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
  };
}
