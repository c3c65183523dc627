/** Carries an action out: what it comes to is the journal's next entry. Every action may be repeated. */
import { candidates, find } from "../../agent/journal.ts";
import { type Action, remainingBudget } from "../../agent/next-action.ts";
import { SYSTEM_PROMPT, turnsOf } from "../../agent/prompts.ts";
import type { Candidate, JournalDraft, Recipe } from "../../api/journal.ts";
import { METRICS } from "../../api/metrics.ts";
import { Profile, SplitResult } from "../../api/profile.ts";
import { parseQuantity } from "../../api/quantity.ts";
import type { Aside } from "../../engine/controller.ts";
import { StalledError, WaitingError } from "../../engine/errors.ts";
import { dataKey, encode, type JobContext, jobPrefix, readJson, sha256 } from "../../evaluation/context.ts";
import { prepare } from "../../evaluation/prepare.ts";
import { publish } from "../../evaluation/publish.ts";
import { nextCandidateNumber, RecipeError, verify } from "../../evaluation/verify.ts";
import { fitHistory } from "../../llm/history.ts";
import type { Briefing, LanguageModel } from "../../llm/language-model.ts";
import { LlmRefusedError, LlmUnavailableError } from "../../llm/language-model.ts";
import { runTool, TOOL_DECLARATIONS } from "../../tools/run-tool.ts";
import type { Datasets } from "../dataset-source.ts";
import type { Recipes } from "../recipe-source.ts";

/** Where a job's model comes from; throws StalledError where its key or Secret is missing. */
export type LanguageModels = (job: JobContext["job"]) => Promise<LanguageModel>;

export type Actors = {
  readonly datasets: Datasets;
  readonly recipes: Recipes;
  readonly languageModels: LanguageModels;
  /** How to wait for a reply, which may take minutes. */
  readonly aside: Aside;
};

/** Longest that one reply may take. */
const REPLY_SECONDS = 300;
/** Characters of conversation sent with one prompt, about 60,000 tokens. */
const MAX_PROMPT_CHARACTERS = 240_000;

/** The entry that the action comes to; undefined where it was the last. Throws WaitingError while it is under way. */
export async function perform(
  context: JobContext,
  action: Action,
  actors: Actors,
): Promise<JournalDraft | undefined> {
  switch (action.type) {
    case "Prepare":
      return prepare(context, actors.datasets(context));
    case "VerifyBaseline":
      return verifyBaseline(context, action.which);
    case "VerifyRecipe":
      return verifyRecipe(context, actors.recipes);
    case "Ask":
      return ask(context, action, actors);
    case "RunTool":
      return runTool(context, {
        step: action.step,
        index: action.index,
        call: action.call,
        secondsLeft: secondsLeft(context),
      });
    case "StopAgent":
      return { type: "AgentStopped", reason: action.reason, message: action.message };
    case "Publish":
      return publish(context, action.candidate);
    case "Finish":
      return { type: "JobFinished", state: action.state, reason: action.reason, message: action.message };
    case "None":
      return undefined;
  }
}

function secondsLeft(context: JobContext): number {
  const { journal, job } = context;
  return remainingBudget(job.spec, journal.entries, journal.elapsedSeconds()).seconds;
}

const BASELINES = {
  PriorBaseline: {
    label: "prior",
    entry: "prior.py",
    name: "Prior baseline",
    description: "Always answers with what is most usual in the training rows.",
  },
  BoostingBaseline: {
    label: "boosting",
    entry: "boosting.py",
    name: "Gradient-boosting baseline",
    description: "scikit-learn's histogram gradient boosting with default settings.",
  },
} as const;

async function verifyBaseline(context: JobContext, which: keyof typeof BASELINES): Promise<JournalDraft> {
  const { label, entry, name, description } = BASELINES[which];
  const text = which === "PriorBaseline" ? context.baselines.prior : context.baselines.boosting;
  const digest = sha256(text);
  const key = `${jobPrefix(context.job)}/sources/${digest}.py`;
  await context.store.put(key, encode(text));
  const recipe: Recipe = {
    files: [{ path: entry, key, sha256: digest }],
    entry,
    environment: find(context.journal.entries, "DatasetPrepared")?.environment ?? "",
  };
  const { journal, job } = context;
  const seconds = Math.max(1, job.spec.budget.maxSeconds - journal.elapsedSeconds());
  return verifyAs(context, label, recipe, { origin: which, step: 0, name, description }, seconds);
}

async function verifyRecipe(context: JobContext, recipes: Recipes): Promise<JournalDraft> {
  const { recipe, name, description } = await recipes(context);
  const what = { origin: "Recipe", step: 0, name, description } as const;
  return verifyAs(context, "recipe", recipe, what, secondsLeft(context));
}

async function verifyAs(
  context: JobContext,
  label: string,
  recipe: Recipe,
  what: Pick<Candidate, "step" | "name" | "description"> & {
    origin: "PriorBaseline" | "BoostingBaseline" | "Recipe";
  },
  seconds: number,
): Promise<JournalDraft> {
  try {
    const verification = await verify(context, label, recipe, seconds);
    return {
      type: "CandidateVerified",
      candidate: { number: nextCandidateNumber(context), ...what, recipe, ...verification },
    };
  } catch (error) {
    if (!(error instanceof RecipeError)) throw error;
    const message = [error.message, error.traceback ?? error.output?.tail ?? ""].join("\n").slice(0, 2048);
    return { type: "CandidateFailed", origin: what.origin, stage: error.stage, message };
  }
}

async function ask(
  context: JobContext,
  { step, maxOutputTokens }: Extract<Action, { type: "Ask" }>,
  { languageModels, aside }: Actors,
): Promise<JournalDraft> {
  const { entries } = context.journal;
  const remaining = remainingBudget(context.job.spec, entries, context.journal.elapsedSeconds());
  const briefing = await briefingOf(context);
  const seconds = Math.max(1, Math.min(REPLY_SECONDS, remaining.seconds));
  try {
    const model = await languageModels(context.job);
    const request = {
      system: SYSTEM_PROMPT,
      turns: fitHistory(turnsOf(briefing, entries, remaining), MAX_PROMPT_CHARACTERS),
      tools: TOOL_DECLARATIONS,
      maxOutputTokens,
      briefing,
      remaining,
    };
    const reply = await aside(() => model.reply(request, AbortSignal.timeout(Math.ceil(seconds * 1000))));
    const { parts, finish, detail, usage } = reply;
    return {
      type: "ReplyReceived",
      step,
      model: reply.model,
      parts: parts.map((part) => ({ ...part })),
      finish,
      ...(detail === undefined ? {} : { detail }),
      usage,
    };
  } catch (error) {
    if (error instanceof LlmUnavailableError) {
      const { retryAfterSeconds = RETRY_SECONDS } = error;
      const message = `${error.message}; asking again`;
      if (retryAfterSeconds >= UNCHARGED_SECONDS)
        throw new WaitingError("LlmUnavailable", message, retryAfterSeconds, true);
      const wait = Math.min(retryAfterSeconds, Math.max(1, remaining.seconds));
      throw new WaitingError("LlmUnavailable", message, wait);
    }
    if (error instanceof DOMException && error.name === "TimeoutError") {
      throw new WaitingError(
        "LlmUnavailable",
        `the LLM gave no answer within ${Math.round(seconds)} s; asking again`,
        1,
      );
    }
    if (error instanceof LlmRefusedError) throw new StalledError("LlmRefused", error.message);
    throw error;
  }
}

/** Between two tries where the service named no time. */
const RETRY_SECONDS = 5;
/** A wait that the service asks for and that is at least so long is not the job's time: a quota is used up, not a packet lost. */
const UNCHARGED_SECONDS = 30;

async function briefingOf(context: JobContext): Promise<Briefing> {
  const { job, journal, store } = context;
  const { entries } = journal;
  const prepared = find(entries, "DatasetPrepared");
  if (!prepared) throw new Error("asked before the data set was prepared");
  const { spec } = job;
  return {
    goal: spec.goal,
    target: spec.target,
    task: prepared.task,
    metric: prepared.metric,
    direction: METRICS[prepared.metric].direction,
    acceptanceScore: spec.acceptance ? Number(spec.acceptance.score) : undefined,
    seed: spec.evaluation.seed,
    profile: await readJson(store, dataKey(job, "profile.json"), Profile),
    split: await readJson(store, dataKey(job, "split.json"), SplitResult),
    splitBy: {
      kind: spec.evaluation.split,
      ...(spec.evaluation.column === undefined ? {} : { column: spec.evaluation.column }),
    },
    baselines: candidates(entries)
      .filter((candidate) => candidate.origin !== "Agent")
      .map(({ name, verified, seconds }) => ({
        name,
        verifiedScore: verified.score,
        standardError: verified.standardError,
        seconds,
      })),
    packages: prepared.packages,
    stepTimeoutSeconds: spec.sandbox.stepTimeoutSeconds,
    cpus: parseQuantity(spec.sandbox.resources.cpu),
  };
}
