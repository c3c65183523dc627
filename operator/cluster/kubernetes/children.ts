/** Children of ModelDeployments in the API server: applied by the server, with caches of Deployments and pods. */
import {
  CHILD_KINDS,
  type Child,
  type ChildKind,
  type Children,
  type LiveDeployment,
  RefusedChildError,
  type ServingPod,
} from "../../serving/children.ts";
import { ANNOTATIONS, LABELS, ROLE } from "../../serving/names.ts";
import { ApiError, type ApiServer } from "./api-server.ts";
import { FIELD_MANAGER } from "./cluster.ts";
import type { Raw, RawPod, RestartReason, Timings } from "./reflector.ts";
import { Reflectors } from "./reflectors.ts";

type Deployment = LiveDeployment & Raw;
type Pod = RawPod & { readonly status?: { readonly podIP?: string } };

export type KubernetesChildrenOptions = {
  readonly api: ApiServer;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** Told of the ModelDeployment (`namespace/name`) whose Deployment or pods changed. */
  readonly onChange: (key: string) => void;
  readonly onRestart?: (resource: string, reason: RestartReason, error: unknown) => void;
  readonly timings?: Partial<Timings>;
};

const SELECTOR = `${LABELS.managedBy}=autoai,${LABELS.role}=${ROLE}`;

export class KubernetesChildren implements Children {
  readonly #options: KubernetesChildrenOptions;
  readonly #deployments: Reflectors<Deployment>;
  readonly #pods: Reflectors<Pod>;

  constructor(options: KubernetesChildrenOptions) {
    this.#options = options;
    const { api, namespaces, onChange, onRestart, timings } = options;
    const common = { api, namespaces, labelSelector: SELECTOR, onRestart, timings };
    this.#deployments = new Reflectors<Deployment>({
      ...common,
      group: "/apis/apps/v1",
      plural: "deployments",
      trim: leanDeployment,
      onChange: (key) => onChange(key),
    });
    this.#pods = new Reflectors<Pod>({
      ...common,
      group: "/api/v1",
      plural: "pods",
      title: "serving pods",
      trim: leanPod,
      onChange: (_key, current, previous) => {
        const { namespace, labels } = (current ?? previous)?.metadata ?? {};
        const name = labels?.[LABELS.deployment];
        if (name !== undefined) onChange(`${namespace}/${name}`);
      },
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.#deployments.start(), this.#pods.start()]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#deployments.stop(), this.#pods.stop()]);
  }

  get synced(): boolean {
    return this.#deployments.synced && this.#pods.synced;
  }

  async apply(child: Child, fieldManager: string = FIELD_MANAGER): Promise<LiveDeployment> {
    const { namespace, name } = child.metadata;
    try {
      const path = pathOf(child.kind, namespace, name);
      const written = await this.#options.api.apply<Deployment>(path, child, fieldManager);
      if (child.kind === "Deployment") this.#deployments.of(namespace)?.put(written);
      return written;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A conflict and a busy server are passing; what is forbidden or invalid stays so.
      if (error.code !== 403 && error.code !== 422) throw error;
      throw new RefusedChildError(error.code === 403 ? "Forbidden" : "Invalid", error.message, {
        cause: error,
      });
    }
  }

  async remove(kind: ChildKind, namespace: string, name: string): Promise<void> {
    try {
      await this.#options.api.request("DELETE", pathOf(kind, namespace, name), {
        // Else a ReplicaSet outlives its Deployment by a moment, and makes up for a pod that was lost.
        body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground" },
      });
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    }
  }

  get(kind: ChildKind, namespace: string, name: string): Promise<LiveDeployment | undefined> {
    return this.#options.api.find<LiveDeployment>(pathOf(kind, namespace, name));
  }

  deployment(namespace: string, name: string): LiveDeployment | undefined {
    return this.#deployments.get(`${namespace}/${name}`);
  }

  pods(namespace: string, name: string): readonly ServingPod[] {
    const pods = this.#pods.of(namespace)?.list() ?? [];
    return pods
      .filter(
        ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[LABELS.deployment] === name,
      )
      .map(servingPod);
  }
}

function servingPod({ metadata, status }: Pod): ServingPod {
  const { name, labels, annotations, creationTimestamp, deletionTimestamp } = metadata;
  return {
    name,
    deployment: labels?.[LABELS.deployment] ?? "",
    digest: annotations?.[ANNOTATIONS.digest] ?? "",
    trainingJob: annotations?.[ANNOTATIONS.trainingJob] ?? "",
    ip: status?.podIP,
    deleting: deletionTimestamp !== undefined,
    created: Date.parse(creationTimestamp ?? "") || 0,
    status: status ?? {},
  };
}

/** Without what nobody asks for: the template is most of it. */
function leanDeployment({ metadata, spec, status }: Deployment): Deployment {
  const { managedFields: _, ...kept } = metadata as Deployment["metadata"] & { managedFields?: unknown };
  return {
    metadata: kept,
    ...(spec === undefined ? {} : { spec: { replicas: spec.replicas } }),
    ...(status === undefined ? {} : { status }),
  };
}

function leanPod({ metadata, status }: Pod): Pod {
  const { managedFields: _, ...kept } = metadata as Pod["metadata"] & { managedFields?: unknown };
  return { metadata: kept, ...(status === undefined ? {} : { status }) };
}

function pathOf(kind: ChildKind, namespace: string, name: string): string {
  const { apiVersion, plural } = CHILD_KINDS[kind];
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}/namespaces/${namespace}/${plural}/${name}`;
}
