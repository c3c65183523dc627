/**
 * Executor of the cluster: one pod an execution.
 *
 * That an execution is over is learnt from the store, where the courier leaves the outcome, and not from the pod, whose end shows
 * a second or two later; the pod's status tells of what went wrong. All that must outlive this process is in the cluster and in the
 * store: what is kept here is only who is being watched.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Turns } from "../../cluster/turns.ts";
import { type ArtifactStore, NotFoundError, StoreError } from "../../storage/artifact-store.ts";
import type { Grants } from "../../storage/grants.ts";
import { ImmutableCache } from "../../storage/immutable-cache.ts";
import {
  archivedIn,
  archiveIn,
  environmentLockOf,
  environmentPackagesKey,
  environmentsPrefix,
} from "../environment-keys.ts";
import {
  type Execution,
  type Executor,
  type InstallExecution,
  Outcome,
  PlatformError,
  type SandboxedExecution,
} from "../executor.ts";
import { requirementProblem } from "../requirements.ts";
import { Attempts } from "./attempts.ts";
import { errandOf } from "./errand.ts";
import { podManifest } from "./manifest.ts";
import { podName } from "./name.ts";
import { ownerNamespace } from "./owner.ts";
import { type OwnerReference, PodRefusedError, type Pods, type PodView } from "./pods.ts";
import { grantSeconds, type PodSettings } from "./settings.ts";
import { SharedInstalls } from "./shared-installs.ts";
import { Nudge, watchPod } from "./watch.ts";

export type PodExecutorOptions = {
  readonly pods: Pods;
  readonly store: ArtifactStore & Grants;
  /** http(s)://host:port of the store, as pods reach it. */
  readonly storeEndpoint: string;
  readonly settings: Omit<PodSettings, "environmentsClaim">;
  /** Claim for environments in the namespace, where there is one; environments travel through the store elsewhere. */
  readonly environmentsClaim: (namespace: string) => Promise<string | undefined>;
  /** The resource that pods go with. undefined where it is not known (any more). */
  readonly ownerReference: (owner: string) => OwnerReference | undefined;
  /** RuntimeClass for generated code of this owner. */
  readonly runtimeClassName?: (owner: string) => string | undefined;
  /** Called when an execution is over or in trouble, with the resource to wake. */
  readonly onFinished: (owner: string) => void;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** Told how long a pod took from its creation until a container ran. */
  readonly onStarted?: (kind: Execution["kind"], seconds: number) => void;
  readonly now?: () => number;
  /** Addresses of a host; by the system's resolver by default. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Milliseconds between two looks into the store: the first ones, and the later ones. */
  readonly pollMs?: { readonly first: number; readonly last: number };
};

type Running = {
  readonly execution: Execution;
  readonly abort: AbortController;
  readonly nudge: Nudge;
  readonly done: Promise<void>;
  /** Why it does not go on just now, though it may. */
  trouble: PlatformError | undefined;
  /** Its pods, which a list may not show yet. */
  readonly pods: { readonly namespace: string; readonly name: string }[];
};

const RESTORE_LIMITS: InstallExecution["limits"] = {
  seconds: 900,
  cpus: 2,
  memoryBytes: 2 * 1024 ** 3,
  diskBytes: 4 * 1024 ** 3,
  processes: 64,
};

export class PodExecutor implements Executor {
  readonly #options: PodExecutorOptions;
  readonly #running = new Map<string, Running>();
  readonly #failed = new Map<string, unknown>();
  readonly #byPod = new Map<string, Running>();
  readonly #installs = new SharedInstalls<Running>();
  readonly #begun = new Turns(PODS_BEGUN_AT_ONCE);
  readonly #outcomes = new ImmutableCache<Outcome>(OUTCOME_CHARACTERS);
  readonly #now: () => number;
  /** Digests of archives, by namespace and environment: what was seen first counts, for as long as it is there. */
  readonly #archives = new Map<string, string>();
  /** Pods that were removed and may still be heard of. */
  readonly #removed = new Set<string>();
  #askedForEvents = Number.NEGATIVE_INFINITY;
  /** Of the store, as they were found last. */
  #addresses: readonly string[] | undefined;

  constructor(options: PodExecutorOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async ensure(execution: Execution): Promise<Outcome | undefined> {
    const { name } = execution;
    // Before the store: an execution that ends meanwhile has stored its outcome before it leaves this map.
    const running = this.#running.get(name);
    if (running?.trouble) throw running.trouble;
    if (running) return undefined;
    const outcome = await this.#outcome(execution);
    if (outcome !== undefined) {
      this.#failed.delete(name);
      return outcome;
    }
    if (this.#failed.has(name)) {
      const error = this.#failed.get(name);
      this.#failed.delete(name);
      throw error;
    }
    if (!this.#running.has(name)) this.#begin(execution);
    return undefined;
  }

  async cancel(owner: string): Promise<void> {
    const mine = [...this.#running.values()].filter((running) => running.execution.owner === owner);
    for (const { abort } of mine) abort.abort();
    await Promise.all(mine.map(({ done }) => done));
    const { pods } = this.#options;
    const theirs = mine.flatMap((running) => running.pods);
    // Until its node says that it has ended a courier may still write, and who asks for this may be about to delete what it wrote.
    const since = this.#now();
    await Promise.all(theirs.map(({ namespace, name }) => pods.end(namespace, name)));
    for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
      const left = await pods.listOwned(owner);
      if (left.length === 0) return;
      const isSilent = this.#now() - since > SILENT_NODE_MS;
      await Promise.all(
        left.map(async ({ namespace, name, deleting }) => {
          if (isSilent) await pods.remove(namespace, name);
          else if (!deleting) await pods.end(namespace, name);
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** To be told of each pod of ours that changes or goes. */
  podChanged(view: PodView): void {
    const key = `${view.namespace}/${view.name}`;
    const running = this.#byPod.get(key);
    if (running) running.nudge.now();
    // Begun by an operator before this one. It ended well, and so only after its outcome was stored: nothing more is to be had of it.
    else if (
      !this.#removed.has(key) &&
      view.phase === "Succeeded" &&
      !view.deleting &&
      view.owner !== "" &&
      view.execution !== ""
    )
      void this.#remove(view.namespace, view.name);
  }

  /** Watches no more. Pods go on, and the next operator with them. */
  async close(): Promise<void> {
    const all = [...this.#running.values()];
    for (const { abort } of all) abort.abort();
    await Promise.all(all.map(({ done }) => done));
  }

  #begin(execution: Execution): void {
    const { name, owner } = execution;
    const abort = new AbortController();
    const nudge = new Nudge(abort.signal);
    let running: Running;
    const done = Promise.resolve()
      .then(() => this.#run(running))
      .catch((error) => {
        if (!abort.signal.aborted) this.#failed.set(name, error);
      })
      .finally(() => {
        this.#running.delete(name);
        if (!abort.signal.aborted) this.#options.onFinished(owner);
      });
    running = { execution, abort, nudge, done, trouble: undefined, pods: [] };
    this.#running.set(name, running);
  }

  async #run(running: Running): Promise<void> {
    const { execution } = running;
    if (execution.kind === "Install") {
      const problem = requirementProblem(execution.packages);
      if (problem !== undefined) {
        await this.#conclude(execution, {
          ...NOTHING_RAN,
          ended: "Refused",
          refusal: { reason: "InvalidRequirement", message: problem },
        });
        return;
      }
    }
    if (execution.kind === "Install") {
      await this.#installs.run(
        execution,
        running,
        running.abort.signal,
        () => this.#attempt(running),
        async (other) => {
          const outcome = await this.#outcome(other);
          if (outcome !== undefined) await this.#conclude(execution, outcome);
          return outcome !== undefined;
        },
      );
    } else await this.#attempt(running);
  }

  async #attempt(running: Running): Promise<void> {
    const { execution } = running;
    const attempts = await Attempts.load(this.#options.store, execution);
    attempts.check(this.#now());
    if (execution.kind === "Sandboxed") {
      if (attempts.last?.reason === "EnvironmentMissing")
        this.#archives.delete(`${ownerNamespace(execution.owner)}/${execution.environment}`);
      if (attempts.last?.reason === "EnvironmentMissing" || !(await this.#isMade(execution)))
        await this.#restore(running, execution.environment, attempts.next);
    }
    await this.#inPod(running, execution, attempts);
  }

  /** One attempt, in one pod. Returns when the outcome is in the store; throws PlatformError. */
  async #inPod(running: Running, execution: Execution, attempts: Attempts, lockKey?: string): Promise<void> {
    const { pods, onStarted, log } = this.#options;
    const namespace = ownerNamespace(execution.owner);
    const name = podName(execution.name, attempts.next);
    const key = `${namespace}/${name}`;
    this.#byPod.set(key, running);
    running.pods.push({ namespace, name });
    const start = this.#now();
    try {
      const fresh = await this.#begun.take(async () => {
        running.abort.signal.throwIfAborted();
        return this.#create(execution, name, attempts.next, lockKey);
      });
      running.abort.signal.throwIfAborted();
      const verdict = await watchPod({
        pods,
        namespace,
        name,
        look: () => this.#isOver(execution),
        fresh,
        nudge: running.nudge,
        now: this.#now,
        pollMs: this.#pollMs(),
        mayAskForEvents: () => this.#mayAskForEvents(),
        onStarted: (created) => onStarted?.(execution.kind, (this.#now() - created) / 1000),
        onTrouble: (trouble) => {
          const followers = execution.kind === "Install" ? this.#installs.followersOf(execution) : [];
          for (const one of [running, ...followers]) {
            one.trouble = trouble;
            this.#options.onFinished(one.execution.owner);
          }
        },
      });
      if (verdict !== undefined && "ended" in verdict) {
        const { ended, message } = verdict;
        const output = { head: `${message}\n`, tail: "", truncated: 0 };
        const seconds = (this.#now() - start) / 1000;
        await this.#conclude(execution, { ...NOTHING_RAN, ended, output, signal: "SIGKILL", seconds });
      } else if (verdict !== undefined) {
        const { reason, message } = verdict;
        const unbegun = "unbegun" in verdict;
        if (!unbegun) await attempts.record({ reason, message, at: this.#now() });
        await pods.remove(namespace, name);
        throw new PlatformError(reason, message, { stalled: unbegun && verdict.stalled });
      }
      await this.#remove(namespace, name);
      log("execution ended", {
        execution: execution.name,
        owner: execution.owner,
        seconds: (this.#now() - start) / 1000,
      });
    } finally {
      running.trouble = undefined;
      if (execution.kind === "Install")
        for (const follower of this.#installs.followersOf(execution)) follower.trouble = undefined;
      this.#byPod.delete(key);
    }
  }

  /** The outcome is what counts: a pod that is left ends by itself, and goes with its owner. */
  async #remove(namespace: string, name: string): Promise<void> {
    const { pods, log } = this.#options;
    this.#removed.add(`${namespace}/${name}`);
    const [oldest] = this.#removed;
    if (this.#removed.size > REMOVED && oldest !== undefined) this.#removed.delete(oldest);
    await pods.remove(namespace, name).catch((error) => log("pod not removed", { pod: name, error }));
  }

  /** Whether it made the pod; false where there was one, or need not be one any more. */
  async #create(
    execution: Execution,
    name: string,
    attempt: number,
    lockKey: string | undefined,
  ): Promise<boolean> {
    const { pods, store, ownerReference, runtimeClassName } = this.#options;
    const namespace = ownerNamespace(execution.owner);
    // After a restart: it is there, with its errand.
    if ((await pods.get(namespace, name)) !== undefined) return false;
    // Or it was there, and ended and was removed since the store was looked at.
    if (await store.exists(execution.outcomeKey)) return false;
    const claim = await this.#options.environmentsClaim(namespace);
    const settings: PodSettings = {
      ...this.#options.settings,
      ...(claim === undefined ? {} : { environmentsClaim: claim }),
    };
    const known = execution.kind === "Install" && claim === undefined ? await this.#known(namespace) : [];
    const archive =
      execution.kind === "Sandboxed" && claim === undefined ? await this.#archive(execution) : undefined;
    if (execution.kind === "Sandboxed" && claim === undefined && archive === undefined)
      throw new PlatformError("EnvironmentMissing", "the store has no such environment any more");
    const errand = await errandOf(execution, {
      grants: store,
      settings,
      known,
      ...(archive === undefined ? {} : { archive }),
      ...(lockKey === undefined ? {} : { lockKey }),
    });
    const errandKey = `${execution.outcomeKey}.errand-${attempt}.json`;
    await store.put(errandKey, new TextEncoder().encode(JSON.stringify(errand)));
    const owned = ownerReference(execution.owner);
    const runtime = runtimeClassName?.(execution.owner);
    const address = await this.#store();
    const manifest = podManifest(
      {
        name,
        execution,
        errand: await store.grantGet(errandKey, grantSeconds(execution.limits.seconds)),
        ...(address === undefined ? {} : { store: address }),
        ...(owned === undefined ? {} : { ownerReference: owned }),
        ...(runtime === undefined ? {} : { runtimeClassName: runtime }),
      },
      settings,
    );
    try {
      await pods.ensurePolicies(namespace);
      return (await pods.create(manifest)) === "Created";
    } catch (error) {
      if (!(error instanceof PodRefusedError)) throw error;
      throw new PlatformError(error.reason, error.message, {
        cause: error,
        stalled: !PASSING_REFUSALS.has(error.reason),
      });
    }
  }

  /** Makes an environment again that is not where it should be, from its lock. */
  async #restore(running: Running, digest: string, attempt: number): Promise<void> {
    const { store } = this.#options;
    const { execution } = running;
    const lockKey = await environmentLockOf(store, ownerNamespace(execution.owner), digest);
    if (!/^[0-9a-f]{64}$/.test(digest) || !(await store.exists(lockKey))) {
      throw new PlatformError(
        "EnvironmentMissing",
        `there is no environment ${digest}, nor a lock to make it from`,
        { stalled: true },
      );
    }
    const install: InstallExecution = {
      kind: "Install",
      name: `${execution.name}-env-${attempt}`,
      owner: execution.owner,
      limits: RESTORE_LIMITS,
      packages: [],
      inputs: {},
      outputs: {},
      outcomeKey: `${execution.outcomeKey}.environment-${attempt}.json`,
    };
    if ((await this.#outcome(install)) === undefined)
      await this.#inPod(running, install, await Attempts.load(store, install), lockKey);
    const made = (await this.#outcome(install))?.environment;
    if (made !== digest) {
      throw new PlatformError(
        "EnvironmentChanged",
        `the lock of environment ${digest} makes ${made} now: the runner image has another Python than the one that the job began with; begin the job anew`,
        { stalled: true },
      );
    }
  }

  async #known(namespace: string): Promise<string[]> {
    return archivedIn(namespace, await this.#options.store.list(environmentsPrefix(namespace)));
  }

  async #archive({ owner, environment }: SandboxedExecution): Promise<string | undefined> {
    const namespace = ownerNamespace(owner);
    const name = `${namespace}/${environment}`;
    const known = this.#archives.get(name) ?? (await archiveIn(this.#options.store, namespace, environment));
    if (known !== undefined) this.#archives.set(name, known);
    return known;
  }

  /** Whether its environment is in the store; on a claim only the pod sees that. */
  async #isMade(execution: SandboxedExecution): Promise<boolean> {
    if ((await this.#options.environmentsClaim(ownerNamespace(execution.owner))) !== undefined) return true;
    return (await this.#archive(execution)) !== undefined;
  }

  /** A step looks at the outcomes of all that it is made of whenever one of them ends. */
  async #outcome(execution: Execution): Promise<Outcome | undefined> {
    const known = this.#outcomes.get(execution.outcomeKey);
    if (known) return known;
    const outcome = await this.#read(execution);
    if (outcome) this.#outcomes.put(execution.outcomeKey, outcome, JSON.stringify(outcome));
    return outcome;
  }

  async #read(execution: Execution): Promise<Outcome | undefined> {
    const { store } = this.#options;
    const outcome = await read(store, execution.outcomeKey, Outcome);
    if (execution.kind !== "Install" || outcome?.environment === undefined || outcome.packages)
      return outcome;
    // It was there already: the list of its packages is beside its lock.
    const namespace = ownerNamespace(execution.owner);
    const packages = await read(
      store,
      environmentPackagesKey(namespace, outcome.environment),
      Outcome.shape.packages,
    );
    return packages === undefined ? outcome : { ...outcome, packages };
  }

  /** Read at once, and kept for who asks for it next. One that cannot be understood is there all the same: who asks is told. */
  async #isOver(execution: Execution): Promise<boolean> {
    try {
      return (await this.#outcome(execution)) !== undefined;
    } catch (error) {
      if (error instanceof StoreError) throw error;
      return true;
    }
  }

  async #conclude(execution: Execution, outcome: Outcome): Promise<void> {
    await this.#options.store.create(execution.outcomeKey, new TextEncoder().encode(JSON.stringify(outcome)));
  }

  /** With many at once, each looks more seldom; a pod that ends is looked at all the same. */
  #pollMs(): () => { first: number; last: number } {
    const { first, last } = this.#options.pollMs ?? { first: 250, last: 2000 };
    return () => {
      const crowd = (this.#running.size * 1000) / LOOKS_A_SECOND;
      return { first: Math.max(first, crowd), last: Math.max(last, crowd) };
    };
  }

  #mayAskForEvents(): boolean {
    const now = performance.now();
    if (now - this.#askedForEvents < EVENTS_APART_MS) return false;
    this.#askedForEvents = now;
    return true;
  }

  async #store(): Promise<{ host: string; addresses: readonly string[] } | undefined> {
    const host = new URL(this.#options.storeEndpoint).hostname.replaceAll(/^\[|\]$/g, "");
    if (isIP(host) !== 0) return undefined;
    const resolve = this.#options.resolve ?? systemAddresses;
    try {
      this.#addresses = await resolve(host);
      return { host, addresses: this.#addresses };
    } catch (error) {
      // A resolver that does not answer for once: Services keep their addresses.
      if (this.#addresses !== undefined) return { host, addresses: this.#addresses };
      throw new PlatformError(
        "StoreUnavailable",
        `the store's host ${host} has no address here: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}

/** Of the texts of outcomes that are kept in memory, parsed. */
const OUTCOME_CHARACTERS = 8 * 1024 ** 2;
/** Pods that are being made: each takes dozens of grants, and requests that wait for a connection. */
const PODS_BEGUN_AT_ONCE = 32;
/** For so long a node is waited for to say that a pod has ended; then it is taken for lost. */
const SILENT_NODE_MS = 60_000;
/** Removed pods of which an event may still be under way. */
const REMOVED = 2000;
/** Milliseconds between two questions for events, whichever pods they are about. */
const EVENTS_APART_MS = 1000;
/** Looks into the store that all watches together take in a second. */
const LOOKS_A_SECOND = 100;
/** Refusals that pass by themselves: room is made when others end. */
const PASSING_REFUSALS: ReadonlySet<string> = new Set(["QuotaExceeded", "NamespaceTerminating"]);

const NOTHING_RAN = {
  exitCode: null,
  signal: null,
  seconds: 0,
  peakMemoryBytes: 0,
  output: { head: "", tail: "", truncated: 0 },
} as const;

async function systemAddresses(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

async function read<T>(
  store: ArtifactStore,
  key: string,
  schema: { parse(value: unknown): T },
): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(await store.get(key))));
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
