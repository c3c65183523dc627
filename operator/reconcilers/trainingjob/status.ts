/** The status of a TrainingJob: a pure projection of its journal. */
import { isDeepStrictEqual } from "node:util";
import { bestCandidate, find, formatScore, stepsUsed, tokensUsed } from "../../agent/journal.ts";
import type { Action } from "../../agent/next-action.ts";
import type { JournalEntry } from "../../api/journal.ts";
import type { TrainingJob, TrainingJobStatus } from "../../api/trainingjob.ts";
import { jobPrefix, reportKey } from "../../evaluation/context.ts";
import type { ArtifactStore } from "../../storage/artifact-store.ts";
import { conditions, type Facts, type Situation, summary } from "../conditions.ts";

export type StatusInput = {
  readonly job: TrainingJob;
  readonly entries: readonly JournalEntry[];
  readonly elapsedSeconds: number;
  readonly situation: Situation;
  readonly activity: string;
  /** RFC 3339. */
  readonly now: string;
  readonly uri: ArtifactStore["uri"];
};

export function statusOf({
  job,
  entries,
  elapsedSeconds,
  situation,
  activity,
  now,
  uri,
}: StatusInput): TrainingJobStatus {
  const finished = find(entries, "JobFinished");
  const published = find(entries, "ModelPublished");
  const best = bestCandidate(entries);
  const warnings = warningsOf(entries);
  return {
    state: finished?.state ?? "TRAINING",
    ...(job.metadata.generation === undefined ? {} : { observedGeneration: job.metadata.generation }),
    conditions: conditions(
      job.status?.conditions,
      [...summary(situation), ...milestones(entries)],
      job.metadata.generation,
      now,
    ),
    startTime: job.status?.startTime ?? entries[0]?.at ?? now,
    ...(finished ? { completionTime: finished.at } : {}),
    progress: {
      step: stepsUsed(entries),
      maxSteps: job.spec.budget.maxSteps,
      activity: activity.slice(0, 256),
    },
    usage: {
      tokens: tokensUsed(entries),
      seconds: Math.round(finished?.elapsedSeconds ?? elapsedSeconds),
    },
    ...(best
      ? {
          bestCandidate: {
            verifiedScore: decimal(best.verified.score),
            ...(best.claimedScore === undefined ? {} : { claimedScore: decimal(best.claimedScore) }),
            step: best.step,
          },
        }
      : {}),
    ...(published ? { baselineScore: decimal(published.baseline.score) } : {}),
    ...(warnings.length ? { warnings } : {}),
    ...(published
      ? {
          model: {
            name: published.name,
            description: published.description,
            uri: uri(published.prefix),
            digest: published.digest,
            finalScore: decimal(published.final.score),
          },
        }
      : {}),
    journalUri: uri(`${jobPrefix(job)}/journal`),
    ...(finished?.state === "READY" ? { reportUri: uri(reportKey(job)) } : {}),
  };
}

/** Seconds after which the time spent is written even where nothing else has changed. */
export const USAGE_STEP_SECONDS = 60;

/** The status to write: what stands there, where only a little time has passed since. A write for each look is too many. */
export function worthWriting(
  before: TrainingJobStatus | undefined,
  status: TrainingJobStatus,
): TrainingJobStatus {
  const { usage } = before ?? {};
  if (!usage || !status.usage || status.usage.seconds - usage.seconds >= USAGE_STEP_SECONDS) return status;
  const since = { ...status, usage: { ...status.usage, seconds: usage.seconds } };
  return isDeepStrictEqual(before, since) ? since : status;
}

function milestones(entries: readonly JournalEntry[]): Facts {
  const prepared = find(entries, "DatasetPrepared");
  const best = bestCandidate(entries);
  return [
    prepared
      ? ([
          "DatasetPrepared",
          "True",
          "Prepared",
          `${prepared.rows.train} rows to learn from, ${prepared.rows.selection} to select by, ${prepared.rows.final} for the final score`,
        ] as const)
      : (["DatasetPrepared", "Unknown", "Pending", "the data set is not prepared yet"] as const),
    best
      ? ([
          "ModelVerified",
          "True",
          "Verified",
          `candidate ${best.number} (${best.name}) has ${best.verified.metric} ${formatScore(best.verified.score, best.verified.standardError)}`,
        ] as const)
      : (["ModelVerified", "Unknown", "Pending", "no candidate is verified yet"] as const),
  ];
}

function warningsOf(entries: readonly JournalEntry[]): string[] {
  const data = find(entries, "DatasetPrepared")?.warnings.map((warning) => warning.message) ?? [];
  const failed = entries.flatMap((entry) =>
    entry.type === "CandidateFailed" ? [`${entry.origin} could not be verified: ${entry.message}`] : [],
  );
  const published = find(entries, "ModelPublished")?.warnings ?? [];
  return [...published, ...failed, ...data].slice(0, 32).map((text) => text.slice(0, 512));
}

/** Six significant digits: more than any error bar deserves. */
export function decimal(score: number): string {
  return String(Number(score.toPrecision(6)));
}

/** What is being done, for people. */
export function activityOf(action: Action): string {
  switch (action.type) {
    case "Prepare":
      return "preparing the data";
    case "VerifyBaseline":
      return action.which === "PriorBaseline"
        ? "verifying the prior baseline"
        : "verifying the gradient-boosting baseline";
    case "VerifyRecipe":
      return "verifying the recipe";
    case "Ask":
      return `step ${action.step}: asking for the next step`;
    case "RunTool":
      return `step ${action.step}: ${action.call.name.slice(0, 64)}${toolDetail(action.call.args)}`;
    case "StopAgent":
      return action.message;
    case "Publish":
      return `publishing candidate ${action.candidate}`;
    case "Finish":
    case "None":
      return "finished";
  }
}

function toolDetail(args: unknown): string {
  if (typeof args !== "object" || args === null) return "";
  const { path, name, packages } = args as Record<string, unknown>;
  const detail = [path, name, Array.isArray(packages) ? packages.join(" ") : undefined].find(
    (value) => typeof value === "string",
  );
  // Written by a model: no control character of it reaches a terminal.
  return detail === undefined ? "" : ` ${String(detail).replaceAll(/\p{C}/gu, " ").slice(0, 100)}`;
}
