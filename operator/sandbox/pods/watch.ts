/** Watches one pod until its outcome is in the store, or will not come. */
import { StoreError } from "../../storage/artifact-store.ts";
import { PlatformError } from "../executor.ts";
import { classify, hasEnded, hasStarted, type Verdict } from "./classify.ts";
import type { PodEvent, Pods, PodView } from "./pods.ts";
import { PENDING_SECONDS } from "./settings.ts";

/** Milliseconds that the cache may lag behind: until then a pod that was made and is not seen is not gone. */
const UNSEEN_MS = 30_000;
/** Milliseconds between two questions for events of a pod that does not start. */
const EVENTS_MS = 15_000;
/** Milliseconds after which a pod that no node has taken is not looked for in the store at every turn. */
const UNPLACED_MS = 5_000;
const GROWTH = 1.3;
/** Of a pause, after which a look is due: timers may end a little before their time. */
const EARLY = 0.95;

/** A sleep that can be cut short. */
export class Nudge {
  readonly signal: AbortSignal;
  #wake: (() => void) | undefined;
  #pending = false;

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener("abort", () => this.now(), { once: true });
  }

  now(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** Resolves after so many milliseconds, or as soon as there is a nudge. Rejects when aborted. */
  async sleep(milliseconds: number): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#pending = false;
    this.#wake = undefined;
    this.signal.throwIfAborted();
  }
}

export type Watch = {
  readonly pods: Pods;
  readonly namespace: string;
  readonly name: string;
  /** Whether the outcome is in the store. */
  readonly look: () => Promise<boolean>;
  /** Whether the pod was made just now, so that there is nothing to look for yet. */
  readonly fresh: boolean;
  readonly nudge: Nudge;
  readonly now: () => number;
  readonly pollMs: () => { first: number; last: number };
  /** Whether events may be asked for now: the API server reads all of a namespace's to find those of one pod. */
  readonly mayAskForEvents: () => boolean;
  /** Told once, with the time at which the pod was made. */
  readonly onStarted: (created: number) => void;
  /** Told when a stall begins, and with undefined when it is over. */
  readonly onTrouble: (trouble: PlatformError | undefined) => void;
};

/** A pod that was given up before anything of it ran: no attempt, for nothing was begun. */
export type Unbegun = {
  readonly unbegun: true;
  readonly reason: string;
  readonly message: string;
  readonly stalled: boolean;
};

/** undefined: the outcome is there. Otherwise what went wrong; a stall only once it has lasted too long. */
export async function watchPod(watch: Watch): Promise<Verdict | Unbegun | undefined> {
  const { pods, namespace, name, nudge, now } = watch;
  const begun = now();
  let pause = watch.pollMs().first;
  // Of the next look. That a pod was placed or started says nothing of its outcome, so a nudge alone is no reason for one.
  let due = performance.now() + (watch.fresh ? pause * EARLY : 0);
  let seen = false;
  let started = false;
  let trouble: string | undefined;
  const events = eventsOf(watch);
  for (;;) {
    const view = await pods.get(namespace, name);
    seen ||= view !== undefined;
    const ended = view === undefined ? seen : hasEnded(view);
    const unplaced = view?.nodeName === undefined && now() - begun > UNPLACED_MS;
    const { last } = watch.pollMs();
    if (ended || performance.now() >= due) {
      const there = await lookPatiently(watch.look);
      due = performance.now() + (unplaced ? last * 5 : pause) * EARLY;
      pause = Math.min(pause * GROWTH, Math.max(last, watch.pollMs().last));
      if (there) return undefined;
      if (there === undefined) {
        await nudge.sleep(last);
        continue;
      }
    }
    if (view === undefined) {
      if (seen || now() - begun > UNSEEN_MS)
        return { reason: "PodDeleted", message: "the pod was deleted from outside", retry: "SameStep" };
    } else {
      if (!started && hasStarted(view)) {
        started = true;
        watch.onStarted(view.created);
      }
      const verdict = classify(view, started ? [] : await events(view), now());
      if (verdict !== undefined && ("ended" in verdict || verdict.retry === "SameStep")) return verdict;
      if (!started && now() - view.created > PENDING_SECONDS * 1000) {
        const { reason, message } = verdict ?? {
          reason: "NotStarted",
          message: "the pod did not start in time",
        };
        return { unbegun: true, reason, message, stalled: verdict !== undefined };
      }
      if (verdict?.reason !== trouble) {
        trouble = verdict?.reason;
        watch.onTrouble(
          verdict === undefined
            ? undefined
            : new PlatformError(verdict.reason, verdict.message, { stalled: true }),
        );
      }
    }
    await nudge.sleep(Math.max(1, Math.min(pause, due - performance.now())));
  }
}

/** undefined: the store could not be asked; it is asked again, and who asks for the outcome is told by the store itself. */
async function lookPatiently(look: () => Promise<boolean>): Promise<boolean | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof StoreError && error.reason === "StoreUnavailable") return undefined;
    throw error;
  }
}

/** Events of a pod that has not started; asked for now and then, and not for one that is young. */
function eventsOf({
  pods,
  namespace,
  name,
  now,
  mayAskForEvents,
}: Watch): (view: PodView) => Promise<readonly PodEvent[]> {
  let asked = Number.NEGATIVE_INFINITY;
  let known: readonly PodEvent[] = [];
  return async (view) => {
    if (now() - view.created >= EVENTS_MS && now() - asked >= EVENTS_MS && mayAskForEvents()) {
      asked = now();
      // What it is good for is a better message.
      known = await pods.events(namespace, name).catch(() => known);
    }
    return known;
  };
}
