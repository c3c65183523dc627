/**
 * What a job does next: a pure function of the spec, the journal and the clock.
 * Knows no Kubernetes, no pods and no LLM; everything that the job ever decides is decided here.
 */
import type { JournalEntry, StopReason } from "../api/journal.ts";
import { compareScores } from "../api/metrics.ts";
import type { TrainingJobSpec } from "../api/trainingjob.ts";
import { type FunctionCall, functionCalls } from "../llm/language-model.ts";
import { bestCandidate, candidates, find, stepsUsed, tokensUsed } from "./journal.ts";

export type Action =
  | { readonly type: "Prepare" }
  | { readonly type: "VerifyBaseline"; readonly which: "PriorBaseline" | "BoostingBaseline" }
  | { readonly type: "VerifyRecipe" }
  | { readonly type: "Ask"; readonly step: number; readonly maxOutputTokens: number }
  | { readonly type: "RunTool"; readonly step: number; readonly index: number; readonly call: FunctionCall }
  | { readonly type: "StopAgent"; readonly reason: StopReason; readonly message: string }
  | { readonly type: "Publish"; readonly candidate: number }
  | {
      readonly type: "Finish";
      readonly state: "READY" | "ERROR";
      readonly reason: string;
      readonly message: string;
    }
  | { readonly type: "None" };

export type Budget = {
  readonly steps: number;
  /** Until the reserve for publishing begins. */
  readonly seconds: number;
  readonly tokens: number;
};

/** Replies of text alone that are answered with a reminder, before the agent counts as finished without a model. */
const REMINDERS = 2;
const MAX_OUTPUT_TOKENS = 16_384;
/** An answer shorter than this cannot hold a useful program. */
const MIN_OUTPUT_TOKENS = 512;

/** Executions that publishing takes: three fits, their predictions and scores, and what explains the winner. */
const PUBLISHING_EXECUTIONS = 14;

/**
 * Seconds kept back to publish: the winner and the baselines fitted once more, scored, explained, packaged.
 * The prior baseline, whose fits cost nothing, tells what an execution costs on this machine at this load.
 * Never more than half the budget, so that a small budget still trains.
 */
export function reserveSeconds(spec: TrainingJobSpec, entries: readonly JournalEntry[]): number {
  const have = candidates(entries);
  const longestFit = Math.max(0, ...have.map((candidate) => candidate.fitSeconds));
  const prior = have.find((candidate) => candidate.origin === "PriorBaseline");
  const prepared = find(entries, "DatasetPrepared");
  // Fit and prediction for each division, one for the odd rows, and the score.
  const executions = prepared?.method === "CrossValidation" ? 2 * prepared.folds + 2 : 4;
  const overhead = prior ? (prior.seconds / executions) * PUBLISHING_EXECUTIONS : 0;
  return Math.min(spec.budget.maxSeconds / 2, 3 + 1.25 * (overhead + 2 * longestFit));
}

export function remainingBudget(
  spec: TrainingJobSpec,
  entries: readonly JournalEntry[],
  elapsedSeconds: number,
): Budget {
  return {
    steps: Math.max(0, spec.budget.maxSteps - stepsUsed(entries)),
    seconds: Math.max(0, spec.budget.maxSeconds - reserveSeconds(spec, entries) - elapsedSeconds),
    tokens: Math.max(0, spec.budget.maxTokens - tokensUsed(entries)),
  };
}

export function nextAction(
  spec: TrainingJobSpec,
  entries: readonly JournalEntry[],
  elapsedSeconds: number,
): Action {
  if (find(entries, "JobFinished")) return { type: "None" };
  if (find(entries, "ModelPublished")) {
    const stopped = find(entries, "AgentStopped");
    return {
      type: "Finish",
      state: "READY",
      reason: stopped?.reason ?? "Published",
      message: stopped?.message ?? "the model is published",
    };
  }
  if (!find(entries, "DatasetPrepared")) return { type: "Prepare" };

  const have = candidates(entries);
  const outOfTime = elapsedSeconds >= spec.budget.maxSeconds;
  if (have.length === 0 && outOfTime) {
    return {
      type: "Finish",
      state: "ERROR",
      reason: "SecondsExhausted",
      message: `the budget of ${spec.budget.maxSeconds} s ended before any candidate was verified; raise spec.budget.maxSeconds`,
    };
  }
  if (!find(entries, "AgentStopped")) return agentAction(spec, entries, elapsedSeconds);

  const failed = entries.flatMap((entry) => (entry.type === "PublishFailed" ? [entry.candidate] : []));
  const best = bestCandidate(entries, failed);
  if (!best) {
    const message =
      have.length === 0
        ? "no candidate could be verified, the baselines included; the journal says why"
        : "no verified candidate could be fitted for publishing; the journal says why";
    return { type: "Finish", state: "ERROR", reason: "NoCandidate", message };
  }
  return { type: "Publish", candidate: best.number };
}

function agentAction(
  spec: TrainingJobSpec,
  entries: readonly JournalEntry[],
  elapsedSeconds: number,
): Action {
  const remaining = remainingBudget(spec, entries, elapsedSeconds);
  const origins = new Set<string>(candidates(entries).map((candidate) => candidate.origin));
  for (const entry of entries) if (entry.type === "CandidateFailed") origins.add(entry.origin);
  if (!origins.has("PriorBaseline")) return { type: "VerifyBaseline", which: "PriorBaseline" };
  // The reserve gives way to the baseline: to publish a prior in time is worth less than a model a little late.
  if (!origins.has("BoostingBaseline") && elapsedSeconds < spec.budget.maxSeconds) {
    return { type: "VerifyBaseline", which: "BoostingBaseline" };
  }
  if (remaining.seconds <= 0) {
    return stop(
      "SecondsExhausted",
      `the budget of ${spec.budget.maxSeconds} s is spent, but for what publishing takes`,
    );
  }
  if (spec.recipeFrom !== undefined) {
    if (!origins.has("Recipe")) return { type: "VerifyRecipe" };
    return stop("NoAgent", `the recipe of ${spec.recipeFrom} was trained on these rows, without an LLM`);
  }
  return conversationAction(spec, entries, remaining);
}

function conversationAction(
  spec: TrainingJobSpec,
  entries: readonly JournalEntry[],
  remaining: Budget,
): Action {
  const reply = find(entries, "ReplyReceived");
  if (reply?.finish === "Stop") {
    const calls = functionCalls(reply.parts);
    const finished = entries.filter(
      (entry) => entry.type === "ToolFinished" && entry.step === reply.step,
    ).length;
    const call = calls[finished];
    if (call && !accepted(spec, entries)) return { type: "RunTool", step: reply.step, index: finished, call };
    if (calls.length === 0 && isFinished(entries)) {
      return stop("AgentFinished", `the agent finished after ${reply.step} steps`);
    }
  }
  if (accepted(spec, entries)) {
    return stop("Accepted", `a candidate reached the acceptance score of ${spec.acceptance?.score}`);
  }
  if (remaining.steps <= 0)
    return stop("StepsExhausted", `the budget of ${spec.budget.maxSteps} steps is spent`);
  // The next prompt is at least as long as the last one with its answer.
  const prompt = reply ? reply.usage.promptTokens + reply.usage.outputTokens : 0;
  const output = Math.min(MAX_OUTPUT_TOKENS, remaining.tokens - prompt);
  if (output < Math.min(MIN_OUTPUT_TOKENS, spec.budget.maxTokens)) {
    return stop(
      "TokensExhausted",
      `${spec.budget.maxTokens - remaining.tokens} of ${spec.budget.maxTokens} tokens are spent and the next turn would not fit into the rest`,
    );
  }
  return { type: "Ask", step: (reply?.step ?? 0) + 1, maxOutputTokens: output };
}

/** Text without a call ends the conversation, once a model was saved or the reminders are used up. */
function isFinished(entries: readonly JournalEntry[]): boolean {
  if (candidates(entries).some((candidate) => candidate.origin === "Agent")) return true;
  const talk = entries.filter(
    (entry) =>
      entry.type === "ReplyReceived" && entry.finish === "Stop" && functionCalls(entry.parts).length === 0,
  );
  return talk.length > REMINDERS;
}

function accepted(spec: TrainingJobSpec, entries: readonly JournalEntry[]): boolean {
  const best = bestCandidate(entries);
  if (!spec.acceptance || !best) return false;
  return compareScores(best.verified.metric, best.verified.score, Number(spec.acceptance.score)) >= 0;
}

function stop(reason: StopReason, message: string): Action {
  return { type: "StopAgent", reason, message };
}
