/** What a cluster makes of the children of ModelDeployments in virtual time: pods that roll, answer, and send their log, as Deployments have them. */
import { segmentKey } from "../../../operator/api/prediction-log.ts";
import type { MemoryCluster } from "../../../operator/cluster/memory.ts";
import type { Child, ChildKind, LiveDeployment, ServingPod } from "../../../operator/serving/children.ts";
import { MemoryChildren } from "../../../operator/serving/memory-children.ts";
import { ANNOTATIONS, grantsKey, grantsName, SHIP_KEY } from "../../../operator/serving/names.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import type { Random } from "./random.ts";
import { sleep } from "./virtual-time.ts";

/** One pod of a model. */
class Server {
  readonly name: string;
  /** Of the ModelDeployment. */
  readonly key: string;
  readonly owner: string;
  readonly template: string;
  readonly digest: string;
  readonly trainingJob: string;
  readonly created = Date.now();
  isReady = false;
  isDeleting = false;
  isGone = false;
  trouble: string | undefined;
  /** Predictions that are on its disk and not in the store. */
  disk: string[] = [];

  constructor(name: string, key: string, { metadata, spec }: Child) {
    this.name = name;
    this.key = key;
    this.owner = metadata.ownerReferences?.[0]?.uid ?? "";
    const { template } = spec as {
      template: { metadata: { annotations: Record<string, string> } };
    };
    this.template = JSON.stringify(template);
    this.digest = template.metadata.annotations[ANNOTATIONS.digest] ?? "";
    this.trainingJob = template.metadata.annotations[ANNOTATIONS.trainingJob] ?? "";
  }

  get view(): ServingPod {
    const ended = { terminated: { exitCode: 1, message: this.trouble } };
    return {
      name: this.name,
      deployment: this.key.split("/")[1] ?? "",
      digest: this.digest,
      trainingJob: this.trainingJob,
      ip: this.isReady ? "10.0.0.1" : undefined,
      deleting: this.isDeleting,
      created: this.created,
      status: {
        conditions: [{ type: "Ready", status: this.isReady ? "True" : "False" }],
        ...(this.trouble === undefined
          ? {}
          : { initContainerStatuses: [{ name: "fetch", state: {}, lastState: ended }] }),
      },
    };
  }
}

/** How one ModelDeployment's children stand: what a watch tells. */
export type Standing = {
  readonly version: number;
  readonly live: LiveDeployment | undefined;
  readonly pods: readonly ServingPod[];
};

export type ServersOptions = {
  readonly cluster: MemoryCluster;
  readonly store: ArtifactStore;
  readonly random: Random;
  /** Told of each ModelDeployment whose Deployment or pods changed. */
  readonly onChange: (key: string, standing: Standing) => void;
};

/** Seconds between two predictions that each server gives, and predictions after which it sends them. */
const APART = 3;
const SEGMENT = 3;

export class Servers {
  readonly #options: ServersOptions;
  readonly #children = new MemoryChildren();
  readonly #objects = new Map<string, Pick<Child, "kind" | "metadata">>();
  readonly #servers: Server[] = [];
  readonly #stirred = new Set<string>();
  /** Whose Deployment is told to end, and is still there. */
  readonly #ending = new Set<string>();
  /** Every prediction that was acknowledged, and the uid of the ModelDeployment whose it is. */
  readonly acknowledged = new Map<string, string>();
  /** What was on the disk of a server that was lost with its node. */
  readonly lost = new Set<string>();
  #version = 0;
  #count = 0;

  constructor(options: ServersOptions) {
    this.#options = options;
    options.cluster.watchDeletions((kind) => {
      // What the garbage collector does, some time later.
      if (kind === "ModelDeployment")
        void sleep(options.random.between(0.1, 5)).then(() => this.#collectGarbage());
    });
  }

  /** @param fieldManager of another owner of fields, who says of the spec only what is his */
  async apply(given: Child, fieldManager?: string): Promise<{ live: LiveDeployment; version: number }> {
    const present = this.#children.applied(given.kind, given.metadata.namespace, given.metadata.name);
    const child =
      fieldManager !== undefined && present
        ? { ...present, spec: { ...(present.spec as object), ...(given.spec as object) } }
        : given;
    const { kind, metadata } = child;
    const live = await this.#children.apply(child);
    this.#objects.set(idOf(kind, metadata.namespace, metadata.name), { kind, metadata });
    const version = ++this.#version;
    if (kind === "Deployment") this.#changed(`${metadata.namespace}/${metadata.name}`);
    return { live, version };
  }

  /** In the foreground: of a Deployment the pods first, then itself. */
  async remove(kind: ChildKind, namespace: string, name: string): Promise<void> {
    const key = `${namespace}/${name}`;
    if (kind !== "Deployment") return this.#removed(kind, namespace, name);
    const deployment = this.#children.applied(kind, namespace, name);
    if (!deployment || this.#ending.has(key)) return;
    this.#ending.add(key);
    this.#changed(key);
    void this.#endAll(key).then(async () => {
      await this.#removed(kind, namespace, name);
      this.#ending.delete(key);
      this.#changed(key);
    });
  }

  async #removed(kind: ChildKind, namespace: string, name: string): Promise<void> {
    await this.#children.remove(kind, namespace, name);
    this.#objects.delete(idOf(kind, namespace, name));
  }

  get(kind: ChildKind, namespace: string, name: string): Promise<LiveDeployment | undefined> {
    return this.#children.get(kind, namespace, name);
  }

  secret(namespace: string, name: string): Readonly<Record<string, string>> | undefined {
    const data = this.#children.applied("Secret", namespace, name)?.data as object | undefined;
    return (
      data &&
      Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), "base64").toString()]),
      )
    );
  }

  standing(key: string): Standing {
    const [namespace = "", name = ""] = key.split("/");
    return {
      version: this.#version,
      live: this.#children.deployment(namespace, name),
      pods: this.#of(key).map(({ view }) => view),
    };
  }

  /** Every ModelDeployment of which anything is there. */
  keys(): string[] {
    const deployments = [...this.#objects.values()].filter(({ kind }) => kind === "Deployment");
    return [
      ...new Set([
        ...deployments.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
        ...this.#servers.map(({ key }) => key),
      ]),
    ];
  }

  /** What is there, by kind and name. */
  get left(): string[] {
    return [...this.#objects.keys(), ...this.#servers.map(({ name }) => `pod ${name}`)];
  }

  /** What is acknowledged and not yet sent. */
  get onDisks(): string[] {
    return this.#servers.flatMap(({ disk }) => disk);
  }

  /** A server is lost with its node; false where there is none. */
  lose(which: number): boolean {
    const alive = this.#servers.filter(({ isDeleting }) => !isDeleting);
    const server = alive[which % Math.max(1, alive.length)];
    if (!server) return false;
    for (const id of server.disk) this.lost.add(id);
    this.#gone(server);
    return true;
  }

  async #endAll(key: string): Promise<void> {
    const { random } = this.#options;
    await sleep(random.between(0.05, 1));
    for (const server of this.#of(key)) if (!server.isDeleting) void this.#end(server);
    while (this.#of(key).length > 0) await sleep(random.between(0.1, 1));
  }

  #of(key: string): Server[] {
    return this.#servers.filter((server) => server.key === key);
  }

  #changed(key: string): void {
    this.#version++;
    this.#options.onChange(key, this.standing(key));
    if (this.#stirred.has(key)) return;
    this.#stirred.add(key);
    void sleep(this.#options.random.between(0.05, 1)).then(() => {
      this.#stirred.delete(key);
      this.#roll(key);
    });
  }

  /** A step of the Deployment's controller: no server fewer than are wanted, and one more at most. */
  #roll(key: string): void {
    const [namespace = "", name = ""] = key.split("/");
    const deployment = this.#children.applied("Deployment", namespace, name);
    const live = this.#children.deployment(namespace, name);
    const active = this.#of(key).filter(({ isDeleting }) => !isDeleting);
    if (!deployment || !live || this.#ending.has(key)) return;
    const wanted = live.spec?.replicas ?? 1;
    const template = JSON.stringify((deployment.spec as { template: unknown }).template);
    const fresh = active.filter((server) => server.template === template);
    const old = active.filter((server) => server.template !== template);
    const ready = active.filter(({ isReady }) => isReady).length;
    const spare =
      fresh.length > wanted ? fresh.at(-1) : old.find(({ isReady }) => !isReady || ready > wanted);
    if (spare && (spare.isReady === false || ready > wanted)) void this.#end(spare);
    else if (fresh.length < wanted && active.length <= wanted) this.#add(key, deployment);
    const servers = this.#of(key).filter(({ isDeleting }) => !isDeleting);
    const available = servers.filter(({ isReady }) => isReady).length;
    const status = {
      replicas: servers.length,
      updatedReplicas: servers.filter((server) => server.template === template).length,
      readyReplicas: available,
      availableReplicas: available,
    };
    const before = live.status;
    this.#children.settle(namespace, name, status);
    const after = this.#children.deployment(namespace, name)?.status;
    if (JSON.stringify(before) !== JSON.stringify(after)) this.#changed(key);
  }

  #add(key: string, deployment: Child): void {
    const server = new Server(`${key.split("/")[1]}-${++this.#count}`, key, deployment);
    this.#servers.push(server);
    void this.#live(server);
    this.#changed(key);
  }

  async #live(server: Server): Promise<void> {
    const { random, store } = this.#options;
    await sleep(random.between(0.2, 2));
    for (;;) {
      if (server.isGone || server.isDeleting) return;
      const grant = this.#mounted(server, grantsKey(server.digest));
      const { files = {} } = grant === undefined ? {} : (JSON.parse(grant) as { files?: object });
      const urls = Object.values(files) as string[];
      const found = await Promise.all(urls.map((url) => store.exists(url.slice("get:".length))));
      if (urls.length > 0 && found.every(Boolean)) break;
      server.trouble = JSON.stringify({ reason: "FetchFailed", message: "the model cannot be fetched" });
      this.#changed(server.key);
      await sleep(5);
    }
    await sleep(random.between(0.5, 4));
    if (server.isGone || server.isDeleting) return;
    server.trouble = undefined;
    server.isReady = true;
    this.#changed(server.key);
    for (let count = 1; !server.isGone && !server.isDeleting; count++) {
      await sleep(APART);
      if (server.isGone || server.isDeleting) return;
      const id = `${server.name}-${count}`;
      server.disk.push(id);
      this.acknowledged.set(id, server.owner);
      if (count % SEGMENT === 0) await this.#ship(server);
    }
  }

  /** Sends what is on its disk, where it has leave to. */
  async #ship(server: Server): Promise<void> {
    const { store, random } = this.#options;
    const grant = this.#mounted(server, SHIP_KEY);
    const lines = [...server.disk];
    if (grant === undefined || lines.length === 0) return;
    const { prefix } = JSON.parse(grant) as { prefix: string };
    const key = segmentKey(prefix, Date.now(), server.name, `${Date.now()}-00000000`);
    await sleep(random.between(0.01, 0.3));
    if (server.isGone) return;
    await store.put(key, new TextEncoder().encode(`${lines.join("\n")}\n`));
    server.disk = server.disk.filter((line) => !lines.includes(line));
  }

  #mounted({ key }: Server, file: string): string | undefined {
    const [namespace = "", name = ""] = key.split("/");
    return this.secret(namespace, grantsName(name))?.[file];
  }

  /** It is told to end, and sends what it has before. */
  async #end(server: Server): Promise<void> {
    server.isDeleting = true;
    this.#changed(server.key);
    await sleep(this.#options.random.between(0.3, 3));
    // What it was sending meanwhile it does not send once more.
    while (server.disk.length > 0 && !server.isGone) {
      await this.#ship(server);
      if (this.#mounted(server, SHIP_KEY) === undefined) break;
      await sleep(0.5);
    }
    this.#gone(server);
  }

  #gone(server: Server): void {
    if (server.isGone) return;
    server.isGone = true;
    this.#servers.splice(this.#servers.indexOf(server), 1);
    this.#changed(server.key);
  }

  async #collectGarbage(): Promise<void> {
    const alive = new Set(this.#options.cluster.list("ModelDeployment").map(({ metadata }) => metadata.uid));
    for (const { kind, metadata } of [...this.#objects.values()])
      if (!metadata.ownerReferences?.some(({ uid }) => alive.has(uid)))
        await this.remove(kind, metadata.namespace, metadata.name);
  }
}

const idOf = (kind: string, namespace: string, name: string): string => `${kind} ${namespace}/${name}`;
