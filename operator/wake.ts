/** Which changes of resources are worth a reconcile, of themselves and of those that wait for them: pure. */
import { ORIGIN } from "./api/origin.ts";
import type { KindName, Resource, ResourceByKind } from "./cluster/cluster.ts";

export type ResourceChange = {
  readonly kind: KindName;
  readonly key: string;
  readonly current: Resource | undefined;
  readonly previous: Resource | undefined;
};

export type Lister = { list<K extends KindName>(kind: K): readonly ResourceByKind[K][] };

/** A status that the operator wrote itself is no news; what a person or the API server changed is. */
export function needsReconcile({ current, previous }: ResourceChange): boolean {
  if (!current || !previous) return true;
  const [now, before] = [current.metadata, previous.metadata];
  return (
    now.uid !== before.uid ||
    now.generation !== before.generation ||
    now.deletionTimestamp !== before.deletionTimestamp ||
    // Somebody changed it, where the operator alone is to write it.
    (before.annotations?.[ORIGIN] !== undefined && now.annotations?.[ORIGIN] !== before.annotations[ORIGIN])
  );
}

/** Resources that name the one that changed, and whose next step may depend on it. */
export function wokenBy(
  { kind, key, current, previous }: ResourceChange,
  lister: Lister,
): { readonly kind: KindName; readonly key: string }[] {
  if (summaryOf(current) === summaryOf(previous)) return [];
  const [namespace, name] = key.split("/");
  const here = (resource: Resource): boolean => resource.metadata.namespace === namespace;
  const keysOf = (resources: readonly Resource[]) =>
    resources.filter(here).map((one) => ({ kind: one.kind, key: `${namespace}/${one.metadata.name}` }));
  const open = (): readonly ResourceByKind["TrainingJob"][] =>
    lister.list("TrainingJob").filter(({ status }) => (status?.state ?? "TRAINING") === "TRAINING");
  if (kind === "Dataset") return keysOf(open().filter(({ spec }) => spec.dataset.datasetRef?.name === name));
  // A job that deploys makes it anew.
  if (kind === "ModelDeployment") return current ? [] : [{ kind: "TrainingJob", key }];
  if (kind !== "TrainingJob") return [];
  const isRetrained = [current, previous].some(
    (job) => job?.kind === "TrainingJob" && job.spec.recipeFrom !== undefined,
  );
  return [
    ...keysOf(open().filter(({ spec }) => spec.recipeFrom === name)),
    ...keysOf(
      lister
        .list("ModelDeployment")
        .filter(({ spec }) => spec.modelRef.trainingJob === name || (isRetrained && spec.followLatest)),
    ),
  ];
}

/** What others look at: whether it is there, and whether it is ready or stalled. */
function summaryOf(resource: Resource | undefined): string {
  if (!resource) return "gone";
  const conditions = resource.status?.conditions ?? [];
  return conditions
    .filter(({ type }) => type === "Ready" || type === "Stalled")
    .map(({ type, status, reason }) => `${type} ${status} ${reason}`)
    .join();
}
