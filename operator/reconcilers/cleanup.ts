/** What happens when a resource is deleted: its pods go first, then what it kept, then itself. */
import type { ModelDeployment } from "../api/modeldeployment.ts";
import { predictionLogPrefix } from "../api/prediction-log.ts";
import type { Cluster, Resource } from "../cluster/cluster.ts";
import type { Executor } from "../sandbox/executor.ts";
import { type Children, removeOwn } from "../serving/children.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";

export const FINALIZER = "autoai.dev/cleanup";

/** What becomes of the artifacts of a deleted resource. */
export type Retention = "Retain" | "Delete";

export type Cleaner = {
  readonly cluster: Cluster;
  readonly store: ArtifactStore;
  readonly executor: Executor;
  /** Retain where absent. */
  readonly artifacts?: Retention;
};

/** May be called again: each part is done once it is done. */
export async function cleanUp(
  { cluster, store, executor, artifacts = "Retain" }: Cleaner,
  resource: Resource,
  owner: string,
  /** Prefixes in the store of what it kept; those that others need to be found come last. */
  kept: () => Promise<readonly string[]>,
): Promise<void> {
  // Also where the finalizer is gone: the resource may be kept by somebody else's.
  await executor.cancel(owner);
  if (!resource.metadata.finalizers?.includes(FINALIZER)) return;
  if (artifacts === "Delete") for (const prefix of await kept()) await store.deletePrefix(`${prefix}/`);
  await cluster.setFinalizer(resource, FINALIZER, false);
}

export type DeploymentCleaner = {
  readonly children: Children;
  readonly store: ArtifactStore;
  /** Retain where absent. */
  readonly artifacts?: Retention;
};

/**
 * The end of a ModelDeployment: its servers first, for they still write, then what they wrote. All else goes with its owner.
 * False where it has to be looked at again.
 */
export async function cleanUpDeployment(
  { children, store }: DeploymentCleaner,
  cluster: Cluster,
  deployment: ModelDeployment,
): Promise<boolean> {
  if (!deployment.metadata.finalizers?.includes(FINALIZER)) return true;
  const { name, namespace = "default" } = deployment.metadata;
  const isThere = await removeOwn(children, deployment, "Deployment");
  if (isThere || children.pods(namespace, name).length > 0) return false;
  await store.deletePrefix(predictionLogPrefix(namespace, name));
  await cluster.setFinalizer(deployment, FINALIZER, false);
  return true;
}
