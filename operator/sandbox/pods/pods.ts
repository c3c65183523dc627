/**
 * Pods: the little that the pod executor asks of a cluster. `operator/cluster/` implements it with the API server,
 * `memory-pods.ts` without one.
 */

/** Plain JSON of a v1 Pod, as a pure function of execution and settings made it. */
export type PodManifest = {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly OwnerReference[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
};

/** The resource whose deletion takes the pod with it; in the pod's namespace. */
export type OwnerReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
};

/** What is known of a pod, from the informer's cache. */
export type PodView = {
  readonly namespace: string;
  readonly name: string;
  /** Annotation autoai.dev/owner: `namespace/name` of a TrainingJob, or `dataset:namespace/name`. */
  readonly owner: string;
  /** Label autoai.dev/execution: the same for each attempt at an execution. */
  readonly execution: string;
  readonly phase: string;
  /** True once it has a deletionTimestamp, whoever set it. */
  readonly deleting: boolean;
  /** v1 PodStatus as it came; read by classify.ts. */
  readonly status: unknown;
  readonly nodeName?: string;
  /** creationTimestamp, milliseconds since the epoch. */
  readonly created: number;
};

export type PodEvent = { readonly reason: string; readonly message: string };

export interface Pods {
  /** From the cache, which may lag behind the API server: a pod just created may be missing, one just removed may be there. */
  get(namespace: string, name: string): Promise<PodView | undefined>;
  /** By the label autoai.dev/owner (ownerHash of the owner), from the API server or a cache that is complete. */
  listOwned(owner: string): Promise<PodView[]>;
  /**
   * Throws PodRefusedError where the API server would not have it and asking again at once would not help.
   * Any other error is transient: the server could not be reached, or was busy.
   */
  create(manifest: PodManifest): Promise<"Created" | "Exists">;
  /**
   * With the pod's own grace period: it is there until its node says that nothing of it runs any more. A pod that is not there is
   * fine. Returns once the API server has accepted it.
   */
  end(namespace: string, name: string): Promise<void>;
  /**
   * Without a grace period: it is not there any more, and what runs of it may run a moment longer. A pod that is not there is fine.
   * Returns once the API server has accepted it.
   */
  remove(namespace: string, name: string): Promise<void>;
  /** Of the pod of that name: FailedScheduling, FailedMount, Failed, ... Newest last. */
  events(namespace: string, name: string): Promise<readonly PodEvent[]>;
  /** NetworkPolicies of tool pods, by server-side apply. Called before each create; does its work once per namespace. */
  ensurePolicies(namespace: string): Promise<void>;
}

/** Labels that the policies and the informer select tool pods by. */
export const LABELS = {
  managedBy: "app.kubernetes.io/managed-by",
  role: "autoai.dev/role",
  owner: "autoai.dev/owner",
  execution: "autoai.dev/execution",
} as const;
export const MANAGED_BY = "autoai";
/** Of a pod: `execution` may reach the store alone; `install` the store, DNS and the package index. */
export type PodRole = "execution" | "install";

/** What the API server said no with, by reason: of a quota, of an admission plugin or policy, of RBAC, of a missing class. */
export type PodRefusal =
  | "QuotaExceeded"
  | "AdmissionRefused"
  | "Forbidden"
  | "RuntimeClassNotFound"
  | "NamespaceNotFound"
  | "NamespaceTerminating"
  | "Invalid";

export class PodRefusedError extends Error {
  override readonly name = "PodRefusedError";
  readonly reason: PodRefusal;
  constructor(reason: PodRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
