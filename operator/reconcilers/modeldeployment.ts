/** ModelDeployment: looks after the reference and says what it waits for. Nothing is served by this version. */
import type { Clock } from "../agent/journal.ts";
import type { ModelDeployment } from "../api/modeldeployment.ts";
import { type Cluster, ConflictError } from "../cluster/cluster.ts";
import type { Result } from "../engine/controller.ts";
import { conditions, type Situation, summary } from "./conditions.ts";
import { STALLED_SECONDS } from "./stalls.ts";

export type ModelDeploymentReconciler = { readonly cluster: Cluster; readonly clock: Clock };

export async function reconcileModelDeployment(
  operator: ModelDeploymentReconciler,
  key: string,
): Promise<Result> {
  const deployment = await operator.cluster.get("ModelDeployment", key);
  if (!deployment || deployment.metadata.deletionTimestamp !== undefined) return {};
  const situation = await situationOf(operator.cluster, deployment);
  const { generation } = deployment.metadata;
  const now = new Date(operator.clock.now()).toISOString();
  const status = {
    ...deployment.status,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditions(deployment.status?.conditions, summary(situation), generation, now),
  };
  try {
    await operator.cluster.updateStatus(deployment, status);
  } catch (error) {
    if (error instanceof ConflictError) return { requeueAfterSeconds: 0 };
    throw error;
  }
  return { requeueAfterSeconds: STALLED_SECONDS };
}

async function situationOf(cluster: Cluster, { metadata, spec }: ModelDeployment): Promise<Situation> {
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
  if (job.status?.state !== "READY") {
    return { type: "InProgress", reason: "ModelNotReady", message: `waiting for TrainingJob ${name}` };
  }
  const message = "the model is there, but this version of the operator does not serve models yet";
  return { type: "Stalled", reason: "ServingNotAvailable", message };
}
