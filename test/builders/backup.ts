/** Backup and restore as docs/backup.md has them, for an API server in memory and two stores. */
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import type { Json } from "../fakes/kubernetes-api.ts";

/** As `mc mirror` does it: every object under its own key. */
export async function mirror(from: ArtifactStore, to: ArtifactStore): Promise<number> {
  const keys = await from.list("");
  for (const key of keys) await to.put(key, await from.get(key));
  return keys.length;
}

/** What of metadata belongs to the cluster that the object comes from: the filter of docs/backup.md. */
const OF_THE_CLUSTER = [
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "managedFields",
  "ownerReferences",
  "selfLink",
];

/** What `kubectl get -o json` and the filter make of the objects of a cluster: without status, and without those that were being deleted. */
export function saved(objects: readonly Json[]): Json[] {
  return objects
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ status: _, metadata, ...rest }) => ({
      ...rest,
      metadata: Object.fromEntries(
        Object.entries(metadata).filter(([field]) => !OF_THE_CLUSTER.includes(field)),
      ),
    }));
}
