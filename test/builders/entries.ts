/** Journal entries for tests of what is decided by them: valid, dated, numbered; only what matters is said. */
import {
  type Candidate,
  type EntryOf,
  type JournalDraft,
  JournalEntry,
  type StopReason,
} from "../../operator/api/journal.ts";
import type { Metric } from "../../operator/api/metrics.ts";

export type Draft = JournalDraft & { readonly elapsedSeconds?: number };

/** Numbers and dates the drafts, as a journal does; a second lies between any two where nothing else is said. */
export function journalOf(...drafts: readonly Draft[]): JournalEntry[] {
  return drafts.map((draft, sequence) =>
    JournalEntry.parse({
      elapsedSeconds: sequence,
      ...draft,
      sequence,
      at: new Date(Date.UTC(2026, 0, 1, 0, 0, sequence)).toISOString(),
    }),
  );
}

type Fields<T extends JournalEntry["type"]> = Partial<Omit<EntryOf<T>, "type" | "sequence" | "at">>;

export function prepared(fields: Fields<"DatasetPrepared"> = {}): Draft {
  return {
    type: "DatasetPrepared",
    datasetSha256: "0".repeat(64),
    task: "BinaryClassification",
    metric: "RocAuc",
    classes: ["no", "yes"],
    method: "Holdout",
    folds: 0,
    rows: { train: 60, selection: 20, final: 20, dropped: 0 },
    warnings: [],
    environment: "base",
    packages: [],
    ...fields,
  };
}

export type CandidateParts = Partial<Omit<Candidate, "verified">> & {
  readonly score: number;
  readonly metric?: Metric;
};

export function candidate({ score, metric = "RocAuc", ...fields }: CandidateParts): Candidate {
  return {
    number: 2,
    origin: "Agent",
    step: 1,
    name: "model",
    description: "",
    recipe: { files: [], entry: "train.py", environment: "base" },
    verified: { metric, score, standardError: 0.01, rows: 20, all: {}, memorised: false, versus: [] },
    predictions: [],
    fitSeconds: 1,
    seconds: 4,
    warnings: [],
    ...fields,
  };
}

export function baselines(prior = 0.5, boosting = 0.8, metric: Metric = "RocAuc"): [Draft, Draft] {
  return [
    {
      type: "CandidateVerified",
      candidate: candidate({ number: 0, origin: "PriorBaseline", step: 0, score: prior, metric }),
    },
    {
      type: "CandidateVerified",
      candidate: candidate({ number: 1, origin: "BoostingBaseline", step: 0, score: boosting, metric }),
    },
  ];
}

export type Call = { readonly id?: string; readonly name: string; readonly args: unknown };

/** A reply with these calls, or with words alone. */
export function reply(
  step: number,
  calls: readonly Call[] = [],
  fields: Fields<"ReplyReceived"> = {},
): Draft {
  return {
    type: "ReplyReceived",
    step,
    model: "scripted",
    parts: [{ text: "So." }, ...calls.map((functionCall) => ({ functionCall }))],
    finish: "Stop",
    usage: { promptTokens: 100, outputTokens: 10, totalTokens: 110 },
    ...fields,
  };
}

export function toolFinished(
  step: number,
  call: number,
  name: string,
  fields: Fields<"ToolFinished"> = {},
): Draft {
  return {
    type: "ToolFinished",
    step,
    call,
    name,
    digest: `${step}.${call}`,
    response: { ok: true },
    ...fields,
  };
}

export function stopped(reason: StopReason, message = "over"): Draft {
  return { type: "AgentStopped", reason, message };
}

export function publishFailed(number: number): Draft {
  return { type: "PublishFailed", candidate: number, message: "it would not fit" };
}

export function published(number: number): Draft {
  return {
    type: "ModelPublished",
    candidate: number,
    name: "model",
    description: "",
    prefix: "models/a",
    digest: "0".repeat(64),
    final: candidate({ score: 0.8 }).verified,
    baseline: { number: 1, score: 0.7, standardError: 0.01 },
    warnings: [],
  };
}

export function jobFinished(state: "READY" | "ERROR"): Draft {
  return { type: "JobFinished", state, reason: "AgentFinished", message: "over" };
}
