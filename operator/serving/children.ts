/** What a ModelDeployment is made of in a cluster, and the little that its reconciler asks about it. */

/** Kinds that are made for a resource of ours, with the version and the plural by which the API server knows them. */
export const CHILD_KINDS = {
  Deployment: { apiVersion: "apps/v1", plural: "deployments" },
  Service: { apiVersion: "v1", plural: "services" },
  Secret: { apiVersion: "v1", plural: "secrets" },
  HorizontalPodAutoscaler: { apiVersion: "autoscaling/v2", plural: "horizontalpodautoscalers" },
  PodDisruptionBudget: { apiVersion: "policy/v1", plural: "poddisruptionbudgets" },
  NetworkPolicy: { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies" },
  ModelDeployment: { apiVersion: "autoai.dev/v1alpha1", plural: "modeldeployments" },
} as const;
export type ChildKind = keyof typeof CHILD_KINDS;

export type Owner = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
};

/** Plain JSON of a child: all that we say of it, and nothing that others do. */
export type Child = {
  readonly apiVersion: string;
  readonly kind: ChildKind;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly Owner[];
  };
} & Readonly<Record<string, unknown>>;

/** A Deployment as it stands, as far as it is looked at. */
export type LiveDeployment = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly generation?: number | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly ownerReferences?: readonly { readonly uid?: string }[] | undefined;
  };
  readonly spec?: { readonly replicas?: number | undefined } | undefined;
  readonly status?:
    | {
        readonly observedGeneration?: number | undefined;
        readonly replicas?: number | undefined;
        readonly updatedReplicas?: number | undefined;
        readonly readyReplicas?: number | undefined;
        readonly availableReplicas?: number | undefined;
        readonly conditions?:
          | readonly {
              readonly type: string;
              readonly status: string;
              readonly reason?: string | undefined;
              readonly message?: string | undefined;
            }[]
          | undefined;
      }
    | undefined;
};

/** A pod of a ModelDeployment. */
export type ServingPod = {
  readonly name: string;
  /** Of the ModelDeployment. */
  readonly deployment: string;
  /** Of the model that it serves, and of the job that trained it: annotations of its template. */
  readonly digest: string;
  readonly trainingJob: string;
  readonly ip?: string | undefined;
  readonly deleting: boolean;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** v1 PodStatus as it came; read by rollout.ts. */
  readonly status: unknown;
};

export interface Children {
  /**
   * Server-side apply, as the field owner `autoai` or another one of ours. Gives what stands there afterwards. Throws
   * RefusedChildError where the API server would not have it and asking again at once would not help.
   */
  apply(child: Child, fieldManager?: string): Promise<LiveDeployment>;
  /** Asks for its end; a Deployment is there until its last pod is gone. What is not there is fine. */
  remove(kind: ChildKind, namespace: string, name: string): Promise<void>;
  /** From the API server. */
  get(kind: ChildKind, namespace: string, name: string): Promise<LiveDeployment | undefined>;
  /** From a cache; it knows what was applied. */
  deployment(namespace: string, name: string): LiveDeployment | undefined;
  /** From a cache: pods of the ModelDeployment, of all its revisions. */
  pods(namespace: string, name: string): readonly ServingPod[];
}

/** Whether it was made for this very resource, and not for an earlier one of its name, nor by somebody else. */
export function belongsTo(child: Pick<LiveDeployment, "metadata">, owner: Owned): boolean {
  const { uid } = owner.metadata;
  return uid !== undefined && (child.metadata.ownerReferences ?? []).some((one) => one.uid === uid);
}

/** Removes the child of the resource's own name, unless it is somebody else's. Tells whether there was one, which may take a while to go. */
export async function removeOwn(children: Children, owner: Owned, kind: ChildKind): Promise<boolean> {
  const { name, namespace = "default" } = owner.metadata;
  const present = await children.get(kind, namespace, name);
  if (!present || !belongsTo(present, owner)) return false;
  await children.remove(kind, namespace, name);
  return true;
}

type Owned = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
  };
};

/** The API server refused a child: by a quota, an admission plugin, RBAC or a rule of its kind. */
export class RefusedChildError extends Error {
  override readonly name = "RefusedChildError";
  readonly reason: "Forbidden" | "Invalid";
  constructor(reason: "Forbidden" | "Invalid", message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
