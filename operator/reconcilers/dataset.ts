/** Dataset: bring the bytes, take them in once, say what is in them. */
import { z } from "zod";
import type { Clock } from "../agent/journal.ts";
import type { Dataset, DatasetStatus } from "../api/dataset.ts";
import { originOf, shortOrigin } from "../api/origin.ts";
import { Profile } from "../api/profile.ts";
import { type Cluster, ConflictError } from "../cluster/cluster.ts";
import { OVERTAKEN, type Result } from "../engine/controller.ts";
import { StalledError, WaitingError } from "../engine/errors.ts";
import { encode, readJson, sha256 } from "../evaluation/context.ts";
import type { Executor } from "../sandbox/executor.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";
import { adopt } from "./adopt.ts";
import { cleanUp, type Retention } from "./cleanup.ts";
import { conditions, type Situation, summary } from "./conditions.ts";
import type { BringSource } from "./dataset-source.ts";
import { isStalled, platformReason } from "./platform.ts";
import { isRecoverable, STALLED_SECONDS } from "./stalls.ts";

export type DatasetReconciler = {
  readonly cluster: Cluster;
  readonly store: ArtifactStore;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly bring: BringSource;
  /** What becomes of a deleted data set's artifacts; Retain where absent. */
  readonly artifacts?: Retention;
};

/** Where the parts of a data set lie in the store. */
export function datasetKeys(
  dataset: Dataset,
): Record<"prefix" | "source" | "canonical" | "profile" | "preview" | "outcome" | "end", string> {
  const prefix = `datasets/${dataset.metadata.namespace ?? "default"}/${dataset.metadata.name}-${shortOrigin(dataset)}`;
  return {
    prefix,
    source: `${prefix}/source.csv`,
    canonical: `${prefix}/canonical.csv`,
    profile: `${prefix}/profile.json`,
    preview: `${prefix}/preview.json`,
    outcome: `${prefix}/outcome.json`,
    end: `${prefix}/end.json`,
  };
}

export async function reconcileDataset(operator: DatasetReconciler, key: string): Promise<Result> {
  const read = await operator.cluster.get("Dataset", key);
  if (!read) {
    await operator.executor.cancel(`dataset:${key}`);
    return {};
  }
  try {
    if (read.metadata.deletionTimestamp !== undefined) {
      await cleanUp(operator, read, `dataset:${key}`, async () => [datasetKeys(read).prefix]);
      return {};
    }
    if (isOver(read)) return {};
    const dataset = await adopt(operator, read, (one) => datasetKeys(one).prefix);
    return dataset ? await advance(operator, dataset, key) : {};
  } catch (error) {
    if (error instanceof ConflictError) return OVERTAKEN;
    throw error;
  }
}

async function advance(operator: DatasetReconciler, dataset: Dataset, key: string): Promise<Result> {
  try {
    const profile = await takeIn(operator, dataset, key);
    const message = `${profile.rows} rows and ${profile.columns.length} columns`;
    await patch(operator, dataset, { type: "Ready", reason: "TakenIn", message }, profile);
    return {};
  } catch (error) {
    if (error instanceof WaitingError) {
      await patch(operator, dataset, { type: "InProgress", reason: error.reason, message: error.message });
      return { requeueAfterSeconds: error.requeueAfterSeconds, waiting: true };
    }
    if (error instanceof EndedError) {
      await patch(operator, dataset, { type: "Stalled", reason: error.reason, message: error.message });
      return {};
    }
    if (error instanceof StalledError || isStalled(error)) {
      await operator.cluster.event(dataset, "Warning", error.reason, error.message);
      const mends = !(error instanceof StalledError) || isRecoverable(error.reason);
      const { reason, message } = error;
      // Before the status: what is over stays over, also for an operator that comes later.
      if (!mends) await operator.store.create(datasetKeys(dataset).end, encode({ reason, message }));
      await patch(operator, dataset, { type: "Stalled", reason, message });
      return mends ? { requeueAfterSeconds: STALLED_SECONDS } : {};
    }
    if (error instanceof ConflictError) throw error;
    const reason = platformReason(error);
    const message = error instanceof Error ? error.message : String(error);
    await patch(operator, dataset, { type: "InProgress", reason, message: `${message}; trying again` });
    throw error;
  }
}

/** That the data set could not be taken in was found out before, for good. */
class EndedError extends StalledError {}

const End = z.object({ reason: z.string(), message: z.string() });

/** Throws EndedError where the data set is over. */
async function checkEnd({ store }: DatasetReconciler, key: string): Promise<void> {
  if (!(await store.exists(key))) return;
  const { reason, message } = await readJson(store, key, End);
  throw new EndedError(reason, message);
}

/** Taken in: for good, since the source is immutable. */
function isOver(dataset: Dataset): boolean {
  return Boolean(
    dataset.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
  );
}

async function takeIn(operator: DatasetReconciler, dataset: Dataset, key: string): Promise<Profile> {
  const keys = datasetKeys(dataset);
  const { source, format } = dataset.spec;
  await checkEnd(operator, keys.end);
  if (!(await operator.store.exists(keys.source))) {
    if (source.upload) throw new WaitingError("WaitingForUpload", "the CSV has not been uploaded yet", 5);
    await operator.bring(source, dataset.metadata.namespace ?? "default", keys.source);
  }
  const outcome = await operator.executor.ensure({
    kind: "Trusted",
    name: `dataset-${dataset.metadata.name.slice(0, 30).replace(/-+$/, "")}-${sha256(`${key} ${originOf(dataset)}`).slice(0, 8)}-ingest`,
    owner: `dataset:${key}`,
    limits: { seconds: 600, cpus: 1, memoryBytes: 2 * 1024 ** 3, diskBytes: 1024 ** 3, processes: 16 },
    outcomeKey: keys.outcome,
    verb: "ingest",
    request: { input: "source.csv", format, canonical: "canonical.csv" },
    inputs: { "source.csv": keys.source },
    outputs: { "canonical.csv": keys.canonical },
  });
  if (!outcome) throw new WaitingError("TakingIn", "reading the CSV");
  if (outcome.refusal) throw new StalledError(outcome.refusal.reason, outcome.refusal.message);
  const profile = Profile.parse(outcome.result);
  await operator.store.put(keys.profile, encode(profile));
  await operator.store.put(keys.preview, encode(profile.preview));
  return profile;
}

async function patch(
  operator: DatasetReconciler,
  dataset: Dataset,
  situation: Situation,
  profile?: Profile,
): Promise<void> {
  const keys = datasetKeys(dataset);
  const generation = dataset.metadata.generation;
  const status: DatasetStatus = {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditions(
      dataset.status?.conditions,
      summary(situation),
      generation,
      new Date(operator.clock.now()).toISOString(),
    ),
    ...(profile
      ? {
          rows: profile.rows,
          columns: profile.columns.length,
          sizeBytes: profile.sizeBytes,
          sha256: profile.sha256,
          storageUri: operator.store.uri(keys.canonical),
          profileUri: operator.store.uri(keys.profile),
          previewUri: operator.store.uri(keys.preview),
          ...(profile.warnings.length
            ? { warnings: profile.warnings.slice(0, 32).map(({ message }) => message.slice(0, 512)) }
            : {}),
        }
      : {}),
  };
  await operator.cluster.updateStatus(dataset, status);
}
