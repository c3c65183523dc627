/** ModelDeployment: which model, what it is made of, how far it is. One look at the world, one status. */
import type { Clock } from "../agent/journal.ts";
import type { ModelDeployment, ModelDeploymentStatus } from "../api/modeldeployment.ts";
import { predictionLogPrefix } from "../api/prediction-log.ts";
import { type Cluster, ConflictError } from "../cluster/cluster.ts";
import { OVERTAKEN, type Result } from "../engine/controller.ts";
import { StalledError } from "../engine/errors.ts";
import { belongsTo, type Children, RefusedChildError } from "../serving/children.ts";
import { ANNOTATIONS, urlOf } from "../serving/names.ts";
import { expireSegments } from "../serving/retention.ts";
import { type Rollout, rolloutOf } from "../serving/rollout.ts";
import { cleanUpDeployment, type DeploymentCleaner, FINALIZER } from "./cleanup.ts";
import { conditions, type Situation, summary } from "./conditions.ts";
import { applyModel, type Serving, withGrants } from "./modeldeployment/apply.ts";
import { type Resolved, readyJob, resolveModel } from "./modeldeployment/resolve.ts";
import { platformReason } from "./platform.ts";
import { STALLED_SECONDS } from "./stalls.ts";

export type ModelDeploymentReconciler = {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Absent: this operator serves nothing, and says so. */
  readonly serving?: Serving & DeploymentCleaner;
};

/** How soon a roll-out is looked at again; changes of its pods wake it sooner. */
const ROLLING_SECONDS = 10;
/** How soon what is ready is looked at again, at the latest. */
const IDLE_SECONDS = 600;

type Found = {
  readonly situation: Situation;
  readonly facts: Omit<ModelDeploymentStatus, "observedGeneration" | "conditions">;
  readonly requeueAfterSeconds: number;
};

export async function reconcileModelDeployment(
  operator: ModelDeploymentReconciler,
  key: string,
): Promise<Result> {
  const { cluster, serving } = operator;
  const read = await cluster.get("ModelDeployment", key);
  if (!read) return {};
  try {
    if (read.metadata.deletionTimestamp !== undefined) {
      const isDone = !serving || (await cleanUpDeployment(serving, cluster, read));
      return isDone ? {} : { requeueAfterSeconds: ROLLING_SECONDS };
    }
    // Where nothing of it is deleted from the store, nothing has to be done before it goes.
    const keeps = serving?.artifacts !== "Delete";
    const deployment = await cluster.setFinalizer(read, FINALIZER, !keeps);
    if (!deployment) return {};
    try {
      const found = await advance(operator, deployment);
      await write(operator, deployment, found.situation, found.facts);
      return { requeueAfterSeconds: found.requeueAfterSeconds };
    } catch (error) {
      if (error instanceof ConflictError) throw error;
      return await settle(operator, deployment, error);
    }
  } catch (error) {
    if (error instanceof ConflictError) return OVERTAKEN;
    throw error;
  }
}

async function advance(operator: ModelDeploymentReconciler, deployment: ModelDeployment): Promise<Found> {
  const { cluster, clock, serving } = operator;
  const ready = await readyJob(cluster, deployment);
  if (!("job" in ready)) return unresolved(operator, deployment, ready);
  if (!serving) {
    const message =
      "the model is there, but this operator serves none: `autoai serve` does, and in a cluster an operator with AUTOAI_INFERENCE_SERVER_IMAGE";
    return {
      situation: { type: "Stalled", reason: "ServingNotAvailable", message },
      facts: {},
      requeueAfterSeconds: STALLED_SECONDS,
    };
  }
  const resolved = await resolveModel(cluster, serving.store, deployment, ready.job);
  const { live, secondsLeft } = await applyModel(serving, deployment, resolved, clock.now());
  const { name, namespace = "default" } = deployment.metadata;
  const pods = serving.children.pods(namespace, name);
  const rollout = rolloutOf(live, pods, resolved.model.digest, clock.now());
  const runtime = await runtimeOf(serving, pods, rollout.servedDigest);
  const situation = situationOf(rollout, resolved);
  if (situation.type === "Stalled")
    await cluster.event(deployment, "Warning", situation.reason, situation.message);
  if (situation.type === "Ready") await tellRoll(cluster, deployment, resolved);
  const isTidy = situation.type !== "Ready" || (await expireLog(serving, deployment, clock.now()));
  return {
    situation,
    facts: {
      url: urlOf(namespace, name),
      replicas: rollout.ready,
      ...(rollout.servedDigest === undefined ? {} : { modelDigest: rollout.servedDigest }),
      ...jobOf(rollout, resolved, pods),
      ...(runtime === undefined ? {} : { runtime }),
      ...lastFailure(rollout, deployment),
    },
    requeueAfterSeconds: isTidy ? waitSeconds(situation, secondsLeft) : 1,
  };
}

function waitSeconds(situation: Situation, secondsLeft: number): number {
  if (situation.type === "Stalled") return STALLED_SECONDS;
  return situation.type === "InProgress"
    ? ROLLING_SECONDS
    : Math.max(1, Math.min(IDLE_SECONDS, Math.ceil(secondsLeft)));
}

/** The wanted model cannot be had. What serves goes on, and is given what it needs for that. */
async function unresolved(
  { serving, clock }: ModelDeploymentReconciler,
  deployment: ModelDeployment,
  situation: Situation,
): Promise<Found> {
  const { name, namespace = "default" } = deployment.metadata;
  const live = serving?.children.deployment(namespace, name);
  if (!serving || !live || !belongsTo(live, deployment)) {
    return { situation, facts: {}, requeueAfterSeconds: STALLED_SECONDS };
  }
  await withGrants(serving, deployment, [], clock.now());
  const pods = serving.children.pods(namespace, name);
  const wanted = live.metadata.annotations?.[ANNOTATIONS.digest] ?? "";
  const { ready, servedDigest } = rolloutOf(live, pods, wanted, clock.now());
  const goesOn =
    ready > 0 && servedDigest !== undefined
      ? `; model ${servedDigest.slice(0, 12)} goes on being served`
      : "";
  return {
    situation: { ...situation, message: `${situation.message}${goesOn}` },
    facts: {
      url: urlOf(namespace, name),
      replicas: ready,
      ...(servedDigest === undefined ? {} : { modelDigest: servedDigest }),
      ...(deployment.status?.trainingJob === undefined ? {} : { trainingJob: deployment.status.trainingJob }),
      ...(deployment.status?.runtime === undefined ? {} : { runtime: deployment.status.runtime }),
    },
    requeueAfterSeconds: STALLED_SECONDS,
  };
}

function situationOf(rollout: Rollout, { model, note }: Resolved): Situation {
  const { complete, wanted, ready, updated, failure, servedDigest } = rollout;
  const what = `model ${model.digest.slice(0, 12)} of TrainingJob ${model.trainingJob}`;
  if (complete && wanted === 0)
    return { type: "Ready", reason: "ScaledToZero", message: "spec.replicas is 0: nothing is served" };
  if (complete) {
    const servers = wanted === 1 ? "1 server answers" : `${ready} servers answer`;
    return { type: "Ready", reason: "Serving", message: `${servers} with ${what}${note}` };
  }
  const other =
    servedDigest !== undefined && servedDigest !== model.digest
      ? `; model ${servedDigest.slice(0, 12)} goes on being served`
      : "";
  if (failure?.stalls)
    return { type: "Stalled", reason: failure.reason, message: `${failure.message}${other}` };
  const trouble = failure ? ` (${failure.reason}: ${failure.message})` : "";
  return {
    type: "InProgress",
    reason: "RollingOut",
    message: `${updated} of ${wanted} servers are ready with ${what}${trouble}${other}`,
  };
}

/** Of a roll that does not succeed; one that did has none any more. */
function lastFailure(
  { complete, failure }: Rollout,
  { status }: ModelDeployment,
): Pick<ModelDeploymentStatus, "lastFailure"> {
  if (complete) return {};
  if (failure) return { lastFailure: `${failure.reason}: ${failure.message}`.slice(0, 1024) };
  return status?.lastFailure === undefined ? {} : { lastFailure: status.lastFailure };
}

function jobOf(
  { servedDigest }: Rollout,
  { model }: Resolved,
  pods: readonly { digest: string; trainingJob: string }[],
): Pick<ModelDeploymentStatus, "trainingJob"> {
  const trainingJob =
    servedDigest === model.digest
      ? model.trainingJob
      : pods.find(({ digest }) => digest === servedDigest)?.trainingJob;
  return trainingJob ? { trainingJob } : {};
}

/** What computes predictions, as a server that is ready says itself; unknown where none can be asked. */
async function runtimeOf(
  { engineOf }: Serving,
  pods: ReturnType<Children["pods"]>,
  digest: string | undefined,
): Promise<ModelDeploymentStatus["runtime"]> {
  const pod = pods.find((one) => one.digest === digest && !one.deleting && one.ip !== undefined);
  return pod?.ip === undefined ? undefined : engineOf(pod.ip);
}

async function tellRoll(cluster: Cluster, deployment: ModelDeployment, { model }: Resolved): Promise<void> {
  if (deployment.status?.modelDigest === model.digest) return;
  const message = `serves model ${model.digest.slice(0, 12)} of TrainingJob ${model.trainingJob}`;
  await cluster.event(deployment, "Normal", "Serving", message);
}

/** Deletes what of the prediction log is older than it is to be kept; false where there may be more of that. */
async function expireLog(
  { store }: Serving,
  { metadata, spec }: ModelDeployment,
  now: number,
): Promise<boolean> {
  const prefix = predictionLogPrefix(metadata.namespace ?? "default", metadata.name);
  const { retentionDays } = spec.predictionLog;
  return !(await expireSegments(store, { prefix, retentionDays, now })).more;
}

/** Turns what was thrown into a condition; what serves is left as it is. */
async function settle(
  operator: ModelDeploymentReconciler,
  deployment: ModelDeployment,
  error: unknown,
): Promise<Result> {
  const { conditions: _, observedGeneration: __, ...facts } = deployment.status ?? {};
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof StalledError || error instanceof RefusedChildError) {
    await operator.cluster.event(deployment, "Warning", error.reason, message);
    const situation: Situation = { type: "Stalled", reason: error.reason, message };
    const lastFailure = `${error.reason}: ${message}`.slice(0, 1024);
    // What serves is looked after all the same, as far as that can be.
    const found = await unresolved(operator, deployment, situation).catch(() => ({ situation, facts }));
    await write(operator, deployment, found.situation, { ...found.facts, lastFailure });
    return { requeueAfterSeconds: STALLED_SECONDS };
  }
  const reason = platformReason(error);
  await operator.cluster.event(deployment, "Warning", reason, message);
  const situation: Situation = { type: "InProgress", reason, message: `${message}; trying again` };
  await write(operator, deployment, situation, facts);
  throw error;
}

async function write(
  { cluster, clock }: ModelDeploymentReconciler,
  deployment: ModelDeployment,
  situation: Situation,
  facts: Found["facts"],
): Promise<void> {
  const { generation } = deployment.metadata;
  const now = new Date(clock.now()).toISOString();
  await cluster.updateStatus(deployment, {
    ...facts,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditions(deployment.status?.conditions, summary(situation), generation, now),
  });
}
