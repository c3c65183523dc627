/** A job's journal as its page shows it: entry by entry, each bounded, in words rather than as it is stored. */
import { type Candidate, JournalEntry } from "../../operator/api/journal.ts";
import { readJson } from "../../operator/evaluation/context.ts";
import { functionCalls } from "../../operator/llm/language-model.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";

export type CandidateView = {
  readonly number: number;
  readonly origin: Candidate["origin"];
  readonly step: number;
  readonly name: string;
  readonly description: string;
  readonly metric: string;
  readonly score: number;
  readonly standardError: number;
  readonly claimed?: number;
  /** Against the best before it. */
  readonly gain?: { readonly over: string; readonly value: number; readonly standardError: number };
  readonly memorised: boolean;
  readonly seconds: number;
  readonly warnings: readonly string[];
};

export type CallView = {
  readonly name: string;
  /** Of a file that is written. */
  readonly path?: string;
  readonly code?: string;
  readonly arguments: string;
};

export type EntryView = { readonly sequence: number; readonly at: string; readonly elapsed: number } & (
  | {
      readonly type: "Prepared";
      readonly task: string;
      readonly metric: string;
      readonly method: string;
      readonly rows: { readonly train: number; readonly selection: number; readonly final: number };
      readonly warnings: readonly { readonly code: string; readonly message: string }[];
    }
  | {
      readonly type: "Reply";
      readonly step: number;
      readonly model: string;
      readonly finish: string;
      readonly tokens: number;
      readonly texts: readonly string[];
      readonly calls: readonly CallView[];
    }
  | {
      readonly type: "Tool";
      readonly step: number;
      readonly call: number;
      readonly name: string;
      readonly ok: boolean;
      readonly result: string;
      readonly output: string;
      readonly traceback: string;
      readonly candidate?: CandidateView;
    }
  | { readonly type: "Candidate"; readonly candidate: CandidateView }
  | {
      readonly type: "Note";
      readonly kind: "Failed" | "Stopped" | "Suspended" | "Resumed" | "Published" | "Finished";
      readonly title: string;
      readonly message: string;
      readonly warnings: readonly string[];
    }
);

/** Characters of one text; a transcript has many. */
const MAX_TEXT = 60_000;

export function viewOf(entry: JournalEntry): EntryView {
  const { sequence, at } = entry;
  const common = { sequence, at, elapsed: entry.elapsedSeconds };
  const note = (
    kind: Extract<EntryView, { type: "Note" }>["kind"],
    title: string,
    message = "",
    warnings: readonly string[] = [],
  ): EntryView => ({ ...common, type: "Note", kind, title, message, warnings });
  switch (entry.type) {
    case "DatasetPrepared": {
      const { task, metric, method, folds, rows } = entry;
      return {
        ...common,
        type: "Prepared",
        task,
        metric,
        method: method === "CrossValidation" ? `${folds}-fold cross-validation` : "one holdout",
        rows: { train: rows.train, selection: rows.selection, final: rows.final },
        warnings: entry.warnings.map(({ code, message }) => ({ code, message })),
      };
    }
    case "CandidateVerified":
      return { ...common, type: "Candidate", candidate: candidateView(entry.candidate) };
    case "CandidateFailed":
      return note("Failed", `${entry.origin} could not be verified (${entry.stage})`, entry.message);
    case "ReplyReceived":
      return {
        ...common,
        type: "Reply",
        step: entry.step,
        model: entry.model,
        finish: entry.finish === "Stop" ? "" : `${entry.finish}${entry.detail ? `: ${entry.detail}` : ""}`,
        tokens: entry.usage.totalTokens,
        texts: entry.parts.flatMap(({ text }) =>
          typeof text === "string" && text.trim() !== "" ? [cut(text)] : [],
        ),
        calls: functionCalls(entry.parts).map(({ name, args }) => callView(name, args)),
      };
    case "ToolFinished":
      return {
        ...common,
        type: "Tool",
        step: entry.step,
        call: entry.call,
        name: entry.name,
        ...toolView(entry),
      };
    case "AgentStopped":
      return note("Stopped", `The agent stopped: ${entry.reason}`, entry.message);
    case "PublishFailed":
      return note("Failed", `Candidate ${entry.candidate} could not be published`, entry.message);
    case "ModelPublished": {
      const { final, baseline } = entry;
      return note(
        "Published",
        `Published candidate ${entry.candidate}: ${entry.name}`,
        `${final.metric} ${final.score.toPrecision(5)} ± ${final.standardError.toPrecision(2)} on ${final.rows} final rows; the better baseline has ${baseline.score.toPrecision(5)}`,
        entry.warnings,
      );
    }
    case "JobSuspended":
      return note(
        "Suspended",
        entry.reason === undefined ? "Suspended" : `Suspended: the platform stalled (${entry.reason})`,
      );
    case "JobResumed":
      return note("Resumed", "Resumed");
    case "JobFinished":
      return note("Finished", `${entry.state}: ${entry.reason}`, entry.message);
  }
}

export function candidateView(candidate: Candidate): CandidateView {
  const { number, origin, step, name, description, claimedScore, verified, seconds, warnings } = candidate;
  const versus = verified.versus[0];
  return {
    number,
    origin,
    step,
    name,
    description,
    metric: verified.metric,
    score: verified.score,
    standardError: verified.standardError,
    ...(claimedScore === undefined ? {} : { claimed: claimedScore }),
    ...(versus
      ? { gain: { over: versus.name, value: versus.gain, standardError: versus.standardError } }
      : {}),
    memorised: verified.memorised,
    seconds,
    warnings,
  };
}

function callView(name: string, args: unknown): CallView {
  const { content, ...rest } = (typeof args === "object" && args !== null ? args : {}) as Record<
    string,
    unknown
  >;
  return {
    name,
    ...(typeof rest.path === "string" ? { path: rest.path.slice(0, 255) } : {}),
    ...(typeof content === "string" ? { code: cut(content) } : {}),
    arguments: cut(JSON.stringify(rest)),
  };
}

function toolView({
  response,
  candidate,
}: Extract<JournalEntry, { type: "ToolFinished" }>): Pick<
  Extract<EntryView, { type: "Tool" }>,
  "ok" | "result" | "output" | "traceback" | "candidate"
> {
  const { ok, output, traceback, ...rest } = response;
  const { head, tail, truncated } = (output ?? {}) as { head?: string; tail?: string; truncated?: number };
  const gap = truncated ? `\n… ${truncated} characters cut …\n` : "";
  return {
    ok,
    result: Object.keys(rest).length === 0 ? "" : cut(JSON.stringify(rest)),
    output: cut(`${head ?? ""}${gap}${tail ?? ""}`),
    traceback: typeof traceback === "string" ? cut(traceback) : "",
    ...(candidate ? { candidate: candidateView(candidate) } : {}),
  };
}

function cut(text: string): string {
  return text.length > MAX_TEXT
    ? `${text.slice(0, MAX_TEXT)}\n… ${text.length - MAX_TEXT} characters cut …`
    : text;
}

const NUMBER = /\/(\d{6,})\.json$/;
const AT_ONCE = 32;

/**
 * Entries after a number, in their order, the first before the last is read: a transcript has megabytes. What is being written
 * at this moment comes the next time.
 */
export async function* readEntries(
  store: Pick<ArtifactStore, "get" | "list">,
  prefix: string,
  after: number,
): AsyncGenerator<JournalEntry> {
  const keys = (await store.list(`${prefix}/`)).filter((key) => Number(NUMBER.exec(key)?.[1] ?? -1) > after);
  for (let from = 0; from < keys.length; from += AT_ONCE) {
    const some = keys.slice(from, from + AT_ONCE);
    yield* await Promise.all(some.map((key) => readJson(store, key, JournalEntry)));
  }
}
