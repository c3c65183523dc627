/** Nodes that run tool pods in virtual time, with couriers that deliver (test/fakes/instant-courier.ts), and what can happen to them. */
import { CONTAINERS } from "../../../operator/sandbox/pods/manifest.ts";
import type { MemoryPods } from "../../../operator/sandbox/pods/memory-pods.ts";
import { LABELS, type PodManifest } from "../../../operator/sandbox/pods/pods.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import { deliver, errandUrl, type Wire } from "../../fakes/instant-courier.ts";
import type { Random } from "./random.ts";
import type { Incident } from "./schedule.ts";
import { sleep } from "./virtual-time.ts";

/** Most seconds from when a pod is to end until nothing of it runs. */
const TO_STOP = 2;

/** One pod on its node. */
class Run {
  readonly manifest: PodManifest;
  /** The code has begun. */
  hasBegun = false;
  isOver = false;
  /** Nothing of it happens any more. */
  isDead = false;
  /** The API server believes it gone, and it is not. */
  isCutOff = false;
  /** Nobody waits for it any more, and its node has not heard of that yet. */
  isRemoved = false;
  silentUntil = 0;
  stoppedSeconds = 0;

  constructor(manifest: PodManifest) {
    this.manifest = manifest;
  }

  get execution(): string {
    return this.manifest.metadata.labels[LABELS.execution] ?? "";
  }

  get owner(): string {
    return this.manifest.metadata.annotations[LABELS.owner] ?? "";
  }
}

export type NodesOptions = {
  readonly pods: MemoryPods;
  readonly store: ArtifactStore;
  readonly random: Random;
  /** Couriers do not look whether what they are to run was run. */
  readonly areBlind: boolean;
  /** Told of every key that a courier writes, and whether its node is one that nobody can reach. */
  readonly onWrite: (key: string, isCutOff: boolean) => void;
  /** Told of what has no business to happen. */
  readonly onViolation: (what: string) => void;
  /** Whether pods of this owner may be taken away while they are well. */
  readonly mayStop: (owner: string) => boolean;
};

export class Nodes {
  readonly #options: NodesOptions;
  readonly #runs = new Map<string, Run>();
  /** How often code began, and how often that came to nothing by a fault or because the job was stopped, by execution. */
  readonly begun = new Map<string, number>();
  readonly lost = new Map<string, number>();

  constructor(options: NodesOptions) {
    this.#options = options;
  }

  /** A pod has appeared. */
  added(manifest: PodManifest): void {
    const run = new Run(manifest);
    this.#runs.set(keyOf(manifest), run);
    void this.#live(run);
  }

  has(namespace: string, name: string): boolean {
    return this.#runs.has(`${namespace}/${name}`);
  }

  /** A pod is gone, whoever took it away. What runs of it goes on until its node hears of that. */
  gone(namespace: string, name: string): void {
    const run = this.#runs.get(`${namespace}/${name}`);
    this.#runs.delete(`${namespace}/${name}`);
    if (!run || run.isCutOff || run.isDead) return;
    this.#stop(run);
    void sleep(this.#options.random.between(0, TO_STOP)).then(() => {
      run.isDead = true;
    });
  }

  /** A pod is to end: it is there until its node has ended it. */
  end(namespace: string, name: string): void {
    const { pods, random } = this.#options;
    const run = this.#runs.get(`${namespace}/${name}`);
    if (!run || run.isDead) {
      pods.vanish(namespace, name);
      return;
    }
    // Until somebody takes it off the books.
    if (run.isCutOff) return;
    this.#stop(run);
    void sleep(random.between(0, TO_STOP)).then(async () => {
      while (Date.now() < run.silentUntil) await sleep((run.silentUntil - Date.now()) / 1000);
      if (run.isCutOff) return;
      run.isDead = true;
      if (this.#runs.get(keyOf(run.manifest)) === run) pods.vanish(namespace, name);
    });
  }

  /** Nobody waits for it any more. */
  #stop(run: Run): void {
    if (run.isRemoved) return;
    run.isRemoved = true;
    if (run.isOver) return;
    if (run.hasBegun) count(this.lost, run.execution);
    void this.#checkRemoval(run);
  }

  /** That a pod was removed while it was well: its outcome was there without it, or nobody wants it any more. */
  async #checkRemoval(run: Run): Promise<void> {
    const { mayStop, onViolation } = this.#options;
    if (mayStop(run.owner) || (await this.#hasOutcome(run))) return;
    onViolation(`the pod ${run.manifest.metadata.name} was removed while it was well`);
  }

  /** False where there is no pod for it to happen to. */
  strike(incident: Extract<Incident, { which: number }>): boolean {
    const { pods } = this.#options;
    const runs = [...this.#runs.values()].filter((run) => !run.isOver && !run.isDead && !run.isCutOff);
    const run = runs[incident.which % Math.max(1, runs.length)];
    if (!run) return false;
    const { namespace, name } = run.manifest.metadata;
    switch (incident.type) {
      case "pod evicted":
        this.#die(run, {
          phase: "Failed",
          reason: "Evicted",
          message: "The node was low on resource: memory.",
        });
        return true;
      case "courier killed": {
        this.#die(run, failed(run.manifest, 137));
        return true;
      }
      case "pod deleted":
        if (run.hasBegun) count(this.lost, run.execution);
        run.isDead = true;
        pods.vanish(namespace, name);
        return true;
      case "node cut off":
        run.isCutOff = true;
        if (run.hasBegun) count(this.lost, run.execution);
        run.stoppedSeconds += incident.seconds;
        pods.change(namespace, name, {
          deleting: true,
          status: {
            phase: "Running",
            conditions: [{ type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager" }],
          },
        });
        return true;
      case "kubelet silent":
        run.silentUntil = Date.now() + Math.ceil(incident.seconds * 1000);
        return true;
      case "code stopped":
        run.stoppedSeconds += incident.seconds;
        return true;
    }
  }

  #die(run: Run, status: object): void {
    const { namespace, name } = run.manifest.metadata;
    if (run.hasBegun) count(this.lost, run.execution);
    run.isDead = true;
    this.#options.pods.change(namespace, name, { status });
  }

  async #live(run: Run): Promise<void> {
    const { random } = this.#options;
    await sleep(random.between(0.2, 2));
    // A courier looks first, and runs nothing where an outcome is.
    const isDone = !this.#options.areBlind && (await this.#hasOutcome(run));
    if (run.isDead || isDone) return this.#end(run);
    run.hasBegun = true;
    count(this.begun, run.execution);
    if (run.isCutOff || run.isRemoved) count(this.lost, run.execution);
    await this.#show(run, "Running", { running: {} });
    await sleep(random.between(0.2, 4));
    while (run.stoppedSeconds > 0) {
      const seconds = run.stoppedSeconds;
      run.stoppedSeconds = 0;
      await sleep(seconds);
    }
    if (run.isDead) return;
    try {
      await deliver(run.manifest as unknown as Parameters<typeof deliver>[0], this.#wire(run));
    } catch {
      // Its errand went with its job.
      if (!run.isDead && !run.isCutOff) this.#die(run, failed(run.manifest, 1));
      return;
    }
    await this.#end(run);
  }

  async #end(run: Run): Promise<void> {
    run.isOver = true;
    await sleep(this.#options.random.between(0.1, 2));
    await this.#show(run, "Succeeded", { terminated: { exitCode: 0, reason: "Completed" } });
  }

  async #hasOutcome({ manifest }: Run): Promise<boolean> {
    const errand = errandUrl(manifest as unknown as Parameters<typeof errandUrl>[0]);
    const outcome = errand?.slice("get:".length).replace(/\.errand-\d+\.json$/, "");
    return outcome !== undefined && (await this.#options.store.exists(outcome));
  }

  /** The grants of the store in memory: see GrantingStore. Each request takes a moment, and a courier that is dead sends none. */
  #wire(run: Run): Wire {
    const { store, random, onWrite } = this.#options;
    const encode = (text: string) => new TextEncoder().encode(text);
    const arrive = async (): Promise<void> => {
      await sleep(random.between(0.01, 0.3));
      if (run.isDead) throw new Error("the courier is no more");
    };
    return {
      async get(url) {
        const key = url.slice("get:".length);
        await arrive();
        return (await store.exists(key)) ? new TextDecoder().decode(await store.get(key)) : undefined;
      },
      async put(url, body, once) {
        const key = url.slice("put:".length);
        await arrive();
        onWrite(key, run.isCutOff);
        if (once) await store.create(key, encode(body));
        else await store.put(key, encode(body));
      },
      async post({ fields }, rest, body) {
        await arrive();
        onWrite(`${fields.key}${rest}`, run.isCutOff);
        await store.put(`${fields.key}${rest}`, encode(body));
      },
    };
  }

  async #show(run: Run, phase: string, state: object): Promise<void> {
    const { pods } = this.#options;
    const { namespace, name } = run.manifest.metadata;
    while (Date.now() < run.silentUntil) await sleep((run.silentUntil - Date.now()) / 1000);
    // Another pod of the name may stand there by now.
    if (run.isDead || run.isCutOff || run.isRemoved || this.#runs.get(keyOf(run.manifest)) !== run) return;
    pods.change(namespace, name, {
      nodeName: "node",
      status: { phase, containerStatuses: statuses(run.manifest, state) },
    });
  }
}

function failed(manifest: PodManifest, exitCode: number): object {
  const state = { terminated: { exitCode, reason: "Error" } };
  return { phase: "Failed", containerStatuses: statuses(manifest, state) };
}

function statuses({ spec }: PodManifest, state: object): object[] {
  const containers = spec.containers as readonly { readonly name: string }[];
  return containers.map(({ name }) => ({
    name,
    // How the code ended is not what a courier's end says.
    state: name === CONTAINERS.code && "terminated" in state ? { terminated: { exitCode: 0 } } : state,
  }));
}

const keyOf = ({ metadata }: PodManifest): string => `${metadata.namespace}/${metadata.name}`;

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
