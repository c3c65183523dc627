/** Resources as lists show them: small, so that thousands of them are kept for each user. */
import type { Condition } from "../../operator/api/meta.ts";
import type { Resource, ResourceByKind } from "../../operator/cluster/cluster.ts";

/** What a person makes of the conditions; the same words for every kind. */
export type State = "Waiting" | "Working" | "Suspended" | "Stalled" | "Ready" | "Failed" | "Deleting";

type Common = {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly created: string;
  readonly state: State;
  readonly reason: string;
  readonly message: string;
  readonly warnings: number;
};

export type DatasetRow = Common & {
  readonly kind: "Dataset";
  readonly rows?: number;
  readonly columns?: number;
  readonly sizeBytes?: number;
  readonly upload: boolean;
};

export type JobRow = Common & {
  readonly kind: "TrainingJob";
  readonly target: string;
  readonly dataset: string;
  readonly provider: string;
  readonly activity: string;
  readonly step: number;
  readonly maxSteps: number;
  readonly seconds: number;
  readonly maxSeconds: number;
  readonly tokens: number;
  readonly maxTokens: number;
  readonly verified?: string;
  readonly score?: string;
  readonly baseline?: string;
  readonly model?: string;
  readonly finished?: string;
};

export type DeploymentRow = Common & {
  readonly kind: "ModelDeployment";
  readonly job: string;
  /** The job whose model is served now, where it is another one. */
  readonly serves?: string;
  readonly replicas?: number;
  readonly url?: string;
  readonly runtime?: string;
  readonly digest?: string;
  /** Why the last roll-out did not succeed. */
  readonly failure?: string;
};

export type Row = DatasetRow | JobRow | DeploymentRow;
export type RowOf = {
  readonly Dataset: DatasetRow;
  readonly TrainingJob: JobRow;
  readonly ModelDeployment: DeploymentRow;
};

const MESSAGE = 500;

export function rowOf(resource: Resource): Row {
  switch (resource.kind) {
    case "Dataset":
      return datasetRow(resource);
    case "TrainingJob":
      return jobRow(resource);
    case "ModelDeployment":
      return deploymentRow(resource);
  }
}

function common(resource: Resource, warnings: number): Common {
  const { metadata, status } = resource;
  const namespace = metadata.namespace ?? "default";
  const conditions = status?.conditions ?? [];
  const state = metadata.deletionTimestamp ? "Deleting" : stateOf(conditions);
  const told =
    conditions.find(({ type, status: value }) => type === "Stalled" && value === "True") ??
    conditions.find(({ type }) => type === "Ready");
  return {
    key: `${namespace}/${metadata.name}`,
    namespace,
    name: metadata.name,
    uid: metadata.uid ?? "",
    created: metadata.creationTimestamp ?? "",
    state,
    reason: told?.reason ?? "",
    message: (told?.message ?? "").slice(0, MESSAGE),
    warnings,
  };
}

export function stateOf(conditions: readonly Condition[]): State {
  const is = (type: string) => conditions.find((one) => one.type === type && one.status === "True");
  if (is("Ready")) return "Ready";
  if (is("Stalled")) return "Stalled";
  const ready = conditions.find(({ type }) => type === "Ready");
  if (!ready) return "Waiting";
  if (ready.reason === "Suspended") return "Suspended";
  return ready.reason === "WaitingForUpload" ? "Waiting" : "Working";
}

function datasetRow(dataset: ResourceByKind["Dataset"]): DatasetRow {
  const { spec, status } = dataset;
  return {
    kind: "Dataset",
    ...common(dataset, status?.warnings?.length ?? 0),
    upload: spec.source.upload === true,
    ...optional({ rows: status?.rows, columns: status?.columns, sizeBytes: status?.sizeBytes }),
  };
}

function jobRow(job: ResourceByKind["TrainingJob"]): JobRow {
  const { spec, status } = job;
  const shared = common(job, status?.warnings?.length ?? 0);
  const { dataset } = spec;
  return {
    kind: "TrainingJob",
    ...shared,
    // A job that ended without a model has Stalled for good: that is another thing than one that waits for somebody.
    state: shared.state === "Stalled" && status?.state === "ERROR" ? "Failed" : shared.state,
    target: spec.target,
    dataset: dataset.datasetRef?.name ?? dataset.uri ?? dataset.configMapKeyRef?.name ?? "",
    provider: spec.recipeFrom === undefined ? (spec.llm.provider ?? "") : `recipe of ${spec.recipeFrom}`,
    activity: status?.progress?.activity ?? "",
    step: status?.progress?.step ?? 0,
    maxSteps: spec.budget.maxSteps,
    seconds: status?.usage?.seconds ?? 0,
    maxSeconds: spec.budget.maxSeconds,
    tokens: status?.usage?.tokens ?? 0,
    maxTokens: spec.budget.maxTokens,
    ...optional({
      verified: status?.bestCandidate?.verifiedScore,
      score: status?.model?.finalScore,
      baseline: status?.baselineScore,
      model: status?.model?.name,
      finished: status?.completionTime,
    }),
  };
}

function deploymentRow(deployment: ResourceByKind["ModelDeployment"]): DeploymentRow {
  const { spec, status } = deployment;
  return {
    kind: "ModelDeployment",
    ...common(deployment, 0),
    job: spec.modelRef.trainingJob,
    ...optional({
      serves: status?.trainingJob === spec.modelRef.trainingJob ? undefined : status?.trainingJob,
      failure: status?.lastFailure,
      replicas: status?.replicas,
      url: status?.url,
      runtime: status?.runtime,
      digest: status?.modelDigest,
    }),
  };
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are undefined. */
function optional<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
