/** What must hold whatever went wrong, and what of it did not. */
import { isDeepStrictEqual } from "node:util";
import { find, Journal } from "../../../operator/agent/journal.ts";
import { JournalEntry } from "../../../operator/api/journal.ts";
import type { ModelDeployment } from "../../../operator/api/modeldeployment.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import type { Resource } from "../../../operator/cluster/cluster.ts";
import { journalPrefix, reportKey } from "../../../operator/evaluation/context.ts";
import { journalFaults, versionFaults } from "../invariants.ts";
import type { Line } from "./line.ts";
import type { Paid } from "./service.ts";
import { JOBS, NAMESPACE, type World } from "./world.ts";

/** Seconds beyond its budget that a job may work: what was in flight when it ended, with the faults that it met, and publishing. */
const BEYOND = 900;

export class Account {
  readonly violations: string[] = [];
  /** Reconciles that failed: what they said, for who looks into a seed. */
  readonly failures: string[] = [];
  /** What happened, in order. */
  readonly story: string[] = [];
  readonly #world: World;
  readonly #last = new Map<string, Resource>();
  /** What was written where nothing stood, by key. */
  readonly #created = new Map<string, string>();
  readonly #over = new Set<string>();
  /**
   * Written when its resource was gone or told to go, and nobody could have kept it back: by a request that was given up, by an operator that was no more or
   * had stood still, by one of two that both led, or by a node that nobody could reach.
   */
  readonly #orphans = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** All but what was violated, and what there is. */
  forget(): void {
    this.failures.length = 0;
    this.story.length = 0;
    for (const kept of [this.#created, this.#over, this.#orphans]) kept.clear();
    const there = new Set(this.#world.resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    for (const id of this.#last.keys()) if (!there.has(id)) this.#last.delete(id);
  }

  violate(what: string): void {
    this.violations.push(what);
  }

  failed(key: string, error: unknown): void {
    this.failures.push(`${new Date().toISOString().slice(11, 19)} ${key}: ${String(error)}`);
    // A fault of the world has a name; what breaks inside the operator does not.
    if (error instanceof Error && PROGRAMMING.has(error.name) && error.message !== "fetch failed")
      this.violate(`${key}: ${error.stack}`);
  }

  /** A version of a resource, as every watch sees it. */
  saw(resource: Resource): void {
    const id = `${resource.kind} ${resource.metadata.name}`;
    const before = this.#last.get(id);
    this.#last.set(id, resource);
    for (const fault of versionFaults(resource, before)) this.violate(fault);
  }

  /**
   * To be told of each write to the store.
   * @param isLate whether whoever sent it had given it up, or was no more, or could not be reached
   */
  wrote(key: string, isLate: boolean): void {
    this.story.push(`${Date.now()} ${key}`);
    const name = /^(?:jobs|models|datasets)\/[^/]+\/([a-z]+)/.exec(key)?.[1];
    const mayBeLate = isLate || !this.#world.schedule.elected;
    // One that is told to go may have been swept already, by the other operator.
    const stays = this.#world.resources.some(
      ({ metadata }) => metadata.name === name && metadata.deletionTimestamp === undefined,
    );
    if (name !== undefined && mayBeLate && !stays) this.#orphans.add(key);
  }

  created(key: string, body: Uint8Array, isLate: boolean): void {
    this.wrote(key, isLate);
    const text = new TextDecoder().decode(body);
    this.#created.set(key, text);
    if (/\/journal\//.test(key) && (JSON.parse(text) as JournalEntry).type === "JobFinished")
      this.#over.add(/^jobs\/[^/]+\/([a-z]+)/.exec(key)?.[1] ?? "");
  }

  /** By the journal: the status may not say so yet. */
  isOver(job: string): boolean {
    return this.#over.has(job);
  }

  /** Once everything is over. */
  async check(): Promise<void> {
    const { cluster, nodes } = this.#world;
    for (const job of cluster.list("TrainingJob")) await this.#checkJob(job);
    for (const name of JOBS) this.#checkPaid(`${NAMESPACE}/${name}`);
    for (const [execution, begun] of nodes.begun)
      if (begun - (nodes.lost.get(execution) ?? 0) > 1) this.violate(`${execution} ran ${begun} times`);
    for (const dataset of cluster.list("Dataset"))
      if (!dataset.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"))
        this.violate(`Dataset ${dataset.metadata.name} is not ready`);
    await this.#checkLog();
  }

  /** Once everything was deleted. */
  async checkLeftovers(): Promise<void> {
    const { pods, servers, store, resources } = this.#world;
    for (const { kind, metadata } of resources)
      this.violate(`${kind} ${metadata.name} is left, with finalizers ${metadata.finalizers?.join()}`);
    for (const { name } of pods.list()) this.violate(`pod ${name} is left`);
    for (const what of servers.left) this.violate(`${what} is left`);
    for (const prefix of ["jobs/", "models/", "datasets/", "predictions/"])
      for (const key of await store.list(prefix)) if (!this.#orphans.has(key)) this.violate(`${key} is left`);
  }

  /** What of the ModelDeployment is not as it is to be in the end; undefined where all is. */
  openAbout(deployment: ModelDeployment): string | undefined {
    const { metadata, spec, status } = deployment;
    const { cluster, servers } = this.#world;
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    const is = `${ready?.status} ${ready?.reason} (${ready?.message})`;
    if (status?.observedGeneration !== metadata.generation) return "its last edit is not seen";
    const jobs = cluster.list("TrainingJob").filter((job) => job.metadata.deletionTimestamp === undefined);
    const named = jobs.find((job) => job.metadata.name === spec.modelRef.trainingJob);
    if (named?.status?.state !== "READY") {
      const reason = named ? "ModelNotAvailable" : "TrainingJobNotFound";
      return ready?.status === "False" && ready.reason === reason ? undefined : `is ${is}, not ${reason}`;
    }
    const may = [named, ...jobs.filter(({ spec: { recipeFrom } }) => spec.followLatest && recipeFrom)];
    const digests = may.flatMap((job) => job.status?.model?.digest ?? []);
    if (ready?.status !== "True") return `is ${is}, and its model is there`;
    const { live, pods } = servers.standing(`${metadata.namespace}/${metadata.name}`);
    const wanted = spec.replicas ?? live?.spec?.replicas ?? 1;
    const isScaled = spec.autoscaling === undefined;
    if (isScaled && live?.spec?.replicas !== wanted)
      return `has ${live?.spec?.replicas} servers, not ${wanted}`;
    if (pods.length !== live?.spec?.replicas || status?.replicas !== pods.length)
      return `says ${status?.replicas} servers of ${live?.spec?.replicas}, and there are ${pods.length}`;
    if (pods.some(({ digest }) => !digests.includes(digest)))
      return `serves ${pods.map(({ digest }) => digest.slice(0, 6)).join()}`;
    return pods.length === 0 || digests.includes(status?.modelDigest ?? "")
      ? undefined
      : `says that it serves ${status?.modelDigest}`;
  }

  /** Every prediction that was acknowledged is in the log once, but for those on a disk that was lost; none is that belongs to another. */
  async #checkLog(): Promise<void> {
    const { cluster, servers, store } = this.#world;
    const alive = new Set(cluster.list("ModelDeployment").map(({ metadata }) => metadata.uid));
    const times = new Map<string, number>();
    const logged: string[] = [...servers.onDisks];
    for (const key of await store.list(`predictions/${NAMESPACE}/serving/`))
      logged.push(
        ...new TextDecoder()
          .decode(await store.get(key))
          .trimEnd()
          .split("\n"),
      );
    for (const id of logged) times.set(id, (times.get(id) ?? 0) + 1);
    for (const [id, owner] of servers.acknowledged) {
      const expected = alive.has(owner) && !servers.lost.has(id) ? 1 : 0;
      const found = times.get(id) ?? 0;
      if (found !== expected && !servers.lost.has(id))
        this.violate(`the prediction ${id} is ${found} times in the log, not ${expected}`);
    }
  }

  async #checkJob(job: TrainingJob): Promise<void> {
    const { store, schedule } = this.#world;
    const { name } = job.metadata;
    const { entries } = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0);
    const must = (isSo: boolean, what: string): void => {
      if (!isSo) this.violate(`${name}: ${what}`);
    };
    for (const entry of entries) {
      const key = `${journalPrefix(job)}/${String(entry.sequence).padStart(6, "0")}.json`;
      const first = JournalEntry.parse(JSON.parse(this.#created.get(key) ?? "{}"));
      must(isDeepStrictEqual(first, entry), `entry ${entry.sequence} is not the one that was written first`);
    }
    for (const fault of journalFaults(job, entries)) this.violate(fault);
    const end = find(entries, "JobFinished");
    if (schedule.maxSeconds > 1000) must(end?.state === "READY", `ended as ${end?.state}: ${end?.message}`);
    if (end?.state === "READY") {
      const prefix = find(entries, "ModelPublished")?.prefix;
      must(await store.exists(`${prefix}/model.json`), "READY without a model");
      must(await store.exists(reportKey(job)), "READY without a report");
    } else must(end?.reason === "SecondsExhausted", `ERROR for ${end?.reason}: ${end?.message}`);
    must(
      (end?.elapsedSeconds ?? 0) <= schedule.maxSeconds + BEYOND,
      `worked ${end?.elapsedSeconds} s of ${schedule.maxSeconds}`,
    );
  }

  /** A reply was paid for once, but for those that were lost on their way, or with their operator, or to another one that asked too. */
  #checkPaid(job: string): void {
    const { service, operators } = this.#world;
    const byStep = Map.groupBy(
      service.paid.filter((paid) => paid.job === job && paid.arrived),
      ({ step }) => step,
    );
    for (const [step, arrived] of byStep) {
      const lines = new Set(arrived.map(({ line }) => line));
      for (const line of lines) {
        const times = arrived.filter((paid: Paid) => paid.line === line).length;
        if (times > 1) this.violate(`${job}: one operator paid ${times} times for reply ${step}`);
      }
      const alive = [...lines].filter((line: Line) => !line.isDead && !line.wasStopped);
      const isShared = !this.#world.schedule.elected && operators.length > 1;
      if (alive.length > 1 && !isShared)
        this.violate(`${job}: ${alive.length} operators paid for reply ${step}`);
    }
  }
}

const PROGRAMMING: ReadonlySet<string> = new Set([
  "TypeError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "ZodError",
]);
