/** What outlives operators: resources, pods on their nodes, a store, an LLM and a Lease, all in memory and in virtual time. */
import { Dataset } from "../../../operator/api/dataset.ts";
import { ModelDeployment } from "../../../operator/api/modeldeployment.ts";
import { TrainingJob } from "../../../operator/api/trainingjob.ts";
import type { Resource } from "../../../operator/cluster/cluster.ts";
import { MemoryCluster } from "../../../operator/cluster/memory.ts";
import type { LeaseRecord, LeaseStore, StoredLease } from "../../../operator/engine/lease.ts";
import { MemoryPods } from "../../../operator/sandbox/pods/memory-pods.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import type { Grants } from "../../../operator/storage/grants.ts";
import { MemoryStore } from "../../../operator/storage/memory-store.ts";
import type { Pages } from "../../../operator/storage/pages.ts";
import { ENDED } from "../invariants.ts";
import { Account } from "./account.ts";
import { Weather } from "./line.ts";
import { Nodes } from "./nodes.ts";
import { EmbeddedOperator } from "./operator.ts";
import { Random } from "./random.ts";
import type { DeploymentEdit, Incident, Schedule } from "./schedule.ts";
import { Servers } from "./servers.ts";
import { Service } from "./service.ts";
import { sleep, type VirtualTime } from "./virtual-time.ts";

export const NAMESPACE = "team";
export const JOBS = ["first", "second"] as const;

/** A store whose grants name the key: for couriers in the same process. */
class GrantingStore extends MemoryStore implements Grants {
  grantGet = async (key: string): Promise<string> => `get:${key}`;
  grantPut = async (key: string): Promise<string> => `put:${key}`;
  grantPost = async (prefix: string) => ({ url: "http://store", fields: { key: prefix } });
}

class MemoryLease implements LeaseStore {
  #stored: StoredLease | undefined;
  #version = 0;

  get(): Promise<StoredLease | undefined> {
    return Promise.resolve(this.#stored);
  }

  write(record: LeaseRecord, version: string | undefined): Promise<StoredLease | undefined> {
    if (this.#stored?.version !== version) return Promise.resolve(undefined);
    this.overwrite(record);
    return Promise.resolve(this.#stored);
  }

  overwrite(record: LeaseRecord | undefined): void {
    this.#stored = record && { record, version: String(++this.#version) };
  }
}

/** Guards that can be taken away. */
export type Broken = {
  /** A reply that could not be written down is not kept. */
  readonly replies?: "forgotten";
  /** What is to be written where nothing stands is written anyway. */
  readonly create?: "overwrites";
  /** Couriers do not look whether what they are to run was run. */
  readonly couriers?: "blind";
  /** Pods of a job that goes are taken off the books, and nobody waits until they have ended. */
  readonly ends?: "forced";
  /** Servers of models are given leave to send their log to another place than their own. */
  readonly log?: "elsewhere";
};

export class World {
  readonly broken: Broken;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly weather: Weather;
  readonly cluster: MemoryCluster;
  readonly pods = new MemoryPods(() => Date.now());
  readonly store: ArtifactStore & Grants & Pages = new GrantingStore();
  readonly lease = new MemoryLease();
  readonly service: Service;
  readonly nodes: Nodes;
  readonly servers: Servers;
  readonly account: Account;
  /** All that there ever were. */
  readonly operators: EmbeddedOperator[] = [];
  readonly deleted = new Set<string>();
  readonly suspended = new Set<string>();
  /** Everything is being deleted: nobody makes anything any more. */
  isEnding = false;
  #served: object = { modelRef: { trainingJob: "second" }, predictionLog: { mode: "Strict" } };
  #uids = 0;

  constructor(schedule: Schedule, time: VirtualTime, broken: Broken) {
    this.broken = broken;
    this.schedule = schedule;
    this.random = new Random(schedule.seed ^ 0x5eed);
    this.weather = new Weather(schedule, this.random, () => time.seconds);
    this.cluster = new MemoryCluster({
      now: () => Date.now(),
      uid: () => `${String(++this.#uids).padStart(8, "0")}-${schedule.seed}`,
    });
    this.service = new Service(this.random);
    this.account = new Account(this);
    this.nodes = new Nodes({
      pods: this.pods,
      store: this.store,
      random: this.random,
      areBlind: broken.couriers === "blind",
      onWrite: (key, isCutOff) => this.account.wrote(key, isCutOff),
      onViolation: (what) => this.account.violate(what),
      mayStop: (owner) => this.#mayStop(owner),
    });
    this.pods.onChange = (view) => {
      const isGone = !this.pods.list().includes(view);
      if (isGone) this.nodes.gone(view.namespace, view.name);
      else if (view.phase === "Pending" && view.nodeName === undefined) {
        const manifest = this.pods.created.findLast(({ metadata }) => metadata.name === view.name);
        if (manifest && !this.nodes.has(view.namespace, view.name)) this.nodes.added(manifest);
      }
      for (const operator of this.operators) operator.podChanged(view, isGone);
    };
    this.pods.onEnd = (namespace, name) => this.nodes.end(namespace, name);
    this.servers = new Servers({
      ...{ cluster: this.cluster, store: this.store, random: this.random },
      onChange: (key, standing) => {
        for (const operator of this.operators) operator.serversChanged(key, standing);
      },
    });
    this.cluster.watch((resource) => this.account.saw(resource));
    this.cluster.watchDeletions((kind, key) => {
      const owner = kind === "Dataset" ? `dataset:${key}` : key;
      // What the garbage collector does, some time later.
      void sleep(this.random.between(0.1, 5)).then(async () => {
        for (const { namespace, name } of await this.pods.listOwned(owner))
          await this.pods.end(namespace, name);
      });
    });
  }

  begin(): void {
    this.cluster.apply(
      Dataset.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "Dataset",
        metadata: { name: "rows", namespace: NAMESPACE },
        spec: { source: { uri: "https://example.org/rows.csv" } },
      }),
    );
    for (const name of JOBS) this.cluster.apply(this.#job(name, {}));
    this.cluster.apply(this.#deployment);
    for (let number = 0; number < this.schedule.operators; number++) this.#start(`operator-${number}`);
    for (const incident of this.schedule.incidents)
      void sleep(incident.at).then(() => {
        if (this.#strike(incident)) this.weather.count(incident.type);
      });
  }

  /** The resources that are there. */
  get resources(): Resource[] {
    return (["ModelDeployment", "TrainingJob", "Dataset"] as const).flatMap((kind): Resource[] =>
      this.cluster.list(kind),
    );
  }

  /** Every job that nobody deleted has ended, every other is gone, and what is served is what is wanted. */
  get isOver(): boolean {
    return this.open.length === 0;
  }

  /** What is still to come. */
  get open(): string[] {
    const jobs = this.cluster
      .list("TrainingJob")
      .filter(({ metadata, status }) => this.deleted.has(metadata.name) || !ENDED.has(status?.state ?? ""));
    if (jobs.length > 0)
      return jobs.map(({ metadata, status }) => `${metadata.name} ${JSON.stringify(status)}`);
    const deployments = this.cluster.list("ModelDeployment");
    if (deployments.length === 0) return ["the ModelDeployment is not there"];
    return deployments.flatMap((one) => this.account.openAbout(one) ?? []);
  }

  /** Nothing is there but what was there from the beginning. */
  get isAsItWas(): boolean {
    const names = this.cluster.list("TrainingJob").map(({ metadata }) => metadata.name);
    return names.every((name) => (JOBS as readonly string[]).includes(name)) && this.pods.list().length === 0;
  }

  serve(edit: DeploymentEdit): void {
    this.#edit(edit);
  }

  /** Deletes the ModelDeployment, and makes it anew so many seconds later. */
  remake(again: number): void {
    this.#deleteDeployment(again);
  }

  /** What is kept to judge a schedule at its end. */
  forget(): void {
    this.account.forget();
    this.cluster.events.length = 0;
    this.pods.created.length = 0;
    this.pods.removed.length = 0;
    this.service.paid.length = 0;
    this.nodes.begun.clear();
    this.nodes.lost.clear();
    this.servers.acknowledged.clear();
    this.deleted.clear();
    this.suspended.clear();
  }

  deleteAll(): void {
    this.isEnding = true;
    for (const { kind, metadata } of this.resources) {
      this.deleted.add(metadata.name);
      this.cluster.delete(kind, `${NAMESPACE}/${metadata.name}`);
    }
  }

  /** Nothing that operators of this world do has an effect any more. */
  end(): void {
    for (const operator of this.operators) operator.kill();
  }

  failed(key: string, error: unknown): void {
    this.account.failed(key, error);
  }

  #start(identity: string): void {
    const operator = new EmbeddedOperator(this, identity);
    this.operators.push(operator);
    if (!this.schedule.elected) operator.lead();
    else operator.elect(() => this.#restart(operator, this.random.between(1, 5)));
  }

  #restart(operator: EmbeddedOperator, seconds: number): void {
    if (operator.line.isDead) return;
    operator.kill();
    void sleep(seconds).then(() => this.#start(operator.identity));
  }

  /** False where there is nothing for it to happen to. */
  #strike(incident: Incident): boolean {
    const leader = this.operators.findLast(({ leads }) => leads);
    switch (incident.type) {
      case "operator killed":
        if (!leader) return false;
        leader.line.doom = { ...incident, onDeath: () => this.#restart(leader, incident.again) };
        return true;
      case "operator stopped":
        leader?.line.stop(incident.seconds);
        return leader !== undefined;
      case "lease stolen": {
        const now = Date.now();
        const record = {
          holder: "thief",
          durationSeconds: incident.seconds,
          acquiredAt: now,
          renewedAt: now,
        };
        this.lease.overwrite({ ...record, transitions: 1 });
        return true;
      }
      case "lease deleted":
        this.lease.overwrite(undefined);
        return true;
      case "job suspended":
        return this.#suspend("second", incident.seconds);
      case "job retrained":
        this.#retrain();
        return true;
      case "deployment edited":
        return this.#edit(incident.edit);
      case "deployment deleted":
        return this.#deleteDeployment(incident.again);
      case "server lost":
        return this.servers.lose(incident.server);
      case "job deleted":
        this.deleted.add("first");
        this.cluster.delete("TrainingJob", `${NAMESPACE}/first`);
        return true;
      default:
        return this.nodes.strike(incident);
    }
  }

  #retrain(): void {
    const look = (): void => {
      const second = this.cluster.list("TrainingJob").find(({ metadata }) => metadata.name === "second");
      if (this.isEnding || !second || second.status?.state === "ERROR" || this.#isThere("third")) return;
      if (second.status?.state === "READY") this.cluster.apply(this.#job("third", { recipeFrom: "second" }));
      else void sleep(10).then(look);
    };
    look();
  }

  #edit(edit: DeploymentEdit): boolean {
    const { spec } = this.#deployment;
    if ("model" in edit) this.#served = { ...spec, modelRef: { trainingJob: edit.model } };
    else if ("followLatest" in edit) this.#served = { ...spec, ...edit };
    else {
      const { replicas: _, autoscaling: __, ...rest } = spec;
      this.#served = {
        ...rest,
        ...("replicas" in edit ? edit : { autoscaling: { minReplicas: 1, maxReplicas: edit.maxReplicas } }),
      };
    }
    const present = this.cluster.list("ModelDeployment")[0];
    if (!present || present.metadata.deletionTimestamp !== undefined) return false;
    this.cluster.apply(this.#deployment);
    return true;
  }

  #deleteDeployment(again: number): boolean {
    const { name } = this.#deployment.metadata;
    if (this.cluster.list("ModelDeployment").length === 0) return false;
    this.cluster.delete("ModelDeployment", `${NAMESPACE}/${name}`);
    // By one who tries until the name is free.
    const make = (): void => {
      if (this.isEnding) return;
      const present = this.cluster.list("ModelDeployment")[0];
      if (!present) this.cluster.apply(this.#deployment);
      else if (present.metadata.deletionTimestamp !== undefined) void sleep(1).then(make);
    };
    void sleep(again).then(make);
    return true;
  }

  get #deployment(): ModelDeployment {
    return ModelDeployment.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name: "serving", namespace: NAMESPACE },
      spec: this.#served,
    });
  }

  #suspend(name: string, seconds: number): boolean {
    if (!this.#isThere(name)) return false;
    this.suspended.add(name);
    this.cluster.apply(this.#job(name, { suspend: true }));
    void sleep(seconds).then(() => {
      if (this.#isThere(name)) this.cluster.apply(this.#job(name, {}));
    });
    return true;
  }

  #isThere(name: string): boolean {
    return this.resources.some((one) => one.kind === "TrainingJob" && one.metadata.name === name);
  }

  /** Of a job that is stopped, gone or over. */
  #mayStop(owner: string): boolean {
    const name = owner.split("/").at(-1) ?? "";
    const job = this.cluster.list("TrainingJob").find(({ metadata }) => metadata.name === name);
    return (
      this.deleted.has(name) ||
      this.suspended.has(name) ||
      ENDED.has(job?.status?.state ?? "") ||
      this.account.isOver(name)
    );
  }

  #job(name: string, more: object): TrainingJob {
    return TrainingJob.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name, namespace: NAMESPACE },
      spec: {
        dataset:
          name === "first" ? { uri: "https://example.org/rows.csv" } : { datasetRef: { name: "rows" } },
        target: "churn",
        llm: { provider: "Gemini" },
        budget: { maxSteps: 6, maxSeconds: this.schedule.maxSeconds },
        ...more,
      },
    });
  }
}
