/** Controllers, caches and executor of the operator in a cluster, from when it watches until it stops. */
import type { JournalEntry } from "./api/journal.ts";
import { API_VERSION } from "./api/meta.ts";
import type { TrainingJob } from "./api/trainingjob.ts";
import type { KindName, Resource } from "./cluster/cluster.ts";
import { ApiError, type ApiServer } from "./cluster/kubernetes/api-server.ts";
import { KubernetesChildren } from "./cluster/kubernetes/children.ts";
import { type Change, KubernetesCluster } from "./cluster/kubernetes/cluster.ts";
import { KubernetesPods } from "./cluster/kubernetes/pods.ts";
import { PUBLIC_INDEX, toolPolicies } from "./cluster/kubernetes/tool-policies.ts";
import type { Configuration } from "./configuration.ts";
import type { Installation } from "./embedded/home.ts";
import { Controller, type Reconcile } from "./engine/controller.ts";
import { ownerKey } from "./evaluation/context.ts";
import { languageModelsOf } from "./language-models.ts";
import type { Logger } from "./observability/log.ts";
import type { JobCounts, Metrics } from "./observability/metrics.ts";
import { Reading } from "./reading.ts";
import { reconcileDataset } from "./reconcilers/dataset.ts";
import { datasetsOf } from "./reconcilers/dataset-source.ts";
import { type ModelDeploymentReconciler, reconcileModelDeployment } from "./reconcilers/modeldeployment.ts";
import { recipesOf } from "./reconcilers/recipe-source.ts";
import { deployModel } from "./reconcilers/trainingjob/deploy.ts";
import { reconcileTrainingJob } from "./reconcilers/trainingjob/reconcile.ts";
import { Replies } from "./reconcilers/trainingjob/replies.ts";
import { writeReport } from "./reconcilers/trainingjob/report.ts";
import { PodExecutor } from "./sandbox/pods/pod-executor.ts";
import type { OwnerReference } from "./sandbox/pods/pods.ts";
import { RUNNER_PATH } from "./sandbox/pods/settings.ts";
import { engineOf } from "./serving/engine-of.ts";
import { logGrant } from "./serving/log-grant.ts";
import { bringSource } from "./sources/bring.ts";
import { ImmutableCache } from "./storage/immutable-cache.ts";
import { S3Store } from "./storage/minio.ts";
import { needsReconcile, wokenBy } from "./wake.ts";

export type ClusterOperatorOptions = {
  readonly configuration: Configuration;
  readonly api: ApiServer;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
  readonly installation: Installation;
};

/**
 * Reconciles at once: each waits for the store and the API server most of the time, whose clients bound what is under way there. A worker for each job
 * of many lets a job wait for what is scarce, and not for another one's wait.
 */
const WORKERS: Readonly<Record<KindName, number>> = { TrainingJob: 1024, Dataset: 8, ModelDeployment: 4 };
/** Replies of LLMs that are waited for at once, each with its prompt in memory. */
const ASIDES = 256;
/** Of the texts of journal entries that are kept in memory, parsed, which takes two to three times as much. */
const JOURNAL_CHARACTERS = 16 * 1024 ** 2;
/** Of keys of models that jobs under way have made: each is looked for whenever its job is looked at. */
const KEPT_CHARACTERS = 1024 ** 2;
const CLAIM_SECONDS = 60;
const BUCKET_RETRY_SECONDS = 5;

export class ClusterOperator {
  readonly #options: ClusterOperatorOptions;
  readonly #store: S3Store;
  readonly #cluster: KubernetesCluster;
  readonly #pods: KubernetesPods;
  readonly #children: KubernetesChildren;
  readonly #entries = new ImmutableCache<JournalEntry>(JOURNAL_CHARACTERS);
  /** What is handed out over HTTP: of a standby too. */
  readonly reading: Reading;
  readonly #claims = new Map<string, { readonly at: number; readonly name: Promise<string | undefined> }>();
  readonly #stopped = new AbortController();
  #executor: PodExecutor | undefined;
  #controllers: Readonly<Record<KindName, Controller>> | undefined;

  constructor(options: ClusterOperatorOptions) {
    this.#options = options;
    const { configuration, api, metrics, log } = options;
    const { store, watchNamespaces: namespaces, index } = configuration;
    this.#store = new S3Store(store);
    const onRestart = (resource: string, reason: string, error: unknown): void => {
      metrics.watchRestarted(resource, reason);
      // A kind of which nothing changes is silent, and its version gets too old: nothing that somebody has to know.
      if (reason === "Silent" || reason === "Expired") log.debug({ resource, reason }, "watch begun again");
      else log.info({ resource, reason, error }, "watch begun again");
    };
    this.#cluster = new KubernetesCluster({
      api,
      namespaces,
      instance: configuration.identity,
      now: Date.now,
      onChange: (change) => this.#changed(change),
      onRestart,
      onEvent: (about, type, reason, message) =>
        log.info({ ...subject(about), type, reason, message }, "event"),
      onEventLost: (error) => log.warn({ error }, "an event could not be written"),
    });
    this.reading = new Reading({ api, cluster: this.#cluster, store: this.#store, entries: this.#entries });
    this.#pods = new KubernetesPods({
      api,
      namespaces,
      policies: (namespace) =>
        toolPolicies(namespace, {
          store: store.selector,
          storePort: store.port,
          index: index.egress ?? PUBLIC_INDEX,
        }),
      onChange: (pod, gone) => {
        this.#executor?.podChanged(gone ? { ...pod, deleting: true } : pod);
      },
      onRestart,
    });
    this.#children = new KubernetesChildren({
      api,
      namespaces,
      onChange: (key) => this.#controllers?.ModelDeployment.queue.add(key),
      onRestart,
    });
  }

  /** Keeps the caches from now on; resolves once they are full. */
  async watch(): Promise<void> {
    await Promise.all([this.#cluster.start(), this.#pods.start(), this.#children.start()]);
  }

  get synced(): boolean {
    return this.#cluster.synced && this.#pods.synced && this.#children.synced;
  }

  get silentSeconds(): number {
    return this.#cluster.silentSeconds;
  }

  get leads(): boolean {
    return this.#controllers !== undefined && !this.#stopped.signal.aborted;
  }

  /** Begins to work. */
  lead(): void {
    const controllers = this.#makeControllers();
    this.#controllers = controllers;
    for (const kind of Object.keys(controllers) as KindName[]) {
      for (const resource of this.#cluster.list(kind)) controllers[kind].queue.add(ownerKey(resource));
    }
    void this.#withBucket().then(() => {
      if (this.#stopped.signal.aborted) return;
      for (const controller of Object.values(controllers)) controller.start();
      this.#options.log.info("leading");
    });
  }

  /** Takes nothing new, and waits for what is under way. Pods go on: the next leader finds what they leave. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const controllers = Object.values(this.#controllers ?? {});
    await Promise.all([...controllers.map((controller) => controller.stop()), this.#executor?.close()]);
  }

  queueDepths(): Record<string, number> {
    return Object.fromEntries(
      Object.entries(this.#controllers ?? {}).map(([kind, controller]) => [kind, controller.queue.depth]),
    );
  }

  jobCounts(): JobCounts {
    const counts = { TRAINING: 0, READY: 0, ERROR: 0, Suspended: 0 };
    for (const { spec, status } of this.#cluster.list("TrainingJob")) {
      const state = status?.state ?? "TRAINING";
      counts[state === "TRAINING" && spec.suspend ? "Suspended" : state]++;
    }
    return counts;
  }

  #changed(change: Change): void {
    const controllers = this.#controllers;
    if (!controllers) return;
    if (needsReconcile(change)) controllers[change.kind].queue.add(change.key);
    for (const { kind, key } of wokenBy(change, this.#cluster)) controllers[kind].queue.add(key);
  }

  #makeControllers(): Record<KindName, Controller> {
    const { configuration, env, installation } = this.#options;
    const [cluster, store] = [this.#cluster, this.#store];
    const clock = { now: Date.now };
    const executor = this.#makeExecutor();
    const bring = bringSource({ cluster, store, own: configuration.store });
    const { artifacts } = configuration;
    const jobs = {
      cluster,
      store,
      executor,
      clock,
      startedAt: clock.now(),
      entries: this.#entries,
      replies: new Replies(),
      kept: new ImmutableCache<true>(KEPT_CHARACTERS),
      baselines: installation.baselines,
      version: installation.version,
      datasets: datasetsOf(cluster, store, bring),
      recipes: recipesOf(cluster, store),
      languageModels: languageModelsOf(cluster, env),
      writeReport,
      artifacts,
      expires: true,
      deploy: (job: TrainingJob) => deployModel({ cluster, children: this.#children }, job),
      onEntry: (job: TrainingJob, entry: JournalEntry, seconds: number) => this.#written(job, entry, seconds),
    };
    const datasets = { cluster, store, executor, clock, bring, artifacts };
    const deployments = { cluster, clock, ...this.#serving() };
    return {
      TrainingJob: this.#controller("TrainingJob", (key, aside) => reconcileTrainingJob(jobs, key, aside)),
      Dataset: this.#controller("Dataset", (key) => reconcileDataset(datasets, key)),
      ModelDeployment: this.#controller("ModelDeployment", (key) =>
        reconcileModelDeployment(deployments, key),
      ),
    };
  }

  /** What it takes to serve models; nothing where no image of the server is known. */
  #serving(): Pick<ModelDeploymentReconciler, "serving"> {
    const { runner, inferenceServer, pods, store, artifacts } = this.#options.configuration;
    if (inferenceServer.image === undefined) return {};
    return {
      serving: {
        cluster: this.#cluster,
        children: this.#children,
        store: this.#store,
        artifacts,
        settings: {
          frontImage: inferenceServer.image,
          runnerImage: runner.image,
          pullPolicy: runner.pullPolicy,
          runnerPath: RUNNER_PATH,
          nodeSelector: pods.nodeSelector,
          tolerations: pods.tolerations,
          imagePullSecrets: pods.imagePullSecrets,
          store: store.selector,
          storePort: store.port,
        },
        environmentsClaim: (namespace) => this.#claimIn(namespace),
        shipping: async (namespace, name, now) =>
          JSON.stringify(await logGrant(this.#store, { namespace, name }, now)),
        engineOf,
      },
    };
  }

  #controller(kind: KindName, reconcile: Reconcile): Controller {
    const { metrics, log } = this.#options;
    return new Controller({
      name: kind,
      reconcile,
      workers: WORKERS[kind],
      asides: ASIDES,
      onReconciled: (key, result, seconds) => {
        metrics.reconciled(kind, result, seconds);
        log.debug({ ...this.#where(kind, key), result, seconds }, "reconciled");
      },
      onTaken: (_key, seconds) => metrics.waited(kind, seconds),
      onFailure: (key, error, failures, retrySeconds) => {
        log.error({ ...this.#where(kind, key), error, failures, retrySeconds }, "a reconcile failed");
      },
    });
  }

  #makeExecutor(): PodExecutor {
    const { configuration, metrics, log } = this.#options;
    const { runner, pods, index, store } = configuration;
    const executor = new PodExecutor({
      pods: this.#pods,
      store: this.#store,
      storeEndpoint: store.endpoint,
      settings: {
        image: runner.image,
        pullPolicy: runner.pullPolicy,
        runnerPath: RUNNER_PATH,
        ...(pods.nodeSelector === undefined ? {} : { nodeSelector: pods.nodeSelector }),
        ...(pods.tolerations === undefined ? {} : { tolerations: pods.tolerations }),
        ...(pods.imagePullSecrets === undefined ? {} : { imagePullSecrets: pods.imagePullSecrets }),
        ...(index.url === undefined ? {} : { indexUrl: index.url }),
      },
      environmentsClaim: (namespace) => this.#claimIn(namespace),
      ownerReference: (owner) => this.#ownerReference(owner),
      runtimeClassName: (owner) => this.#cluster.cached("TrainingJob", owner)?.spec.sandbox.runtimeClassName,
      onFinished: (owner) => {
        const [kind, key] = owned(owner);
        this.#controllers?.[kind].queue.add(key);
      },
      onStarted: (kind, seconds) => metrics.podStarted(kind === "Install" ? "install" : "execution", seconds),
      log: (message, fields = {}) => {
        const [kind, key] = owned(String(fields.owner ?? ""));
        log.info({ ...this.#where(kind, key), ...fields }, message);
      },
    });
    this.#executor = executor;
    // What ended while nobody led.
    for (const pod of this.#pods.list()) executor.podChanged(pod);
    return executor;
  }

  #ownerReference(owner: string): OwnerReference | undefined {
    const [kind, key] = owned(owner);
    const resource = this.#cluster.cached(kind, key);
    if (resource?.metadata.uid === undefined) return undefined;
    const { name, uid } = resource.metadata;
    return { apiVersion: API_VERSION, kind, name, uid };
  }

  /** The claim for environments, where the namespace has it. */
  #claimIn(namespace: string): Promise<string | undefined> {
    const { configuration, api } = this.#options;
    const name = configuration.environmentsClaim;
    if (name === undefined) return Promise.resolve(undefined);
    const known = this.#claims.get(namespace);
    if (known && performance.now() - known.at < CLAIM_SECONDS * 1000) return known.name;
    const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`;
    const found = api.request("GET", path).then(
      () => name,
      (error: unknown) => {
        if (error instanceof ApiError && (error.code === 404 || error.code === 403)) return undefined;
        this.#claims.delete(namespace);
        throw error;
      },
    );
    this.#claims.set(namespace, { at: performance.now(), name: found });
    return found;
  }

  async #withBucket(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#store.ensureBucket();
        return;
      } catch (error) {
        this.#options.log.warn({ error, retrySeconds: BUCKET_RETRY_SECONDS }, "the store is not ready");
        await new Promise((resolve) => setTimeout(resolve, BUCKET_RETRY_SECONDS * 1000));
      }
    }
  }

  #written(job: TrainingJob, entry: JournalEntry, seconds: number): void {
    const { metrics, log } = this.#options;
    const step = "step" in entry ? entry.step : (job.status?.progress?.step ?? 0);
    const where = { kind: "TrainingJob", job: ownerKey(job), step };
    const { sequence, type } = entry;
    if (entry.type === "ToolFinished") {
      metrics.toolFinished(entry.name, entry.response.ok, seconds);
      log.info(
        { ...where, sequence, entry: type, tool: entry.name, ok: entry.response.ok, seconds },
        "journal",
      );
    } else if (entry.type === "ReplyReceived") {
      const { promptTokens, outputTokens } = entry.usage;
      metrics.tokens(promptTokens, outputTokens);
      log.info({ ...where, sequence, entry: type, promptTokens, outputTokens, seconds }, "journal");
    } else log.info({ ...where, sequence, entry: type, seconds }, "journal");
  }

  /** What a log line says of the resource that it is about. */
  #where(kind: KindName, key: string): Record<string, unknown> {
    if (kind === "Dataset") return { kind, dataset: key };
    if (kind === "ModelDeployment") return { kind, deployment: key };
    return { kind, job: key, step: this.#cluster.cached("TrainingJob", key)?.status?.progress?.step ?? 0 };
  }
}

function subject(about: {
  kind: string;
  metadata: Resource["metadata"] | { name: string; namespace?: string | undefined };
}) {
  const key = `${about.metadata.namespace ?? "default"}/${about.metadata.name}`;
  return about.kind === "TrainingJob" ? { kind: about.kind, job: key } : { kind: about.kind, resource: key };
}

/** The resource behind the owner of an execution. */
function owned(owner: string): readonly [KindName, string] {
  return owner.startsWith("dataset:") ? ["Dataset", owner.slice("dataset:".length)] : ["TrainingJob", owner];
}
