/** What outlives operators: resources, pods on their nodes, a store, an LLM and a Lease, all in memory and in virtual time. */
import { Dataset } from "../../../operator/api/dataset.ts";
import { TrainingJob } from "../../../operator/api/trainingjob.ts";
import type { Resource } from "../../../operator/cluster/cluster.ts";
import { MemoryCluster } from "../../../operator/cluster/memory.ts";
import type { LeaseRecord, LeaseStore, StoredLease } from "../../../operator/engine/lease.ts";
import { MemoryPods } from "../../../operator/sandbox/pods/memory-pods.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import type { Grants } from "../../../operator/storage/grants.ts";
import { MemoryStore } from "../../../operator/storage/memory-store.ts";
import { Account } from "./account.ts";
import { Weather } from "./line.ts";
import { Nodes } from "./nodes.ts";
import { EmbeddedOperator } from "./operator.ts";
import { Random } from "./random.ts";
import type { Incident, Schedule } from "./schedule.ts";
import { Service } from "./service.ts";
import { sleep, type VirtualTime } from "./virtual-time.ts";

export const NAMESPACE = "team";
export const JOBS = ["first", "second"] as const;

/** A store whose grants name the key: for couriers in the same process. */
class GrantingStore extends MemoryStore implements Grants {
  grantGet = async (key: string): Promise<string> => `get:${key}`;
  grantPut = async (key: string): Promise<string> => `put:${key}`;
  grantPost = async (prefix: string) => ({ url: "post", fields: { key: prefix } });
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
};

export class World {
  readonly broken: Broken;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly weather: Weather;
  readonly cluster: MemoryCluster;
  readonly pods = new MemoryPods(() => Date.now());
  readonly store: ArtifactStore & Grants = new GrantingStore();
  readonly lease = new MemoryLease();
  readonly service: Service;
  readonly nodes: Nodes;
  readonly account: Account;
  /** All that there ever were. */
  readonly operators: EmbeddedOperator[] = [];
  readonly deleted = new Set<string>();
  readonly suspended = new Set<string>();
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
      onWrite: (key) => this.account.wrote(key),
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
    this.cluster.watch((resource) => this.account.saw(resource));
    this.cluster.watchDeletions((kind, key) => {
      const owner = kind === "Dataset" ? `dataset:${key}` : key;
      // What the garbage collector does, some time later.
      void sleep(this.random.between(0.1, 5)).then(async () => {
        for (const { namespace, name } of await this.pods.listOwned(owner))
          await this.pods.remove(namespace, name);
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
    for (let number = 0; number < this.schedule.operators; number++) this.#start(`operator-${number}`);
    for (const incident of this.schedule.incidents)
      void sleep(incident.at).then(() => {
        if (this.#strike(incident)) this.weather.count(incident.type);
      });
  }

  /** The resources that are there. */
  get resources(): Resource[] {
    return [...this.cluster.list("TrainingJob"), ...this.cluster.list("Dataset")];
  }

  /** Every job that nobody deleted has ended, and every other is gone. */
  get isOver(): boolean {
    return this.cluster
      .list("TrainingJob")
      .every(({ metadata, status }) => !this.deleted.has(metadata.name) && ENDED.has(status?.state ?? ""));
  }

  deleteAll(): void {
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
      case "job deleted":
        this.deleted.add("first");
        this.cluster.delete("TrainingJob", `${NAMESPACE}/first`);
        return true;
      default:
        return this.nodes.strike(incident);
    }
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

export const ENDED: ReadonlySet<string> = new Set(["READY", "ERROR"]);
