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
  /**
   * What is known of it, writes of our own included.
   * @param key `namespace/name`
   */
  get<K extends KindName>(kind: K, key: string): Promise<ResourceByKind[K] | undefined>;
  /** All of a kind, in all namespaces that are looked after. */
  list<K extends KindName>(kind: K): ResourceByKind[K][];
  /** Replaces the status, if it differs. Throws ConflictError where the resource changed since it was read. */
  updateStatus<K extends KindName>(
    resource: ResourceByKind[K],
    status: ResourceByKind[K]["status"],
  ): Promise<void>;
  /**
   * Puts a finalizer on, or takes it off: while there is one, a deleted resource stays, with a deletionTimestamp.
   * The resource as it is afterwards; undefined once it is gone. Throws ConflictError where it changed since it was read.
   * @param annotations put on in the same write
   */
  setFinalizer<R extends Resource>(
    resource: R,
    finalizer: string,
    present: boolean,
    annotations?: Readonly<Record<string, string>>,
  ): Promise<R | undefined>;
  /** Asks for its deletion, if it is still the one that was read. What is gone, or going, is left alone. */
  remove(resource: Resource): Promise<void>;
  /** The data of a Secret; undefined where there is none of that name. */
  secret(namespace: string, name: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** The data of a ConfigMap, texts and bytes; undefined where there is none of that name. */
  configMap(
    namespace: string,
    name: string,
  ): Promise<Readonly<Record<string, string | Uint8Array>> | undefined>;
  /** Tells people something about the resource. Repeated events are folded into one; one that is lost is no failure. */
  event(about: Resource, type: "Normal" | "Warning", reason: string, message: string): Promise<void>;
}

/** The resource changed since it was read: read it again. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}
