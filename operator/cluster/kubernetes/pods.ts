/** Pods of tool executions: a cache by their label, and what the pod executor asks for (sandbox/pods/pods.ts). */
import { ownerHash, ownerNamespace } from "../../sandbox/pods/owner.ts";
import {
  LABELS,
  MANAGED_BY,
  type PodEvent,
  type PodManifest,
  type PodRefusal,
  PodRefusedError,
  type Pods,
  type PodView,
} from "../../sandbox/pods/pods.ts";
import { ApiError, type ApiServer } from "./api-server.ts";
import { FIELD_MANAGER } from "./cluster.ts";
import type { RawPod, RestartReason, Timings } from "./reflector.ts";
import { Reflectors } from "./reflectors.ts";

type Pod = RawPod & {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: { readonly phase?: string };
};

/** A NetworkPolicy, as plain JSON. */
export type PolicyManifest = { readonly metadata: { readonly name: string } };

export type KubernetesPodsOptions = {
  readonly api: ApiServer;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** The policies of tool pods in a namespace. */
  readonly policies: (namespace: string) => readonly PolicyManifest[];
  /** Told of each pod that is new, changed or gone. */
  readonly onChange: (pod: PodView, gone: boolean) => void;
  readonly onRestart?: (resource: string, reason: RestartReason, error: unknown) => void;
  readonly timings?: Partial<Timings>;
};

const TOOL_PODS = `${LABELS.managedBy}=${MANAGED_BY},${LABELS.role} in (execution,install)`;
/** Policies are applied again after so long, in case somebody changed them. */
const POLICIES_SECONDS = 600;

export class KubernetesPods implements Pods {
  readonly #options: KubernetesPodsOptions;
  readonly #cache: Reflectors<Pod>;
  readonly #policies = new Map<string, { readonly at: number; readonly applied: Promise<void> }>();

  constructor(options: KubernetesPodsOptions) {
    this.#options = options;
    const { api, namespaces, onRestart, onChange, timings } = options;
    this.#cache = new Reflectors<Pod>({
      api,
      namespaces,
      group: "/api/v1",
      plural: "pods",
      labelSelector: TOOL_PODS,
      trim: lean,
      onChange: (_key, current, previous) => {
        const pod = current ?? previous;
        if (pod) onChange(viewOf(pod), current === undefined);
      },
      onRestart,
      timings,
    });
  }

  start(): Promise<void> {
    return this.#cache.start();
  }

  stop(): Promise<void> {
    return this.#cache.stop();
  }

  get synced(): boolean {
    return this.#cache.synced;
  }

  get(namespace: string, name: string): Promise<PodView | undefined> {
    const pod = this.#cache.get(`${namespace}/${name}`);
    return Promise.resolve(pod && viewOf(pod));
  }

  /** Every tool pod in the cache. */
  list(): PodView[] {
    return this.#cache.list().map(viewOf);
  }

  /** From the API server: what was created a moment ago is in it. */
  async listOwned(owner: string): Promise<PodView[]> {
    const { items } = await this.#options.api.request<{ items: Pod[] }>(
      "GET",
      `/api/v1/namespaces/${ownerNamespace(owner)}/pods`,
      { query: { labelSelector: `${TOOL_PODS},${LABELS.owner}=${ownerHash(owner)}` } },
    );
    return items.map(viewOf).filter((pod) => pod.owner === owner);
  }

  async create(manifest: PodManifest): Promise<"Created" | "Exists"> {
    const { namespace } = manifest.metadata;
    try {
      const pod = await this.#options.api.request<Pod>("POST", `/api/v1/namespaces/${namespace}/pods`, {
        query: { fieldManager: FIELD_MANAGER },
        body: manifest,
      });
      this.#cache.of(namespace)?.put(pod);
      return "Created";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.reason === "AlreadyExists") return "Exists";
      const reason = refusalOf(error);
      throw reason === undefined ? error : new PodRefusedError(reason, error.message, { cause: error });
    }
  }

  end(namespace: string, name: string): Promise<void> {
    return this.#delete(namespace, name, {});
  }

  remove(namespace: string, name: string): Promise<void> {
    return this.#delete(namespace, name, { gracePeriodSeconds: 0 });
  }

  async #delete(namespace: string, name: string, options: object): Promise<void> {
    try {
      await this.#options.api.request("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}`, {
        body: { apiVersion: "v1", kind: "DeleteOptions", ...options },
      });
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 404)) throw error;
      this.#cache.of(namespace)?.drop(`${namespace}/${name}`, undefined);
    }
  }

  /** Newest last. */
  async events(namespace: string, name: string): Promise<PodEvent[]> {
    type Event = { reason?: string; message?: string; lastTimestamp?: string; eventTime?: string };
    const { items } = await this.#options.api.request<{ items: Event[] }>(
      "GET",
      `/api/v1/namespaces/${namespace}/events`,
      { query: { fieldSelector: `involvedObject.kind=Pod,involvedObject.name=${name}`, limit: 100 } },
    );
    const at = (event: Event): number => Date.parse(event.lastTimestamp ?? event.eventTime ?? "") || 0;
    return items
      .sort((one, other) => at(one) - at(other))
      .map(({ reason = "", message = "" }) => ({ reason, message }));
  }

  ensurePolicies(namespace: string): Promise<void> {
    const known = this.#policies.get(namespace);
    if (known && performance.now() - known.at < POLICIES_SECONDS * 1000) return known.applied;
    const applied = this.#applyPolicies(namespace);
    this.#policies.set(namespace, { at: performance.now(), applied });
    // What failed is tried again by whoever asks next.
    applied.catch(() => this.#policies.delete(namespace));
    return applied;
  }

  async #applyPolicies(namespace: string): Promise<void> {
    for (const policy of this.#options.policies(namespace)) {
      await this.#options.api.apply(
        `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/${policy.metadata.name}`,
        policy,
        FIELD_MANAGER,
      );
    }
  }
}

/** Without what nobody asks for: the spec is most of a pod. */
function lean(pod: Pod): Pod {
  const { name, namespace, uid, resourceVersion, labels, creationTimestamp, deletionTimestamp } =
    pod.metadata;
  const owner = pod.metadata.annotations?.[LABELS.owner];
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
      ...(owner === undefined ? {} : { annotations: { [LABELS.owner]: owner } }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    ...(pod.spec?.nodeName === undefined ? {} : { spec: { nodeName: pod.spec.nodeName } }),
    ...(pod.status === undefined ? {} : { status: pod.status }),
  };
}

function viewOf(pod: Pod): PodView {
  const {
    namespace = "default",
    name,
    annotations,
    labels,
    creationTimestamp,
    deletionTimestamp,
  } = pod.metadata;
  return {
    namespace,
    name,
    owner: annotations?.[LABELS.owner] ?? "",
    execution: labels?.[LABELS.execution] ?? name,
    phase: pod.status?.phase ?? "Pending",
    deleting: deletionTimestamp !== undefined,
    status: pod.status ?? {},
    ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    created: Date.parse(creationTimestamp ?? "") || 0,
  };
}

/** Why the server would not have the pod; undefined where it was only busy. */
export function refusalOf({ code, reason, message }: ApiError): PodRefusal | undefined {
  if (code === 403) {
    if (/exceeded quota/i.test(message)) return "QuotaExceeded";
    if (/because it is being terminated/i.test(message)) return "NamespaceTerminating";
    if (/RuntimeClass .*not found/i.test(message)) return "RuntimeClassNotFound";
    // RBAC says "cannot create resource"; everything else with 403 is an admission plugin, webhook or policy.
    return /cannot create resource/i.test(message) ? "Forbidden" : "AdmissionRefused";
  }
  if (code === 404) return "NamespaceNotFound";
  if (code === 422 || (code === 400 && reason !== "Timeout")) {
    return /admission webhook|ValidatingAdmissionPolicy/i.test(message) ? "AdmissionRefused" : "Invalid";
  }
  return undefined;
}
