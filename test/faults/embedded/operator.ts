/** One operator of the product on its line: reconcilers, controllers, election and pod executor as operator/operator.ts puts them together. */
import type { JournalEntry } from "../../../operator/api/journal.ts";
import { type Cluster, ConflictError, type KindName } from "../../../operator/cluster/cluster.ts";
import { Controller } from "../../../operator/engine/controller.ts";
import { Election, type LeaseClock, type LeaseStore } from "../../../operator/engine/lease.ts";
import { ownerKey, reportKey } from "../../../operator/evaluation/context.ts";
import { reconcileDataset } from "../../../operator/reconcilers/dataset.ts";
import { type BringSource, datasetsOf } from "../../../operator/reconcilers/dataset-source.ts";
import { reconcileModelDeployment } from "../../../operator/reconcilers/modeldeployment.ts";
import { recipesOf } from "../../../operator/reconcilers/recipe-source.ts";
import { reconcileTrainingJob } from "../../../operator/reconcilers/trainingjob/reconcile.ts";
import { Replies } from "../../../operator/reconcilers/trainingjob/replies.ts";
import { PodExecutor } from "../../../operator/sandbox/pods/pod-executor.ts";
import type { PodView } from "../../../operator/sandbox/pods/pods.ts";
import { logGrant } from "../../../operator/serving/log-grant.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import type { Grants } from "../../../operator/storage/grants.ts";
import { ImmutableCache } from "../../../operator/storage/immutable-cache.ts";
import type { Pages } from "../../../operator/storage/pages.ts";
import { needsReconcile, type ResourceChange, wokenBy } from "../../../operator/wake.ts";
import { CachedCluster, CachedPods } from "./caches.ts";
import { CachedChildren } from "./children.ts";
import { Line } from "./line.ts";
import type { Standing } from "./servers.ts";
import type { World } from "./world.ts";

const clock: LeaseClock = {
  now: () => Date.now(),
  sleep: (seconds, signal) =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, seconds * 1000);
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { once: true });
    }),
};

export class EmbeddedOperator {
  readonly line: Line;
  readonly identity: string;
  readonly #world: World;
  readonly #cluster: CachedCluster;
  readonly #pods: CachedPods;
  readonly #stopped = new AbortController();
  #executor: PodExecutor | undefined;
  readonly #children: CachedChildren;
  #controllers: Readonly<Record<KindName, Controller>> | undefined;

  constructor(world: World, identity: string) {
    this.#world = world;
    this.identity = identity;
    this.line = new Line(world.weather);
    this.#cluster = new CachedCluster(world.cluster, this.line, (change) => this.#changed(change));
    this.#pods = new CachedPods(world, this.line, (view) => this.#executor?.podChanged(view));
    this.#children = new CachedChildren(world.servers, this.line, (key) => {
      if (!this.line.isDead) this.#controllers?.ModelDeployment.queue.add(key);
    });
    void this.#pods.relist();
  }

  get leads(): boolean {
    return this.#controllers !== undefined && !this.line.isDead;
  }

  /** Keys that wait to be reconciled, of all kinds. */
  get queued(): number {
    const controllers = Object.values(this.#controllers ?? {});
    return controllers.reduce((sum, { queue }) => sum + queue.depth, 0);
  }

  podChanged(view: PodView, isGone: boolean): void {
    this.#pods.changed(view, isGone);
  }

  serversChanged(key: string, standing: Standing): void {
    this.#children.changed(key, standing);
  }

  /** Leads when it has the lease, and calls back when that is lost. */
  elect(onLost: () => void): void {
    const election = new Election({
      store: leaseOn(this.#world.lease, this.line),
      identity: this.identity,
      clock,
      random: () => this.#world.random.next(),
    });
    void election
      .run(this.#stopped.signal, () => this.lead())
      .then((ending) => {
        if (ending === "Lost") onLost();
      });
  }

  lead(): void {
    const store = storeOn(this.#world, this.line);
    const cluster = this.#cluster;
    const executor = new PodExecutor({
      pods: this.#pods,
      store,
      storeEndpoint: "http://10.0.0.1:9000",
      settings: { image: "runner", pullPolicy: "IfNotPresent", runnerPath: "/opt/runner" },
      environmentsClaim: async () => "environments",
      ownerReference: () => undefined,
      onFinished: (owner) => {
        const [kind, key] = owner.startsWith("dataset:")
          ? (["Dataset", owner.slice("dataset:".length)] as const)
          : (["TrainingJob", owner] as const);
        controllers[kind].queue.add(key);
      },
      log: () => undefined,
    });
    this.#executor = executor;
    const bring: BringSource = async (_source, _namespace, key) => {
      await store.put(key, new TextEncoder().encode("age,churn\n3,1\n"));
    };
    const common = { cluster: cluster as Cluster, store, executor, clock, artifacts: "Delete" as const };
    const jobs = {
      ...common,
      startedAt: Date.now(),
      entries: new ImmutableCache<JournalEntry>(1e6),
      ...(this.#world.broken.replies === "forgotten" ? {} : { replies: new Replies() }),
      baselines: { prior: "prior", boosting: "boosting" },
      version: "test",
      datasets: datasetsOf(cluster, store, bring),
      recipes: recipesOf(cluster, store),
      languageModels: async (job: Parameters<World["service"]["modelOf"]>[0]) =>
        this.#world.service.modelOf(job, this.line),
      writeReport: ({ job }: { job: Parameters<typeof reportKey>[0] }) =>
        store.put(reportKey(job), new TextEncoder().encode("report")),
      expires: true,
    };
    const { broken } = this.#world;
    const deployments = {
      ...{ cluster: cluster as Cluster, clock },
      serving: {
        cluster: {
          secret: (namespace: string, name: string) =>
            this.line.call("API", async () => this.#world.servers.secret(namespace, name), false),
        },
        ...{ children: this.#children, store, artifacts: common.artifacts },
        settings: {
          ...{ frontImage: "front", runnerImage: "runner", pullPolicy: "IfNotPresent" as const },
          ...{ runnerPath: "/opt/runner", store: { cidr: "10.0.0.1/32" }, storePort: 9000 },
        },
        environmentsClaim: async () => "environments",
        shipping: async (namespace: string, name: string, now: number) =>
          JSON.stringify(
            await logGrant(store, { namespace, name: broken.log === "elsewhere" ? "other" : name }, now),
          ),
        engineOf: async () => "Compiled" as const,
      },
    };
    const controllers = {
      TrainingJob: new Controller({
        name: "TrainingJob",
        reconcile: (key, aside) => reconcileTrainingJob(jobs, key, aside),
        onFailure: (key, error) => this.#world.failed(key, error),
      }),
      Dataset: new Controller({
        name: "Dataset",
        reconcile: (key) => reconcileDataset({ ...common, bring }, key),
        onFailure: (key, error) => this.#world.failed(key, error),
      }),
      ModelDeployment: new Controller({
        name: "ModelDeployment",
        reconcile: (key) => reconcileModelDeployment(deployments, key),
        onFailure: (key, error) => this.#world.failed(key, error),
      }),
    };
    this.#controllers = controllers;
    for (const pod of this.#pods.list()) executor.podChanged(pod);
    for (const kind of ["TrainingJob", "Dataset", "ModelDeployment"] as const)
      for (const resource of cluster.list(kind)) controllers[kind].queue.add(ownerKey(resource));
    for (const controller of Object.values(controllers)) controller.start();
  }

  kill(): void {
    this.line.cut();
    this.#stopped.abort();
    for (const controller of Object.values(this.#controllers ?? {})) controller.queue.close();
  }

  #changed(change: ResourceChange): void {
    const controllers = this.#controllers;
    if (!controllers || this.line.isDead) return;
    if (needsReconcile(change)) controllers[change.kind].queue.add(change.key);
    for (const { kind, key } of wokenBy(change, this.#cluster)) controllers[kind].queue.add(key);
  }
}

function storeOn({ store, account, broken }: World, line: Line): ArtifactStore & Grants & Pages {
  return {
    get: (key) => line.call("store", () => store.get(key), false),
    put: (key, body) =>
      line.call(
        "store",
        (isLate) => {
          account.wrote(key, isLate);
          return store.put(key, body);
        },
        true,
      ),
    create: (key, body) =>
      line.call(
        "store",
        async (isLate) => {
          const isCreated = await store.create(key, body);
          if (isCreated) account.created(key, body, isLate);
          else if (broken.create === "overwrites") await store.put(key, body);
          return isCreated || broken.create === "overwrites";
        },
        true,
      ),
    exists: (key) => line.call("store", () => store.exists(key), false),
    digest: (key) => line.call("store", () => store.digest(key), false),
    copy: (from, to) =>
      line.call(
        "store",
        (isLate) => {
          account.wrote(to, isLate);
          return store.copy(from, to);
        },
        true,
      ),
    list: (prefix) => line.call("store", () => store.list(prefix), false),
    deletePrefix: async (prefix) => {
      const keys = await line.call("store", () => store.list(prefix), false);
      if (keys.length > 0) await line.call("store", () => store.deleteKeys(keys), false);
    },
    page: (prefix, after, count) => line.call("store", () => store.page(prefix, after, count), false),
    deleteKeys: (keys) => line.call("store", () => store.deleteKeys(keys), false),
    uri: (key) => store.uri(key),
    grantGet: (key, seconds) => store.grantGet(key, seconds),
    grantPut: (key, seconds) => store.grantPut(key, seconds),
    grantPost: (prefix, seconds, maxBytes) => store.grantPost(prefix, seconds, maxBytes),
  };
}

function leaseOn(lease: LeaseStore, line: Line): LeaseStore {
  return {
    get: () => line.call("lease", () => lease.get(), false),
    write: async (record, version) => {
      try {
        return await line.call("lease", () => lease.write(record, version), true);
      } catch (error) {
        if (error instanceof ConflictError) return undefined;
        throw error;
      }
    },
  };
}
