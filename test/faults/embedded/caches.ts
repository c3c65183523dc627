/** What an operator sees of the API server: caches that watches fill, which may lag behind or break, as operator/cluster/kubernetes/ has them. */
import { isDeepStrictEqual } from "node:util";
import {
  type Cluster,
  ConflictError,
  type KindName,
  type Resource,
  type ResourceByKind,
} from "../../../operator/cluster/cluster.ts";
import type { MemoryCluster } from "../../../operator/cluster/memory.ts";
import { ownerKey } from "../../../operator/evaluation/context.ts";
import type { MemoryPods } from "../../../operator/sandbox/pods/memory-pods.ts";
import type { PodManifest, Pods, PodView } from "../../../operator/sandbox/pods/pods.ts";
import type { ResourceChange } from "../../../operator/wake.ts";
import type { Line } from "./line.ts";
import { sleep } from "./virtual-time.ts";
import type { World } from "./world.ts";

/** A watch: what it is told comes in order, perhaps late; when it breaks, nothing comes until everything is read anew. */
export class Watch {
  readonly #line: Line;
  readonly #relist: () => void;
  #last: Promise<void> = Promise.resolve();
  #isBroken = false;

  constructor(line: Line, relist: () => void) {
    this.#line = line;
    this.#relist = relist;
  }

  tell(callback: () => void): void {
    if (this.#isBroken || this.#line.isDead) return;
    const { weather } = this.#line;
    const fault = weather.draw("watch", false);
    if (fault === "410" || fault === "drop") {
      this.#isBroken = true;
      void sleep(weather.random.between(0.5, 20)).then(() => {
        this.#isBroken = false;
        if (!this.#line.isDead) this.#relist();
      });
      return;
    }
    const wait = fault === "delay" ? sleep(weather.random.between(0.1, 20)) : Promise.resolve();
    this.#last = this.#last
      .then(() => wait)
      .then(() => {
        if (!this.#line.isDead && !this.#isBroken) callback();
      });
  }
}

export class CachedCluster implements Cluster {
  readonly #memory: MemoryCluster;
  readonly #line: Line;
  readonly #cache = new Map<string, Resource>();
  readonly #onChange: (change: ResourceChange) => void;

  constructor(memory: MemoryCluster, line: Line, onChange: (change: ResourceChange) => void) {
    this.#memory = memory;
    this.#line = line;
    this.#onChange = onChange;
    this.#relist();
    const watch = new Watch(line, () => this.#relist());
    memory.watch((resource) => watch.tell(() => this.#put(resource)));
    memory.watchDeletions((kind, key) => watch.tell(() => this.#drop(kind, key)));
  }

  cached<K extends KindName>(kind: K, key: string): ResourceByKind[K] | undefined {
    return this.#cache.get(`${kind} ${key}`) as ResourceByKind[K] | undefined;
  }

  async get<K extends KindName>(kind: K, key: string): Promise<ResourceByKind[K] | undefined> {
    return structuredClone(this.cached(kind, key));
  }

  list<K extends KindName>(kind: K): ResourceByKind[K][] {
    return [...this.#cache.values()].filter((one): one is ResourceByKind[K] => one.kind === kind);
  }

  async updateStatus<K extends KindName>(
    resource: ResourceByKind[K],
    status: ResourceByKind[K]["status"],
  ): Promise<void> {
    if (isDeepStrictEqual(resource.status, status)) return;
    await this.#write(resource, () => this.#memory.updateStatus(resource, status));
  }

  async setFinalizer<R extends Resource>(
    resource: R,
    finalizer: string,
    present: boolean,
  ): Promise<R | undefined> {
    if ((resource.metadata.finalizers ?? []).includes(finalizer) === present) return resource;
    return this.#write(resource, () => this.#memory.setFinalizer(resource, finalizer, present));
  }

  remove(resource: Resource): Promise<void> {
    return this.#line.call("API", () => this.#memory.remove(resource), true);
  }

  secret(namespace: string, name: string): Promise<Readonly<Record<string, string>> | undefined> {
    return this.#line.call("API", () => this.#memory.secret(namespace, name), false);
  }

  configMap(namespace: string, name: string): ReturnType<MemoryCluster["configMap"]> {
    return this.#line.call("API", () => this.#memory.configMap(namespace, name), false);
  }

  async event(...about: Parameters<Cluster["event"]>): Promise<void> {
    await this.#line.call("API", () => this.#memory.event(...about), true).catch(() => undefined);
  }

  /** Own writes are in the cache once they are answered; after a conflict, what stands there. */
  async #write<T>(resource: Resource, write: () => Promise<T>): Promise<T> {
    try {
      const written = await this.#line.call("API", write, true);
      await this.#read(resource);
      return written;
    } catch (error) {
      if (error instanceof ConflictError) await this.#read(resource);
      throw error;
    }
  }

  async #read(resource: Resource): Promise<void> {
    const current = await this.#memory.get(resource.kind, ownerKey(resource));
    if (current) this.#put(current);
    else this.#drop(resource.kind, ownerKey(resource));
  }

  #put(resource: Resource): void {
    const { kind } = resource;
    const key = ownerKey(resource);
    const previous = this.cached(kind, key);
    const versionOf = (one: Resource): number => Number(one.metadata.resourceVersion);
    if (previous && versionOf(previous) >= versionOf(resource)) return;
    this.#cache.set(`${kind} ${key}`, resource);
    this.#onChange({ kind, key, current: resource, previous });
  }

  #drop(kind: KindName, key: string): void {
    const previous = this.cached(kind, key);
    this.#cache.delete(`${kind} ${key}`);
    if (previous) this.#onChange({ kind, key, current: undefined, previous });
  }

  #relist(): void {
    const all = (["Dataset", "TrainingJob", "ModelDeployment"] as const).flatMap((kind): Resource[] =>
      this.#memory.list(kind),
    );
    const there = new Set(all.map((one) => `${one.kind} ${ownerKey(one)}`));
    for (const resource of all) this.#put(resource);
    for (const [id, { kind }] of [...this.#cache])
      if (!there.has(id)) this.#drop(kind, id.slice(kind.length + 1));
  }
}

export class CachedPods implements Pods {
  readonly #memory: MemoryPods;
  readonly #line: Line;
  readonly #cache = new Map<string, PodView>();
  readonly #onChange: (view: PodView) => void;
  readonly #watch: Watch;
  readonly #isForced: boolean;

  constructor({ pods, broken }: World, line: Line, onChange: (view: PodView) => void) {
    this.#memory = pods;
    this.#isForced = broken.ends === "forced";
    this.#line = line;
    this.#onChange = onChange;
    this.#watch = new Watch(line, () => void this.relist());
  }

  /** To be told of each pod that changes or goes. */
  changed(view: PodView, isGone: boolean): void {
    this.#watch.tell(() => this.#put(view, isGone));
  }

  async get(namespace: string, name: string): Promise<PodView | undefined> {
    return this.#cache.get(`${namespace}/${name}`);
  }

  list(): PodView[] {
    return [...this.#cache.values()];
  }

  listOwned(owner: string): Promise<PodView[]> {
    return this.#line.call("pods", () => this.#memory.listOwned(owner), false);
  }

  async create(manifest: PodManifest): Promise<"Created" | "Exists"> {
    const { namespace, name } = manifest.metadata;
    const made = await this.#line.call("pods", () => this.#memory.create(manifest), true);
    const view = made === "Created" ? await this.#memory.get(namespace, name) : undefined;
    if (view && !this.#cache.has(`${namespace}/${name}`)) this.#put(view, false);
    return made;
  }

  end(namespace: string, name: string): Promise<void> {
    if (this.#isForced) return this.remove(namespace, name);
    return this.#delete(namespace, name, () => this.#memory.end(namespace, name));
  }

  remove(namespace: string, name: string): Promise<void> {
    return this.#delete(namespace, name, () => this.#memory.remove(namespace, name));
  }

  async #delete(namespace: string, name: string, action: () => Promise<void>): Promise<void> {
    const carryOut = async (): Promise<boolean> => {
      const isThere = (await this.#memory.get(namespace, name)) !== undefined;
      await action();
      return isThere;
    };
    const wasThere = await this.#line.call("pods", carryOut, true);
    // As with the API server's 404: whatever the watch says.
    const cached = this.#cache.get(`${namespace}/${name}`);
    if (!wasThere && cached) this.#put(cached, true);
  }

  events(namespace: string, name: string): ReturnType<MemoryPods["events"]> {
    return this.#line.call("pods", () => this.#memory.events(namespace, name), false);
  }

  ensurePolicies(namespace: string): Promise<void> {
    return this.#line.call("pods", () => this.#memory.ensurePolicies(namespace), true);
  }

  async relist(): Promise<void> {
    const views = this.#memory.list();
    const there = new Set(views.map((view) => `${view.namespace}/${view.name}`));
    for (const view of views) this.#put(view, false);
    for (const [key, view] of [...this.#cache]) if (!there.has(key)) this.#put(view, true);
  }

  #put(view: PodView, isGone: boolean): void {
    const key = `${view.namespace}/${view.name}`;
    if (isGone) this.#cache.delete(key);
    else this.#cache.set(key, view);
    this.#onChange(isGone ? { ...view, deleting: true } : view);
  }
}
