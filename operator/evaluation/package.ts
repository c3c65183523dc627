/** The model package: model, recipe, lock, reference rows, and model.json, which names them all by digest. */
import { find } from "../agent/journal.ts";
import type { Candidate, EntryOf } from "../api/journal.ts";
import { type Feature, ModelManifest, packagePrefix } from "../api/model-manifest.ts";
import { type ColumnProfile, Profile } from "../api/profile.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { archiveIn, environmentLockOf } from "../sandbox/environment-keys.ts";
import type { ArtifactStore, ObjectDigest } from "../storage/artifact-store.ts";
import { dataKey, encode, type JobContext, jobPrefix, ownerKey, readJson, sha256 } from "./context.ts";
import type { FinalScore } from "./publish.ts";
import { MODEL_FILE, modelKey, ONNX_FILE, onnxKey, predictionsKey } from "./verify.ts";

export const MANIFEST_FILE = "model.json";
const PROFILE_FILE = "profile.json";

export type Publication = {
  readonly prepared: EntryOf<"DatasetPrepared">;
  readonly winner: FinalScore;
  readonly baseline: FinalScore;
  /** Label of the fit whose model is published. */
  readonly label: string;
};

/** Writes the package below its own digest; the same publication gives the same package. */
export async function packageModel(
  context: JobContext,
  publication: Publication,
): Promise<{ prefix: string; digest: string }> {
  const { store, job } = context;
  const { winner, label } = publication;
  const { recipe } = winner.candidate;
  const exported = onnxKey(context, label);
  const sources: (readonly [path: string, key: string])[] = [
    [MODEL_FILE, modelKey(context, label)],
    ...((await store.exists(exported)) ? ([[ONNX_FILE, exported]] as const) : []),
    ...recipe.files.map(({ path, key }) => [`recipe/${path}`, key] as const),
    ["lock.txt", await environmentLockOf(store, job.metadata.namespace ?? "default", recipe.environment)],
    ["task.json", dataKey(job, "task.json")],
    ["reference.csv", dataKey(job, "probe.features.csv")],
    ["reference-predictions.csv", predictionsKey(context, label, "reference")],
  ];
  // A job that an earlier version prepared has none.
  if (await store.exists(trainingProfileKey(job))) sources.push([PROFILE_FILE, trainingProfileKey(job)]);
  // A model may be larger than the operator's memory: nothing of it passes through here but its digest.
  const files: Record<string, ObjectDigest> = {};
  for (const [path, key] of sources) files[path] = await store.digest(key);
  const profile = await readJson(store, dataKey(job, "profile.json"), Profile);
  const archive = await archiveIn(store, job.metadata.namespace ?? "default", recipe.environment);
  const manifest = encode(ModelManifest.parse(manifestOf(context, publication, profile, files, archive)));
  const digest = sha256(manifest);
  const prefix = packagePrefix(ownerKey(job), digest);
  // First: a job that ends before its journal names the package still knows what to take away with it.
  await store.put(`${begunPackages(job)}${digest}`, encode(prefix));
  // What is changed meanwhile differs from its digest, and is loaded by nobody.
  for (const [path, key] of sources) await store.copy(key, `${prefix}/${path}`);
  // Last: where it stands, the package is whole.
  await store.put(`${prefix}/${MANIFEST_FILE}`, manifest);
  return { prefix, digest };
}

/** Below this each package that was begun has a key, which ends with its digest. */
const begunPackages = (job: TrainingJob): string => `${jobPrefix(job)}/packages/`;

/** Prefixes of the packages that the job began to write, whether its journal came to name them or not. */
export async function packagesOf(store: Pick<ArtifactStore, "list">, job: TrainingJob): Promise<string[]> {
  const keys = await store.list(begunPackages(job));
  return keys.map((key) => packagePrefix(ownerKey(job), key.slice(begunPackages(job).length)));
}

/** How the rows that the published model was trained on are distributed. */
function trainingProfileKey(job: TrainingJob): string {
  const rows = job.spec.evaluation.publish === "Refit" ? "all" : "development";
  return dataKey(job, `${rows}.distribution.json`);
}

/** Names a recipe by what it is made of: its files and its entry. */
export function recipeDigest({ recipe }: Candidate): string {
  const files = recipe.files.map(({ path, sha256 }) => `${path} ${sha256}`).sort();
  return sha256([recipe.entry, ...files].join("\n"));
}

function manifestOf(
  context: JobContext,
  { prepared, winner, baseline }: Publication,
  profile: Profile,
  files: ModelManifest["files"],
  environmentArchive: string | undefined,
): ModelManifest {
  const { job, journal } = context;
  const { spec, metadata } = job;
  const { candidate, result } = winner;
  const { evaluation } = spec;
  const { rows } = prepared;
  const refit = evaluation.publish === "Refit";
  const reply = find(journal.entries, "ReplyReceived");
  return {
    schemaVersion: 1,
    name: candidate.name,
    description: candidate.description,
    task: prepared.task,
    target: spec.target,
    classes: prepared.classes,
    metric: prepared.metric,
    features: profile.columns
      .filter(({ name }) => name !== spec.target)
      .map((column) => featureOf(column, profile)),
    scores: {
      verified: candidate.verified.score,
      standardError: candidate.verified.standardError,
      ...(candidate.claimedScore === undefined ? {} : { claimed: candidate.claimedScore }),
      final: result.score,
      finalStandardError: result.standardError,
      baselineFinal: baseline.result.score,
    },
    provenance: {
      job: {
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
      },
      datasetSha256: prepared.datasetSha256,
      split: {
        by: evaluation.split,
        column: evaluation.column,
        method: prepared.method,
        folds: prepared.folds,
        seed: evaluation.seed,
        finalPercent: evaluation.finalPercent,
      },
      publish: evaluation.publish,
      rows: rows.train + rows.selection + (refit ? rows.final : 0),
      origin: candidate.origin,
      recipe: recipeDigest(candidate),
      environment: candidate.recipe.environment,
      ...(environmentArchive === undefined ? {} : { environmentArchive }),
      operatorVersion: context.version,
      ...(reply
        ? { llm: { provider: reply.model === "offline" ? "Offline" : "Gemini", model: reply.model } }
        : {}),
      // The journal's time, not the clock's: a package made again after a crash is the same one.
      createdAt: journal.entries.at(-1)?.at ?? "",
    },
    files,
  } as ModelManifest;
}

function featureOf(column: ColumnProfile, profile: Profile): Feature {
  const index = profile.preview.columns.indexOf(column.name);
  const cells = profile.preview.rows.map((row) => row[index] ?? "");
  const cell = cells.find((text) => text !== "") ?? column.top[0]?.value;
  const numeric = column.type === "Integer" || column.type === "Number";
  const example = cell === undefined ? null : numeric && Number.isFinite(Number(cell)) ? Number(cell) : cell;
  return {
    name: column.name,
    type: column.type,
    ...(column.format === undefined ? {} : { format: column.format }),
    nullable: column.missing > 0,
    ...(column.type === "Category" || column.type === "Boolean"
      ? { categories: column.top.map(({ value }) => value) }
      : {}),
    ...(column.min === undefined ? {} : { min: column.min.slice(0, 64) }),
    ...(column.max === undefined ? {} : { max: column.max.slice(0, 64) }),
    example,
  };
}
