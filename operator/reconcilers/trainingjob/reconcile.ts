/** TrainingJob: get, read the journal, take the next action, write the status. */

import type { Clock } from "../../agent/journal.ts";
import { find, Journal, JournalConflictError } from "../../agent/journal.ts";
import { type Action, nextAction } from "../../agent/next-action.ts";
import type { JournalDraft, JournalEntry } from "../../api/journal.ts";
import type { TrainingJob } from "../../api/trainingjob.ts";
import { type Cluster, ConflictError } from "../../cluster/cluster.ts";
import { type Aside, OVERTAKEN, type Result } from "../../engine/controller.ts";
import { StalledError, WaitingError } from "../../engine/errors.ts";
import { type JobContext, jobPrefix, journalPrefix, ownerKey, reportKey } from "../../evaluation/context.ts";
import { packagesOf } from "../../evaluation/package.ts";
import type { Executor } from "../../sandbox/executor.ts";
import type { ArtifactStore } from "../../storage/artifact-store.ts";
import type { ImmutableCache } from "../../storage/immutable-cache.ts";
import { adopt } from "../adopt.ts";
import { cleanUp, type Retention } from "../cleanup.ts";
import type { Situation } from "../conditions.ts";
import { isStalled, platformReason } from "../platform.ts";
import { isRecoverable, STALLED_SECONDS } from "../stalls.ts";
import { type Actors, perform } from "./perform.ts";
import type { Replies } from "./replies.ts";
import { activityOf, statusOf, worthWriting } from "./status.ts";

export type TrainingJobReconciler = Omit<Actors, "aside"> & {
  readonly cluster: Cluster;
  readonly store: ArtifactStore;
  readonly executor: Executor;
  readonly clock: Clock;
  /** When this operator took up its work (ms): time in which none ran is not counted. */
  readonly startedAt: number;
  /** Journal entries that were read before; absent: each is read whenever its job is looked at. */
  readonly entries?: ImmutableCache<JournalEntry>;
  /** As in JobContext. */
  readonly kept?: ImmutableCache<true>;
  readonly baselines: JobContext["baselines"];
  readonly version: string;
  /** Writes the report of a READY job; may be called again. */
  readonly writeReport: (context: JobContext) => Promise<void>;
  /** What becomes of a deleted job's artifacts; Retain where absent. */
  readonly artifacts?: Retention;
  /** Whether jobs are deleted when their ttlSecondsAfterFinished is over. */
  readonly expires?: boolean;
  /** Serves a READY job's model as its spec asks for; may be called again. Absent: nothing is served here. */
  readonly deploy?: (job: TrainingJob) => Promise<void>;
  /** Told of each entry that this operator wrote, with the seconds since the one before. */
  readonly onEntry?: (job: TrainingJob, entry: JournalEntry, seconds: number) => void;
  /** Absent: a reply that the store would not take is asked and paid for again. */
  readonly replies?: Replies;
  /** Told that a report will soon be written; may be called again. */
  readonly warmReport?: () => void;
};

/** Timers hold no more than about 24 days. */
const LONGEST_TIMER_SECONDS = 86_400;

export async function reconcileTrainingJob(
  operator: TrainingJobReconciler,
  key: string,
  aside: Aside = (slow) => slow(),
): Promise<Result> {
  const read = await operator.cluster.get("TrainingJob", key);
  if (!read) {
    operator.replies?.drop(key);
    await operator.executor.cancel(key);
    return {};
  }
  try {
    if (read.metadata.deletionTimestamp !== undefined) {
      operator.replies?.drop(key);
      await cleanUp(operator, read, ownerKey(read), () => keptOf(operator, read));
      return {};
    }
    const job = await adopt(operator, read, jobPrefix);
    return job ? await advance(operator, job, aside) : {};
  } catch (error) {
    if (error instanceof ConflictError) return OVERTAKEN;
    throw error;
  }
}

/** The model that it published, or was about to, and then all else, the journal that names the model included. */
async function keptOf({ store, clock }: TrainingJobReconciler, job: TrainingJob): Promise<string[]> {
  const { entries } = await Journal.load(store, journalPrefix(job), clock, 0);
  const published = find(entries, "ModelPublished");
  const packages = new Set([...(published ? [published.prefix] : []), ...(await packagesOf(store, job))]);
  return [...packages, jobPrefix(job)];
}

async function advance(operator: TrainingJobReconciler, job: TrainingJob, aside: Aside): Promise<Result> {
  const { store, clock, startedAt, entries } = operator;
  const journal = await Journal.load(store, journalPrefix(job), clock, startedAt, entries);
  const context: JobContext = {
    job,
    journal,
    store: operator.store,
    executor: operator.executor,
    baselines: operator.baselines,
    version: operator.version,
    ...(operator.kept === undefined ? {} : { kept: operator.kept }),
  };
  if (find(journal.entries, "JobFinished")) return finished(operator, context);
  if (job.spec.suspend) return suspended(operator, job, journal);
  const last = journal.entries.at(-1);
  // What the platform stalled is resumed when it goes on, not whenever it is looked at.
  if (last?.type === "JobSuspended" && last.reason === undefined) await resume(operator, context);

  const action = nextAction(job.spec, journal.entries, journal.elapsedSeconds());
  if (action.type === "Publish") operator.warmReport?.();
  try {
    const draft = await draftOf(operator, context, action, aside);
    await resume(operator, context);
    if (draft) await append(operator, context, draft);
    operator.replies?.drop(ownerKey(job));
    const following = nextAction(job.spec, journal.entries, journal.elapsedSeconds());
    if (following.type !== "None") {
      await patch(operator, job, journal, inProgress(following), activityOf(following));
      return { requeueAfterSeconds: 0 };
    }
  } catch (error) {
    return settle(operator, context, action, error);
  }
  // What fails here is tried again, and the status says nothing of the end before it is all done.
  return finished(operator, context);
}

/** What the action comes to; a reply that was paid for before is not asked for again. */
async function draftOf(
  operator: TrainingJobReconciler,
  context: JobContext,
  action: Action,
  aside: Aside,
): Promise<JournalDraft | undefined> {
  const key = ownerKey(context.job);
  const { prefix } = context.journal;
  const kept = action.type === "Ask" ? operator.replies?.of(key, prefix, action.step) : undefined;
  if (kept) return kept;
  const draft = await perform(context, action, { ...operator, aside });
  if (draft?.type === "ReplyReceived") operator.replies?.keep(key, prefix, draft);
  return draft;
}

async function resume(operator: TrainingJobReconciler, context: JobContext): Promise<void> {
  if (context.journal.entries.at(-1)?.type === "JobSuspended")
    await append(operator, context, { type: "JobResumed" });
}

async function append(
  operator: TrainingJobReconciler,
  { job, journal }: Pick<JobContext, "job" | "journal">,
  draft: JournalDraft,
): Promise<void> {
  const before = journal.entries.at(-1);
  const entry = await journal.append(draft);
  operator.onEntry?.(job, entry, entry.elapsedSeconds - (before?.elapsedSeconds ?? 0));
}

/** The platform's time is not the job's. Before there is an entry none is counted anyway. */
async function stopClock(
  operator: TrainingJobReconciler,
  context: JobContext,
  reason: string,
): Promise<void> {
  const last = context.journal.entries.at(-1);
  if (last && last.type !== "JobSuspended")
    await append(operator, context, { type: "JobSuspended", reason: reason.slice(0, 64) });
}

/** Turns what was thrown into a condition and a time to come back. */
async function settle(
  operator: TrainingJobReconciler,
  context: JobContext,
  action: Action,
  error: unknown,
): Promise<Result> {
  const { job, journal } = context;
  const activity = activityOf(action);
  if (error instanceof JournalConflictError || error instanceof ConflictError) return OVERTAKEN;
  if (error instanceof WaitingError) {
    const waitsForCode = error.reason === "Executing";
    if (waitsForCode) await resume(operator, context);
    if (!waitsForCode) await operator.cluster.event(job, "Warning", error.reason, error.message);
    if (error.uncharged) await stopClock(operator, context, error.reason);
    // Where it is not the job's own code that is waited for, the activity says what: else nobody sees that the LLM is away.
    const situation: Situation = waitsForCode
      ? inProgress(action)
      : { type: "InProgress", reason: error.reason, message: error.message };
    await patch(operator, job, journal, situation, situation.message);
    return { requeueAfterSeconds: error.requeueAfterSeconds, waiting: true };
  }
  if (error instanceof StalledError || isStalled(error)) {
    await operator.cluster.event(job, "Warning", error.reason, error.message);
    if (error instanceof StalledError && !isRecoverable(error.reason)) {
      await append(operator, context, {
        type: "JobFinished",
        state: "ERROR",
        reason: error.reason.slice(0, 64),
        message: error.message.slice(0, 2048),
      });
      return finished(operator, context);
    }
    if (isStalled(error)) await stopClock(operator, context, error.reason);
    await patch(
      operator,
      job,
      journal,
      { type: "Stalled", reason: error.reason, message: error.message },
      activity,
    );
    return { requeueAfterSeconds: STALLED_SECONDS };
  }
  const reason = platformReason(error);
  const message = error instanceof Error ? error.message : String(error);
  await operator.cluster.event(job, "Warning", reason, message);
  await patch(
    operator,
    job,
    journal,
    { type: "InProgress", reason, message: `${message}; trying again` },
    activity,
  );
  throw error;
}

async function finished(operator: TrainingJobReconciler, context: JobContext): Promise<Result> {
  const { job, journal } = context;
  const end = find(journal.entries, "JobFinished");
  if (!end) throw new Error("a job that is not over was taken for finished");
  const type = end.state === "READY" ? "Ready" : "Stalled";
  // What was begun beside the step that ended it: an install, say, while the data could not be had.
  if (job.status?.state !== end.state) await operator.executor.cancel(ownerKey(job));
  // Before the status says READY, so that who waits for that finds the report.
  if (type === "Ready" && !(await operator.store.exists(reportKey(job)))) await operator.writeReport(context);
  await patch(operator, job, journal, { type, reason: end.reason, message: end.message }, "finished");
  if (type === "Ready") await operator.deploy?.(job);
  const ttl = job.spec.ttlSecondsAfterFinished;
  // What it deploys would go with it.
  if (ttl === undefined || !operator.expires || job.spec.deploy) return {};
  const left = Date.parse(end.at) / 1000 + ttl - operator.clock.now() / 1000;
  if (left > 0) return { requeueAfterSeconds: Math.min(left, LONGEST_TIMER_SECONDS) };
  await operator.cluster.event(
    job,
    "Normal",
    "Expired",
    `finished more than ${ttl} s ago (spec.ttlSecondsAfterFinished)`,
  );
  await operator.cluster.remove(job);
  return {};
}

async function suspended(
  operator: TrainingJobReconciler,
  job: TrainingJob,
  journal: Journal,
): Promise<Result> {
  await operator.executor.cancel(ownerKey(job));
  // Before there is an entry no time is counted anyway.
  const last = journal.entries.at(-1);
  if (last && last.type !== "JobSuspended")
    await append(operator, { job, journal }, { type: "JobSuspended" });
  const situation: Situation = {
    type: "InProgress",
    reason: "Suspended",
    message: "spec.suspend is true; set it to false to go on",
  };
  await patch(operator, job, journal, situation, "suspended");
  return {};
}

function inProgress(action: Action): Situation {
  return { type: "InProgress", reason: action.type, message: activityOf(action) };
}

async function patch(
  operator: TrainingJobReconciler,
  job: TrainingJob,
  journal: Journal,
  situation: Situation,
  activity: string,
): Promise<void> {
  const status = statusOf({
    job,
    entries: journal.entries,
    elapsedSeconds: journal.elapsedSeconds(),
    situation,
    activity,
    now: new Date(operator.clock.now()).toISOString(),
    uri: (key) => operator.store.uri(key),
  });
  await operator.cluster.updateStatus(job, worthWriting(job.status, status));
}
