/** What happened in a job, read from its journal: the facts that the sections of a report put into words. */
import type { Candidate, EntryOf, JournalEntry } from "../api/journal.ts";
import { compareScores, METRICS, type Metric } from "../api/metrics.ts";
import type { Profile, SplitResult } from "../api/profile.ts";
import type { ReportData } from "../api/report-data.ts";
import type { TrainingJob } from "../api/trainingjob.ts";

export type ReportFile = { readonly path: string; readonly text: string };

export type ReportInput = {
  readonly job: TrainingJob;
  readonly entries: readonly JournalEntry[];
  readonly profile: Profile;
  readonly split: SplitResult;
  /** Numbers of the final rows; undefined where nothing was published, or the model could not be explained. */
  readonly data: ReportData | undefined;
  /** The winning recipe's files. */
  readonly files?: readonly ReportFile[];
  /** When the report is made, RFC 3339. */
  readonly now: string;
  /** Version of AutoAI. */
  readonly version: string;
};

/** A candidate and when it came to be. */
export type Attempt = { readonly candidate: Candidate; readonly elapsedSeconds: number };

/** Who wrote the recipe of a candidate. */
export type Author =
  | { readonly kind: "Baseline" }
  | { readonly kind: "Offline" }
  | { readonly kind: "Recipe"; readonly job: string | undefined }
  | { readonly kind: "Llm"; readonly model: string };

export type Gain = {
  /** Positive where the model is better than the baseline, in units of the metric. */
  readonly value: number;
  readonly standardError: number;
  /** Within one standard error. */
  readonly noise: boolean;
};

export type Story = {
  readonly input: ReportInput;
  readonly metric: Metric;
  readonly prepared: EntryOf<"DatasetPrepared"> | undefined;
  readonly published: EntryOf<"ModelPublished"> | undefined;
  readonly finished: EntryOf<"JobFinished"> | undefined;
  readonly attempts: readonly Attempt[];
  /** The published candidate; before that, the best one so far. */
  readonly winner: Candidate | undefined;
  readonly author: Author | undefined;
  /** Whether a language model answered at any time. */
  readonly models: readonly string[];
  /** Against the better baseline on the final rows; undefined where a baseline was published. */
  readonly gain: Gain | undefined;
  readonly tokens: number;
  readonly steps: number;
  readonly seconds: number;
};

/** How the offline author calls itself in the journal. */
const OFFLINE = "offline";

export function tell(input: ReportInput): Story {
  const { entries } = input;
  const prepared = last(entries, "DatasetPrepared");
  const published = last(entries, "ModelPublished");
  const attempts = attemptsOf(entries);
  const metric = prepared?.metric ?? attempts[0]?.candidate.verified.metric ?? "RocAuc";
  const number = published?.candidate ?? best(attempts)?.number;
  const winner = attempts.find(({ candidate }) => candidate.number === number)?.candidate;
  const replies = entries.filter((entry) => entry.type === "ReplyReceived");
  return {
    input,
    metric,
    prepared,
    published,
    finished: last(entries, "JobFinished"),
    attempts,
    winner,
    author: winner && authorOf(winner, input),
    models: [...new Set(replies.map(({ model }) => model))].filter((model) => model !== OFFLINE),
    gain: published && winner && !isBaseline(winner) ? gainOf(published) : undefined,
    tokens: replies.reduce((sum, { usage }) => sum + usage.totalTokens, 0),
    steps: replies.at(-1)?.step ?? 0,
    seconds: entries.at(-1)?.elapsedSeconds ?? 0,
  };
}

export function last<T extends JournalEntry["type"]>(
  entries: readonly JournalEntry[],
  type: T,
): EntryOf<T> | undefined {
  return entries.findLast((entry): entry is EntryOf<T> => entry.type === type);
}

export function isBaseline(candidate: Candidate): boolean {
  return candidate.origin === "PriorBaseline" || candidate.origin === "BoostingBaseline";
}

export function lowerIsBetter(metric: Metric): boolean {
  return METRICS[metric].direction === "Minimize";
}

function attemptsOf(entries: readonly JournalEntry[]): Attempt[] {
  return entries.flatMap((entry) => {
    const candidate =
      entry.type === "CandidateVerified" || entry.type === "ToolFinished" ? entry.candidate : undefined;
    return candidate ? [{ candidate, elapsedSeconds: entry.elapsedSeconds }] : [];
  });
}

function best(attempts: readonly Attempt[]): Candidate | undefined {
  return attempts.reduce<Candidate | undefined>((best, { candidate }) => {
    if (!best) return candidate;
    return compareScores(candidate.verified.metric, candidate.verified.score, best.verified.score) > 0
      ? candidate
      : best;
  }, undefined);
}

function authorOf(candidate: Candidate, { entries, job }: ReportInput): Author {
  if (candidate.origin === "Recipe") return { kind: "Recipe", job: job.spec.recipeFrom };
  if (candidate.origin !== "Agent") return { kind: "Baseline" };
  const reply = entries.find((entry) => entry.type === "ReplyReceived" && entry.step === candidate.step);
  const model = reply?.type === "ReplyReceived" ? reply.model : undefined;
  if (model === OFFLINE || (model === undefined && job.spec.llm.provider !== "Gemini")) {
    return { kind: "Offline" };
  }
  return { kind: "Llm", model: model ?? job.spec.llm.name ?? "a language model" };
}

/** The paired bootstrap where there is one; else the difference, and the model's own standard error. */
function gainOf({ final, baseline }: EntryOf<"ModelPublished">): Gain {
  const paired = final.versus.find(({ name }) => name === String(baseline.number));
  const value = paired?.gain ?? compareScores(final.metric, final.score, baseline.score);
  const standardError = paired?.standardError ?? final.standardError;
  return { value, standardError, noise: Math.abs(value) <= standardError };
}
