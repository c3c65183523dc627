/** Cluster: the resources, as the API server or the memory of the embedded run holds them. */
import type { Dataset } from "../api/dataset.ts";
import type { ModelDeployment } from "../api/modeldeployment.ts";
import type { TrainingJob } from "../api/trainingjob.ts";

export type ResourceByKind = {
  Dataset: Dataset;
  TrainingJob: TrainingJob;
  ModelDeployment: ModelDeployment;
};
export type KindName = keyof ResourceByKind;
export type Resource = ResourceByKind[KindName];

export interface Cluster {
  /** @param key `namespace/name` */
  get<K extends KindName>(kind: K, key: string): Promise<ResourceByKind[K] | undefined>;
  /** Replaces the status, if it differs. Throws ConflictError where the resource changed since it was read. */
  updateStatus<K extends KindName>(
    resource: ResourceByKind[K],
    status: ResourceByKind[K]["status"],
  ): Promise<void>;
  /** The data of a Secret or ConfigMap; undefined where there is none of that name. */
  secret(namespace: string, name: string): Promise<Readonly<Record<string, string>> | undefined>;
  configMap(namespace: string, name: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** Tells people something about the resource. Repeated events are folded into one. */
  event(about: Resource, type: "Normal" | "Warning", reason: string, message: string): Promise<void>;
}

/** The resource changed since it was read: read it again. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}
