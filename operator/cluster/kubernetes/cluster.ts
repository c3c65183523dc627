/** Cluster over the API server: reads from caches that watches keep, writes by patches that know what they change. */
import { isDeepStrictEqual } from "node:util";
import { API_VERSION } from "../../api/meta.ts";
import {
  type Cluster,
  ConflictError,
  type KindName,
  type Resource,
  type ResourceByKind,
} from "../cluster.ts";
import { ApiError, type ApiServer } from "./api-server.ts";
import { EventRecorder, type EventRecorderOptions } from "./events.ts";
import { mergePatch } from "./merge-patch.ts";
import { keyOf, type Raw, type RestartReason, type Timings } from "./reflector.ts";
import { Reflectors } from "./reflectors.ts";

export const FIELD_MANAGER = "autoai";
const MERGE_PATCH = "application/merge-patch+json";

export const PLURALS: Readonly<Record<KindName, string>> = {
  Dataset: "datasets",
  TrainingJob: "trainingjobs",
  ModelDeployment: "modeldeployments",
};

export type Change = {
  readonly kind: KindName;
  readonly key: string;
  readonly current: Resource | undefined;
  readonly previous: Resource | undefined;
};

export type KubernetesClusterOptions = {
  readonly api: ApiServer;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** Name of this process, for events. */
  readonly instance: string;
  readonly now: () => number;
  readonly onChange: (change: Change) => void;
  readonly onRestart?: (resource: string, reason: RestartReason, error: unknown) => void;
  readonly onEvent?: EventRecorderOptions["onWritten"];
  /** Told of events that could not be written. */
  readonly onEventLost?: (error: unknown) => void;
  readonly timings?: Partial<Timings>;
};

export class KubernetesCluster implements Cluster {
  readonly #options: KubernetesClusterOptions;
  readonly #events: EventRecorder;
  readonly #caches: Readonly<Record<KindName, Reflectors<Resource & Raw>>>;

  constructor(options: KubernetesClusterOptions) {
    this.#options = options;
    const { api, instance, now } = options;
    this.#events = new EventRecorder({
      api,
      component: "autoai",
      instance,
      now,
      ...(options.onEvent === undefined ? {} : { onWritten: options.onEvent }),
    });
    this.#caches = {
      Dataset: this.#cache("Dataset"),
      TrainingJob: this.#cache("TrainingJob"),
      ModelDeployment: this.#cache("ModelDeployment"),
    };
  }

  /** Resolves once everything that is there was read. */
  async start(): Promise<void> {
    await Promise.all(Object.values(this.#caches).map((cache) => cache.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#caches).map((cache) => cache.stop()));
  }

  get synced(): boolean {
    return Object.values(this.#caches).every((cache) => cache.synced);
  }

  /** Of the watch that was heard from longest ago. */
  get silentSeconds(): number {
    return Math.max(...Object.values(this.#caches).map((cache) => cache.silentSeconds));
  }

  /** Whether resources of this namespace are watched. */
  watches(namespace: string): boolean {
    return this.#options.namespaces.length === 0 || this.#options.namespaces.includes(namespace);
  }

  list<K extends KindName>(kind: K): ResourceByKind[K][] {
    return this.#caches[kind].list() as unknown as ResourceByKind[K][];
  }

  /** As get, at once: the cached object itself, not to be changed. */
  cached<K extends KindName>(kind: K, key: string): ResourceByKind[K] | undefined {
    return this.#caches[kind].get(key) as ResourceByKind[K] | undefined;
  }

  get<K extends KindName>(kind: K, key: string): Promise<ResourceByKind[K] | undefined> {
    return Promise.resolve(structuredClone(this.cached(kind, key)));
  }

  async updateStatus<K extends KindName>(
    resource: ResourceByKind[K],
    status: ResourceByKind[K]["status"],
  ): Promise<void> {
    if (isDeepStrictEqual(resource.status, status)) return;
    const patch = mergePatch(resource.status ?? {}, status ?? {});
    if (patch === undefined) return;
    const written = await this.#patch(resource, "/status", { status: patch });
    if (!written) throw new ConflictError(`${nameOf(resource)} is gone`);
  }

  async setFinalizer<R extends Resource>(
    resource: R,
    finalizer: string,
    present: boolean,
    annotations: Readonly<Record<string, string>> = {},
  ): Promise<R | undefined> {
    const before = resource.metadata.finalizers ?? [];
    const isAnnotated = Object.entries(annotations).every(
      ([name, value]) => resource.metadata.annotations?.[name] === value,
    );
    const isMarked = before.includes(finalizer) === present;
    if (isMarked && isAnnotated) return resource;
    const finalizers = present ? [...before, finalizer] : before.filter((name) => name !== finalizer);
    return this.#patch(resource, "", {
      metadata: { ...(isMarked ? {} : { finalizers }), ...(isAnnotated ? {} : { annotations }) },
    });
  }

  async remove(resource: Resource): Promise<void> {
    const { uid } = resource.metadata;
    try {
      await this.#options.api.request("DELETE", pathOf(resource), {
        body: {
          apiVersion: "v1",
          kind: "DeleteOptions",
          propagationPolicy: "Background",
          ...(uid === undefined ? {} : { preconditions: { uid } }),
        },
      });
    } catch (error) {
      // 409: another one of that name stands there by now.
      if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error;
    }
  }

  async secret(namespace: string, name: string): Promise<Readonly<Record<string, string>> | undefined> {
    const found = await this.#options.api.find<{ data?: Record<string, string> }>(
      `/api/v1/namespaces/${namespace}/secrets/${name}`,
    );
    return found && mapValues(found.data, (value) => Buffer.from(value, "base64").toString("utf8"));
  }

  async configMap(
    namespace: string,
    name: string,
  ): Promise<Readonly<Record<string, string | Uint8Array>> | undefined> {
    const found = await this.#options.api.find<{
      data?: Record<string, string>;
      binaryData?: Record<string, string>;
    }>(`/api/v1/namespaces/${namespace}/configmaps/${name}`);
    return (
      found && {
        ...found.data,
        ...mapValues(found.binaryData, (value) => new Uint8Array(Buffer.from(value, "base64"))),
      }
    );
  }

  async event(about: Resource, type: "Normal" | "Warning", reason: string, message: string): Promise<void> {
    try {
      await this.#events.record(about, type, reason, message);
    } catch (error) {
      this.#options.onEventLost?.(error);
    }
  }

  #cache(kind: KindName): Reflectors<Resource & Raw> {
    const { api, namespaces, onChange, onRestart, timings } = this.#options;
    return new Reflectors<Resource & Raw>({
      api,
      namespaces,
      group: `/apis/${API_VERSION}`,
      plural: PLURALS[kind],
      // Items of a list carry neither kind nor apiVersion.
      trim: (object) =>
        ({
          ...object,
          apiVersion: API_VERSION,
          kind,
          metadata: { ...object.metadata, managedFields: undefined },
        }) as unknown as Resource & Raw,
      onChange: (key, current, previous) => onChange({ kind, key, current, previous }),
      onRestart,
      timings,
    });
  }

  /** The resource as written; undefined where it is gone. */
  async #patch<R extends Resource>(
    resource: R,
    subresource: string,
    patch: { metadata?: object; status?: object },
  ): Promise<R | undefined> {
    const { uid, resourceVersion } = resource.metadata;
    const cache = this.#caches[resource.kind].of(resource.metadata.namespace ?? "default");
    const path = pathOf(resource);
    try {
      const written = await this.#options.api.request<R & Raw>("PATCH", `${path}${subresource}`, {
        query: { fieldManager: FIELD_MANAGER },
        contentType: MERGE_PATCH,
        body: { ...patch, metadata: { ...patch.metadata, uid, resourceVersion } },
      });
      const isGone = written.metadata.deletionTimestamp !== undefined && !written.metadata.finalizers?.length;
      if (isGone) cache?.drop(keyOf(written), written.metadata.resourceVersion);
      else cache?.put(written);
      return isGone ? undefined : written;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 404) {
        cache?.drop(keyOf(resource as Raw), resourceVersion);
        return undefined;
      }
      if (error.code !== 409) throw error;
      // The cache lags behind, or it would not have come to this: the next read has what is there now.
      const current = await this.#options.api.find<Resource & Raw>(path);
      if (current) cache?.put(current);
      else cache?.drop(keyOf(resource as Raw), resourceVersion);
      throw new ConflictError(`${nameOf(resource)} changed since it was read`, { cause: error });
    }
  }
}

function pathOf(resource: Resource): string {
  const { namespace, name } = resource.metadata;
  return `/apis/${API_VERSION}/namespaces/${namespace ?? "default"}/${PLURALS[resource.kind]}/${name}`;
}

function nameOf(resource: Resource): string {
  return `${resource.kind} ${resource.metadata.namespace ?? "default"}/${resource.metadata.name}`;
}

function mapValues<V, W>(
  record: Readonly<Record<string, V>> | undefined,
  map: (value: V) => W,
): Record<string, W> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, map(value)]));
}
