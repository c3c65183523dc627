/**
 * Operators of the product (operator/operator.ts, with their election) on an API server in memory and a MinIO: to be cut off from both at
 * any moment, which is all that others notice of one that was killed.
 */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Journal } from "../../operator/agent/journal.ts";
import { ModelDeployment } from "../../operator/api/modeldeployment.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import { KubernetesLease } from "../../operator/cluster/kubernetes/lease.ts";
import { readConfiguration } from "../../operator/configuration.ts";
import { installation } from "../../operator/embedded/home.ts";
import { Election } from "../../operator/engine/lease.ts";
import { journalPrefix } from "../../operator/evaluation/context.ts";
import { createLog } from "../../operator/observability/log.ts";
import { Metrics } from "../../operator/observability/metrics.ts";
import { ClusterOperator } from "../../operator/operator.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import { type GeminiServer, startGeminiServer } from "../fakes/gemini-server.ts";
import { PODS, runPods } from "../fakes/instant-nodes.ts";
import { type Json, KubernetesApi, type KubernetesApiOptions } from "../fakes/kubernetes-api.ts";
import { success } from "../fakes/scripts.ts";
import type { Minio } from "../minio.ts";

const NAMESPACE = "team";
export const JOBS = "/apis/autoai.dev/v1alpha1/trainingjobs";
const LEASE = "autoai-operator";
const LEASES = "/apis/coordination.k8s.io/v1/leases";
/** Long enough that nobody loses the lease but by the test's doing, however busy the machine is; lease.test.ts is about time. */
const TIMINGS = { lease: 600, renewDeadline: 500, retry: 0.1 };

/**
 * A cable to a server, which can be cut: the operator at its end hears nothing more, and is not heard. Pods, to which the operator gave
 * the same address, still reach the store.
 */
class Cable {
  readonly url: string;
  /** Of the operator. */
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #isCut = false;

  private constructor(server: Server, target: URL) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (near) => {
      near.on("error", () => undefined);
      near.once("data", (begin) => this.#join(near, target, begin));
    });
  }

  static async to(target: string): Promise<Cable> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Cable(server, new URL(target));
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(near: Socket, { hostname, port }: URL, begin: Buffer): void {
    const isPods =
      /^user-agent: (node|undici)\r$/im.test(begin.toString("latin1")) &&
      POD_PATHS.test(begin.toString("latin1"));
    if (this.#isCut && !isPods) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    far.write(begin);
    far.on("error", () => near.destroy());
    far.once("close", () => near.destroy());
    near.once("close", () => {
      this.#sockets.delete(near);
      far.destroy();
    });
    if (!isPods) this.#sockets.add(near);
    near.pipe(far);
    far.pipe(near);
  }
}

/** Requests to the store by fetch, which the operator does not use there. */
const POD_PATHS = /^[A-Z]+ \/world-/;

/** What lies between an operator and a server. */
export type Between = { readonly url: string; cut(): void; close(): void };
export type Lay = (target: string, seam: "API" | "store" | "LLM") => Promise<Between>;

/** Whether a request comes from a pod, to which operators gave their own address of the store. */
export const isPods = (agent: string | undefined, path: string | undefined): boolean =>
  /^(node|undici)$/i.test(agent ?? "") && /^\/world-/.test(path ?? "");

export type Operator = {
  readonly identity: string;
  readonly isGone: () => boolean;
  /** Keys that wait to be reconciled, of all kinds. */
  readonly queued: () => number;
  /** From now on nothing that it does has an effect. */
  kill(): void;
};

export type Story = {
  readonly state: string;
  /** Of the journal, without times and what follows from them. */
  readonly entries: readonly Json[];
  /** Names of the pods that were made, in order. */
  readonly pods: readonly string[];
  readonly replies: number;
};

export class World implements AsyncDisposable {
  readonly api: KubernetesApi;
  readonly gemini: GeminiServer;
  /** Called when a pod is there, before anything of it runs. */
  onPod: (name: string) => Promise<void> | void = () => undefined;
  /** Called when the LLM is asked, before it answers, with how many replies it gave so far. */
  onAsked: (turn: number) => Promise<void> | void = () => undefined;
  readonly failures: unknown[] = [];
  readonly #minio: Minio;
  readonly #bucket: string;
  readonly #operators = new Set<Operator>();
  readonly #cables: Between[] = [];
  readonly #between: Lay;
  readonly #pods: string[] = [];
  #count = 0;

  private constructor(api: KubernetesApi, gemini: GeminiServer, minio: Minio, bucket: string, between: Lay) {
    this.#between = between;
    this.api = api;
    this.gemini = gemini;
    this.#minio = minio;
    this.#bucket = bucket;
  }

  /**
   * @param bucket of this world alone
   * @param before called before each call of the API server, as KubernetesApiOptions has it
   * @param uid of each new object: the same in each world where absent, so that worlds can be compared
   * @param between lays what is between an operator and a server
   */
  static async start(
    minio: Minio,
    bucket: string,
    uid: (object: Json) => string = ({ metadata }) => `0b5e2a1c-${metadata.name}`,
    before: KubernetesApiOptions["before"] = () => undefined,
    between: Lay = (target) => Cable.to(target),
  ): Promise<World> {
    const defaulted = (object: Json): Json =>
      object.kind === "ModelDeployment" ? ModelDeployment.parse(object) : object;
    const api = await KubernetesApi.start({ uid, defaulted, before });
    const steps = success() as readonly Json[];
    const gemini = await startGeminiServer({
      script: async ({ turn }) => {
        await world.onAsked(turn);
        return steps[turn] ?? { text: "Done." };
      },
    });
    const world: World = new World(api, gemini, minio, bucket, between);
    api.onChange(({ type, collection, object }) => {
      if (type === "ADDED" && collection === PODS) world.#pods.push(object.metadata.name);
    });
    runPods(api, {
      before: ({ metadata }) => world.onPod(metadata.name),
      onFailure: (error) => world.failures.push(error),
    });
    api.put("/api/v1/configmaps", {
      metadata: { name: "rows", namespace: NAMESPACE },
      data: { "rows.csv": "age,churn\n3,1\n" },
    });
    return world;
  }

  /** An operator that leads when it has the lease, and is gone when it loses it; or one that leads whoever else does. */
  async operator({
    elected = true,
    env: more = {},
  }: {
    readonly elected?: boolean;
    /** Of its environment, besides what it needs. */
    readonly env?: Readonly<Record<string, string>>;
  } = {}): Promise<Operator> {
    const identity = `operator-${++this.#count}`;
    const cables = await Promise.all([
      this.#between(this.api.url, "API"),
      this.#between(this.#minio.options.endpoint, "store"),
      this.#between(this.gemini.url, "LLM"),
    ]);
    this.#cables.push(...cables);
    const [apiUrl = "", storeUrl = "", geminiUrl = ""] = cables.map(({ url }) => url);
    const env = {
      AUTOAI_NAMESPACE: NAMESPACE,
      AUTOAI_IDENTITY: identity,
      AUTOAI_STORE_ENDPOINT: storeUrl,
      AUTOAI_STORE_BUCKET: this.#bucket,
      AUTOAI_STORE_ACCESS_KEY: this.#minio.options.accessKey,
      AUTOAI_STORE_SECRET_KEY: this.#minio.options.secretKey,
      AUTOAI_RUNNER_IMAGE: "none",
      GEMINI_API_KEY: "any-key",
      AUTOAI_GEMINI_BASE_URL: geminiUrl,
      ...more,
    };
    const configuration = readConfiguration(env);
    const api = new ApiServer(this.api.config(apiUrl));
    const metrics = new Metrics({ queueDepths: () => ({}), jobs: () => NONE, leads: () => true });
    const log = createLog("error", [], { write: () => undefined });
    const operator = new ClusterOperator({
      configuration,
      api,
      metrics,
      log,
      env,
      installation: installation(env),
    });
    const gone = new AbortController();
    const kill = (): void => {
      for (const cable of cables) cable.cut();
      gone.abort();
      void operator.stop();
    };
    const queued = (): number => Object.values(operator.queueDepths()).reduce((sum, depth) => sum + depth, 0);
    const made = { identity, kill, isGone: () => gone.signal.aborted, queued };
    this.#operators.add(made);
    await operator.watch();
    if (!elected) operator.lead();
    else void this.#elect(identity, api, operator, gone.signal).then((ending) => ending === "Lost" && kill());
    return made;
  }

  /** Begins the job; resolves to what is told of it once it is over. */
  async train(): Promise<Story> {
    const over = new Promise<string>((resolve) =>
      this.api.onChange(({ collection, object }) => {
        const state = object.status?.state;
        if (collection === JOBS && (state === "READY" || state === "ERROR")) resolve(state);
      }),
    );
    const job = this.api.put(
      JOBS,
      TrainingJob.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name: "churn", namespace: NAMESPACE },
        spec: { dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } }, target: "churn" },
      }),
    );
    const state = await over;
    const { store } = this;
    const { entries } = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0);
    return {
      state,
      entries: entries.map(timeless),
      pods: [...this.#pods],
      replies: this.gemini.requests.length,
    };
  }

  /** Names of the pods that were made, in order. */
  get pods(): readonly string[] {
    return this.#pods;
  }

  /** Of this world, without anything between. */
  get store(): S3Store {
    return new S3Store({ ...this.#minio.options, bucket: this.#bucket });
  }

  /** Deletes the job; resolves once it is gone. */
  async delete(): Promise<void> {
    const gone = new Promise<void>((resolve) =>
      this.api.onChange(({ type, collection }) => {
        if (type === "DELETED" && collection === JOBS) resolve();
      }),
    );
    this.api.delete(JOBS, NAMESPACE, "churn");
    await gone;
  }

  /** Who leads, by the Lease. */
  get leader(): string {
    return this.api.get(LEASES, NAMESPACE, LEASE)?.spec.holderIdentity ?? "";
  }

  /** The lease of who is gone runs out. */
  expire(): void {
    this.api.delete(LEASES, NAMESPACE, LEASE);
  }

  /** Writes another holder into the Lease, as somebody does who takes it without asking. */
  steal(thief: string): void {
    const lease = this.api.get(LEASES, NAMESPACE, LEASE);
    const spec = {
      ...lease.spec,
      holderIdentity: thief,
      renewTime: new Date().toISOString().replace("Z", "000Z"),
    };
    this.api.put(LEASES, { ...lease, spec });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const operator of this.#operators) operator.kill();
    for (const cable of this.#cables) cable.close();
    await this.gemini.close();
    await this.api.close();
  }

  #elect(identity: string, api: ApiServer, operator: ClusterOperator, signal: AbortSignal) {
    const election = new Election({
      store: new KubernetesLease(api, NAMESPACE, LEASE),
      identity,
      timings: TIMINGS,
      clock: {
        now: Date.now,
        sleep: (seconds, until) =>
          new Promise((resolve) => {
            const timer = setTimeout(resolve, seconds * 1000);
            until.addEventListener("abort", () => {
              clearTimeout(timer);
              resolve();
            });
          }),
      },
    });
    return election.run(signal, () => operator.lead());
  }
}

const NONE = { TRAINING: 0, READY: 0, ERROR: 0, Suspended: 0 };

/** Times, digests of what holds times, and tokens: a prompt tells how many seconds are left. */
const TIMED: ReadonlySet<string> = new Set(["at", "elapsedSeconds", "seconds", "usage", "digest", "prefix"]);

function timeless(value: Json): Json {
  if (Array.isArray(value)) return value.map(timeless);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !TIMED.has(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, timeless(inner)]));
}
