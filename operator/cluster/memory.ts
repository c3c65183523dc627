/** A cluster in memory, for the embedded run and for tests. Objects survive the process where a folder is given. */
import { randomUUID } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Cluster, ConflictError, type KindName, type Resource, type ResourceByKind } from "./cluster.ts";

export type MemoryClusterOptions = {
  /** Folder in which each object is kept as a JSON file; absent: memory only. */
  readonly folder?: string;
  readonly now?: () => number;
  readonly uid?: () => string;
};

export type ClusterEvent = {
  readonly about: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  count: number;
};

/** The diagnostics channel on which each status that an operator wrote is told, as StatusWritten. */
export const STATUS_WRITTEN = "autoai.dev/status-written";
export type StatusWritten = { readonly before: Resource; readonly after: Resource };
const statusWritten = channel(STATUS_WRITTEN);

type Data = Readonly<Record<string, string>>;
type Contents = Readonly<Record<string, string | Uint8Array>>;

export class MemoryCluster implements Cluster {
  readonly #objects = new Map<string, Resource>();
  readonly #secrets = new Map<string, Data>();
  readonly #configMaps = new Map<string, Contents>();
  readonly #watchers: ((resource: Resource) => void)[] = [];
  readonly #deletionWatchers: ((kind: KindName, key: string) => void)[] = [];
  /** By file name: what was read from it, and how the file looked then. */
  #files: ReadonlyMap<string, ReadFile> = new Map();
  readonly #options: MemoryClusterOptions;
  readonly events: ClusterEvent[] = [];
  #version = 0;

  constructor(options: MemoryClusterOptions = {}) {
    this.#options = options;
    if (options.folder !== undefined) this.#load(options.folder);
  }

  /** Creates the resource, or replaces the spec of the one that stands there. */
  apply<R extends Resource>(resource: R): R {
    const namespace = resource.metadata.namespace ?? "default";
    const id = objectId(resource.kind, `${namespace}/${resource.metadata.name}`);
    const present = this.#objects.get(id);
    if (present && isDeepStrictEqual(present.spec, resource.spec)) return structuredClone(present) as R;
    const stored = {
      ...resource,
      metadata: {
        ...resource.metadata,
        namespace,
        uid: present?.metadata.uid ?? (this.#options.uid ?? randomUUID)(),
        creationTimestamp:
          present?.metadata.creationTimestamp ?? new Date((this.#options.now ?? Date.now)()).toISOString(),
        generation: (present?.metadata.generation ?? 0) + 1,
        // Of the operator and of the server: who applies a manifest says nothing of them.
        ...(present?.metadata.resourceVersion === undefined
          ? {}
          : { resourceVersion: present.metadata.resourceVersion }),
        ...(present?.metadata.finalizers === undefined ? {} : { finalizers: present.metadata.finalizers }),
        ...(present?.metadata.deletionTimestamp === undefined
          ? {}
          : { deletionTimestamp: present.metadata.deletionTimestamp }),
      },
      ...(present?.status ? { status: present.status } : {}),
    } as R;
    this.#put(stored);
    return structuredClone(this.#objects.get(id)) as R;
  }

  /** As the API server does it: a resource with finalizers stays, marked as deleted, until the last is taken off. */
  delete(kind: KindName, key: string): void {
    const present = this.#objects.get(objectId(kind, key));
    if (!present?.metadata.finalizers?.length) {
      this.erase(kind, key);
      return;
    }
    if (present.metadata.deletionTimestamp !== undefined) return;
    const deletionTimestamp = new Date((this.#options.now ?? Date.now)()).toISOString();
    this.#put({ ...present, metadata: { ...present.metadata, deletionTimestamp } } as Resource);
  }

  /** Takes the resource away at once, whatever its finalizers: whoever calls has done what they wait for. */
  erase(kind: KindName, key: string): void {
    const id = objectId(kind, key);
    const present = this.#objects.get(id);
    this.#objects.delete(id);
    if (this.#options.folder !== undefined) rmSync(this.#path(kind, key), { force: true });
    if (present) for (const gone of this.#deletionWatchers) gone(kind, key);
  }

  list<K extends KindName>(kind: K): ResourceByKind[K][] {
    return [...this.#objects.values()]
      .filter((resource): resource is ResourceByKind[K] => resource.kind === kind)
      .map((resource) => structuredClone(resource));
  }

  /** Calls back with each resource that is written from now on. */
  watch(callback: (resource: Resource) => void): void {
    this.#watchers.push(callback);
  }

  /** Calls back with each resource that is gone from now on. */
  watchDeletions(callback: (kind: KindName, key: string) => void): void {
    this.#deletionWatchers.push(callback);
  }

  /** Takes in what other processes wrote into the folder since it was read, and calls back with that. */
  reload(): void {
    if (this.#options.folder === undefined) return;
    const before = new Map(this.#objects);
    const stored = this.#read(this.#options.folder);
    for (const [id, resource] of stored) {
      if (!resource) continue;
      const known = before.get(id)?.metadata;
      const { uid, resourceVersion } = resource.metadata;
      if (known?.uid === uid && known?.resourceVersion === resourceVersion) continue;
      this.#objects.set(id, resource);
      for (const watcher of this.#watchers) watcher(structuredClone(resource));
    }
    for (const [id, resource] of before) {
      if (stored.has(id)) continue;
      this.#objects.delete(id);
      for (const gone of this.#deletionWatchers) gone(resource.kind, keyOf(resource));
    }
  }

  setSecret(namespace: string, name: string, data: Data): void {
    this.#secrets.set(`${namespace}/${name}`, data);
  }

  setConfigMap(namespace: string, name: string, data: Contents): void {
    this.#configMaps.set(`${namespace}/${name}`, data);
  }

  get<K extends KindName>(kind: K, key: string): Promise<ResourceByKind[K] | undefined> {
    return Promise.resolve(
      structuredClone(this.#objects.get(objectId(kind, key))) as ResourceByKind[K] | undefined,
    );
  }

  updateStatus<K extends KindName>(
    resource: ResourceByKind[K],
    status: ResourceByKind[K]["status"],
  ): Promise<void> {
    const present = this.#current(resource);
    if (!present) return Promise.reject(changed(resource));
    if (isDeepStrictEqual(present.status, status)) return Promise.resolve();
    const after = { ...present, status } as Resource;
    this.#put(after);
    statusWritten.publish({ before: present, after } satisfies StatusWritten);
    return Promise.resolve();
  }

  setFinalizer<R extends Resource>(
    resource: R,
    finalizer: string,
    present: boolean,
    added: Readonly<Record<string, string>> = {},
  ): Promise<R | undefined> {
    const stored = this.#current(resource);
    if (!stored) return Promise.reject(changed(resource));
    const before = stored.metadata.finalizers ?? [];
    const annotations = { ...stored.metadata.annotations, ...added };
    const isMarked = before.includes(finalizer) === present;
    if (isMarked && isDeepStrictEqual(annotations, stored.metadata.annotations ?? {}))
      return Promise.resolve(structuredClone(stored) as R);
    const finalizers = present
      ? [...new Set([...before, finalizer])]
      : before.filter((name) => name !== finalizer);
    if (finalizers.length === 0 && stored.metadata.deletionTimestamp !== undefined) {
      this.erase(resource.kind, keyOf(resource));
      return Promise.resolve(undefined);
    }
    const noted = Object.keys(annotations).length === 0 ? {} : { annotations };
    this.#put({ ...stored, metadata: { ...stored.metadata, ...noted, finalizers } } as Resource);
    return Promise.resolve(structuredClone(this.#objects.get(objectId(resource.kind, keyOf(resource)))) as R);
  }

  remove(resource: Resource): Promise<void> {
    const present = this.#objects.get(objectId(resource.kind, keyOf(resource)));
    if (present?.metadata.uid === resource.metadata.uid) this.delete(resource.kind, keyOf(resource));
    return Promise.resolve();
  }

  secret(namespace: string, name: string): Promise<Data | undefined> {
    return Promise.resolve(this.#secrets.get(`${namespace}/${name}`));
  }

  configMap(namespace: string, name: string): Promise<Contents | undefined> {
    return Promise.resolve(this.#configMaps.get(`${namespace}/${name}`));
  }

  event(about: Resource, type: "Normal" | "Warning", reason: string, message: string): Promise<void> {
    const name = `${about.kind}/${about.metadata.name}`;
    const same = this.events.find(
      (event) => event.about === name && event.reason === reason && event.message === message,
    );
    if (same) same.count += 1;
    else this.events.push({ about: name, type, reason, message, count: 1 });
    return Promise.resolve();
  }

  /** What stands there, if it is what was read. */
  #current<R extends Resource>(resource: R): R | undefined {
    const present = this.#objects.get(objectId(resource.kind, keyOf(resource)));
    return present?.metadata.resourceVersion === resource.metadata.resourceVersion &&
      present?.metadata.uid === resource.metadata.uid
      ? (present as R)
      : undefined;
  }

  #put(resource: Resource): void {
    const key = keyOf(resource);
    // Of all objects together: one that is made anew is newer than the one of its name before.
    this.#version = Math.max(this.#version, Number(resource.metadata.resourceVersion ?? "0")) + 1;
    const stored = {
      ...structuredClone(resource),
      metadata: { ...resource.metadata, resourceVersion: String(this.#version) },
    } as Resource;
    this.#objects.set(objectId(resource.kind, key), stored);
    if (this.#options.folder !== undefined) {
      const path = this.#path(resource.kind, key);
      mkdirSync(this.#options.folder, { recursive: true });
      // Renamed into place: a crash leaves the old object or the new one, never half of one.
      writeFileSync(`${path}.tmp-${process.pid}`, `${JSON.stringify(stored, null, 1)}\n`);
      renameSync(`${path}.tmp-${process.pid}`, path);
    }
    for (const watcher of this.#watchers) watcher(structuredClone(stored));
  }

  #path(kind: KindName, key: string): string {
    return join(this.#options.folder ?? "", `${kind.toLowerCase()}.${key.replace("/", ".")}.json`);
  }

  #load(folder: string): void {
    for (const [id, resource] of this.#read(folder)) if (resource) this.#objects.set(id, resource);
  }

  /** What stands in the folder; undefined where the file is as it was when it was read before. */
  #read(folder: string): ReadonlyMap<string, Resource | undefined> {
    const files = new Map<string, ReadFile>();
    const stored = new Map<string, Resource | undefined>();
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      try {
        // Files are renamed into place, so that each version is another file.
        const { ino, mtimeMs, size } = statSync(path);
        const look = `${ino} ${mtimeMs} ${size}`;
        const known = this.#files.get(name);
        const resource =
          known?.look === look ? undefined : (JSON.parse(readFileSync(path, "utf8")) as Resource);
        const id = resource ? objectId(resource.kind, keyOf(resource)) : (known?.id ?? "");
        files.set(name, { look, id });
        stored.set(id, resource);
      } catch (error) {
        // Deleted by another process since the folder was read.
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
    this.#files = files;
    return stored;
  }
}

type ReadFile = { readonly look: string; readonly id: string };

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function keyOf({ metadata }: Resource): string {
  return `${metadata.namespace ?? "default"}/${metadata.name}`;
}

function changed(resource: Resource): ConflictError {
  return new ConflictError(`${resource.kind} ${keyOf(resource)} changed since it was read`);
}

function objectId(kind: KindName, key: string): string {
  return `${kind}:${key}`;
}
