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
import { type Raw, Reflector, type RestartReason, type Timings } from "./reflector.ts";

type Deployment = LiveDeployment & Raw;
type Pod = Raw & {
  readonly metadata: Raw["metadata"] & {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
  };
  readonly status?: { readonly podIP?: string };
};

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
  readonly #deployments: readonly Reflector<Deployment>[];
  readonly #pods: readonly Reflector<Pod>[];

  constructor(options: KubernetesChildrenOptions) {
    this.#options = options;
    const { api, namespaces, onChange, onRestart, timings } = options;
    const within = namespaces.length ? namespaces.map((namespace) => `/namespaces/${namespace}`) : [""];
    const common = {
      api,
      labelSelector: SELECTOR,
      ...(timings === undefined ? {} : { timings }),
    };
    this.#deployments = within.map(
      (where) =>
        new Reflector<Deployment>({
          ...common,
          path: `/apis/apps/v1${where}/deployments`,
          trim: leanDeployment,
          onChange: (key) => onChange(key),
          onRestart: (reason, error) => onRestart?.("deployments", reason, error),
        }),
    );
    this.#pods = within.map(
      (where) =>
        new Reflector<Pod>({
          ...common,
          path: `/api/v1${where}/pods`,
          trim: leanPod,
          onChange: (_key, current, previous) => {
            const { namespace, labels } = (current ?? previous)?.metadata ?? {};
            const name = labels?.[LABELS.deployment];
            if (name !== undefined) onChange(`${namespace}/${name}`);
          },
          onRestart: (reason, error) => onRestart?.("serving pods", reason, error),
        }),
    );
  }

  async start(): Promise<void> {
    const all = [...this.#deployments, ...this.#pods];
    for (const reflector of all) reflector.start();
    await Promise.all(all.map((reflector) => reflector.ready));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#deployments, ...this.#pods].map((reflector) => reflector.stop()));
  }

  get synced(): boolean {
    return [...this.#deployments, ...this.#pods].every((reflector) => reflector.synced);
  }

  async apply(child: Child, fieldManager: string = FIELD_MANAGER): Promise<LiveDeployment> {
    const { namespace, name } = child.metadata;
    try {
      const written = await this.#options.api.request<Deployment>(
        "PATCH",
        pathOf(child.kind, namespace, name),
        {
          query: { fieldManager, force: true },
          contentType: "application/apply-patch+yaml",
          body: child,
        },
      );
      if (child.kind === "Deployment") this.#cacheOf(this.#deployments, namespace)?.put(written);
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
        body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" },
      });
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    }
  }

  async get(kind: ChildKind, namespace: string, name: string): Promise<LiveDeployment | undefined> {
    try {
      return await this.#options.api.request<LiveDeployment>("GET", pathOf(kind, namespace, name));
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    }
  }

  deployment(namespace: string, name: string): LiveDeployment | undefined {
    return this.#cacheOf(this.#deployments, namespace)?.get(`${namespace}/${name}`);
  }

  pods(namespace: string, name: string): readonly ServingPod[] {
    const pods = this.#cacheOf(this.#pods, namespace)?.list() ?? [];
    return pods
      .filter(
        ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[LABELS.deployment] === name,
      )
      .map(servingPod);
  }

  #cacheOf<T extends Raw>(reflectors: readonly Reflector<T>[], namespace: string): Reflector<T> | undefined {
    const { namespaces } = this.#options;
    return reflectors[namespaces.length ? namespaces.indexOf(namespace) : 0];
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
