/**
 * The journal of a job: numbered, immutable entries; the truth of which status is a projection.
 *
 * One object an entry, written once (`If-None-Match: *`), so that two operators cannot both write entry n.
 */
import { z } from "zod";
import { Metric, Task } from "./metrics.ts";
import { DataWarning, ScoreResult } from "./profile.ts";

const Package = z.strictObject({ name: z.string(), version: z.string() });

/** A file of a recipe: the path in the workspace and the store key of its text. */
export const SourceFile = z.strictObject({
  path: z.string().max(255),
  key: z.string().max(1024),
  sha256: z.string().length(64),
});
export type SourceFile = z.infer<typeof SourceFile>;

/** A program that makes a model: anyone can run it again on other rows, with no LLM. */
export const Recipe = z.strictObject({
  files: z.array(SourceFile).max(200),
  entry: z.string().max(255),
  /** Digest of the locked environment. */
  environment: z.string().max(80),
});
export type Recipe = z.infer<typeof Recipe>;

/** A recipe that was run and scored by the operator. Numbers 0 and 1 are the baselines. */
export const Candidate = z.strictObject({
  number: z.int().min(0),
  origin: z.enum(["PriorBaseline", "BoostingBaseline", "Agent", "Recipe"]),
  /** The agent's step; 0 for a baseline. */
  step: z.int().min(0),
  name: z.string().max(128),
  description: z.string().max(1024),
  recipe: Recipe,
  claimedScore: z.number().optional(),
  verified: ScoreResult,
  /** Store keys of the predictions that were scored, in the order of the label files. */
  predictions: z.array(z.string()),
  /** Longest single fit, in seconds: what publishing it will cost about. */
  fitSeconds: z.number(),
  /** Wall-clock seconds of its whole verification. */
  seconds: z.number(),
  warnings: z.array(z.string().max(512)).max(16),
});
export type Candidate = z.infer<typeof Candidate>;

export const StopReason = z.enum([
  "Accepted",
  "AgentFinished",
  "StepsExhausted",
  "SecondsExhausted",
  "TokensExhausted",
  "NoAgent",
]);
export type StopReason = z.infer<typeof StopReason>;

const common = {
  sequence: z.int().min(0),
  /** RFC 3339, UTC. */
  at: z.string(),
  /** Seconds that the job was worked on up to this entry; time in which no operator ran does not count. */
  elapsedSeconds: z.number().min(0),
};

export const JournalEntry = z.discriminatedUnion("type", [
  z.strictObject({
    ...common,
    type: z.literal("DatasetPrepared"),
    datasetSha256: z.string(),
    task: Task,
    metric: Metric,
    classes: z.array(z.string()),
    method: z.enum(["Holdout", "CrossValidation"]),
    folds: z.int(),
    rows: z.strictObject({ train: z.int(), selection: z.int(), final: z.int(), dropped: z.int() }),
    warnings: z.array(DataWarning),
    /** Digest of the base environment. */
    environment: z.string(),
    packages: z.array(Package),
  }),
  z.strictObject({ ...common, type: z.literal("CandidateVerified"), candidate: Candidate }),
  z.strictObject({
    ...common,
    /** A baseline, or another job's recipe, that could not be verified: the job goes on without it. */
    type: z.literal("CandidateFailed"),
    origin: z.enum(["PriorBaseline", "BoostingBaseline", "Recipe"]),
    stage: z.string().max(32),
    message: z.string().max(2048),
  }),
  z.strictObject({
    ...common,
    type: z.literal("ReplyReceived"),
    step: z.int().min(1),
    model: z.string(),
    /** Exactly as the model sent them. */
    parts: z.array(z.record(z.string(), z.unknown())),
    finish: z.enum(["Stop", "MaxTokens", "Blocked", "Malformed", "Empty"]),
    detail: z.string().optional(),
    usage: z.strictObject({ promptTokens: z.int(), outputTokens: z.int(), totalTokens: z.int() }),
  }),
  z.strictObject({
    ...common,
    type: z.literal("ToolFinished"),
    step: z.int().min(1),
    /** Index of the call within the reply. */
    call: z.int().min(0),
    id: z.string().optional(),
    name: z.string(),
    /** Digest of the call and of everything it depends on: the same call twice runs once. */
    digest: z.string(),
    response: z.looseObject({ ok: z.boolean() }),
    /** What it changed. */
    file: SourceFile.optional(),
    workspace: z.string().optional(),
    environment: z
      .strictObject({ digest: z.string(), requested: z.array(z.string()), packages: z.array(Package) })
      .optional(),
    candidate: Candidate.optional(),
  }),
  z.strictObject({
    ...common,
    type: z.literal("AgentStopped"),
    reason: StopReason,
    message: z.string().max(1024),
  }),
  z.strictObject({
    ...common,
    /** A candidate whose last fit failed; the next best is published instead. */
    type: z.literal("PublishFailed"),
    candidate: z.int().min(0),
    message: z.string().max(2048),
  }),
  z.strictObject({
    ...common,
    type: z.literal("ModelPublished"),
    candidate: z.int().min(0),
    name: z.string(),
    description: z.string(),
    /** Store prefix of the model package, and the SHA-256 of its model.json. */
    prefix: z.string(),
    digest: z.string(),
    final: ScoreResult,
    /** The better baseline on the final rows. */
    baseline: z.strictObject({ number: z.int(), score: z.number(), standardError: z.number() }),
    warnings: z.array(z.string().max(512)).max(16),
  }),
  z.strictObject({
    ...common,
    /** Until JobResumed no time is counted: spec.suspend was set, or, where there is a reason, the platform stalled. */
    type: z.literal("JobSuspended"),
    reason: z.string().max(64).optional(),
  }),
  z.strictObject({ ...common, type: z.literal("JobResumed") }),
  z.strictObject({
    ...common,
    type: z.literal("JobFinished"),
    state: z.enum(["READY", "ERROR"]),
    reason: z.string().max(64),
    message: z.string().max(2048),
  }),
]);
export type JournalEntry = z.infer<typeof JournalEntry>;
export type EntryOf<T extends JournalEntry["type"]> = Extract<JournalEntry, { type: T }>;
type Drafted<E> = E extends JournalEntry ? Omit<E, "sequence" | "at" | "elapsedSeconds"> : never;
/** An entry before the journal numbers and dates it. */
export type JournalDraft = Drafted<JournalEntry>;
