/** A journal as a text that a person reads from top to bottom. */
import { formatScore } from "../agent/journal.ts";
import type { Candidate, JournalEntry } from "../api/journal.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { type FunctionCall, functionCalls } from "../llm/language-model.ts";
import { duration } from "./progress.ts";

const MAX_BLOCK_LINES = 400;

export function transcript(job: TrainingJob, entries: readonly JournalEntry[]): string {
  return `${[transcriptHead(job), ...entries.map(transcriptEntry)].join("\n\n")}\n`;
}

export function transcriptHead({ metadata, spec, status }: TrainingJob): string {
  return clean(
    `TrainingJob ${metadata.namespace}/${metadata.name}: ${status?.state ?? "not begun"}, target ${spec.target}`,
  );
}

export function transcriptEntry(entry: JournalEntry): string {
  return clean(`[${duration(entry.elapsedSeconds)}] ${entryText(entry)}`);
}

function entryText(entry: JournalEntry): string {
  switch (entry.type) {
    case "DatasetPrepared": {
      const { rows, task, metric, method, folds } = entry;
      const how = method === "CrossValidation" ? `${folds}-fold cross-validation` : "one holdout";
      const head = `Data prepared: ${rows.train} train, ${rows.selection} selection, ${rows.final} final rows (${rows.dropped} dropped); ${task}, ${metric}, ${how}`;
      return [head, ...entry.warnings.map(({ code, message }) => `  warning (${code}): ${message}`)].join(
        "\n",
      );
    }
    case "CandidateVerified":
      return candidateText(entry.candidate);
    case "CandidateFailed":
      return `${entry.origin} could not be verified (${entry.stage})\n${indent(entry.message)}`;
    case "ReplyReceived": {
      const { step, model, parts, finish, detail, usage } = entry;
      const texts = parts.flatMap(({ text }) =>
        typeof text === "string" && text.trim() !== "" ? [indent(text)] : [],
      );
      const note = finish === "Stop" ? "" : ` (${finish}${detail ? `: ${detail}` : ""})`;
      return [
        `Step ${step}: ${model}${note}, ${usage.totalTokens} tokens`,
        ...texts,
        ...functionCalls(parts).map(callText),
      ].join("\n");
    }
    case "ToolFinished": {
      const { candidate, response, name } = entry;
      const head = `Step ${entry.step}: ${name} ${response.ok ? "ok" : "failed"}`;
      return [head, ...(candidate ? [indent(candidateText(candidate))] : []), responseText(response)]
        .filter((text) => text !== "")
        .join("\n");
    }
    case "AgentStopped":
      return `Agent stopped (${entry.reason}): ${entry.message}`;
    case "PublishFailed":
      return `Candidate ${entry.candidate} could not be published\n${indent(entry.message)}`;
    case "ModelPublished": {
      const { candidate, name, final, baseline, digest, warnings } = entry;
      const head = `Published candidate ${candidate} (${name}): ${final.metric} ${formatScore(final.score, final.standardError)} on ${final.rows} final rows, baseline ${formatScore(baseline.score, baseline.standardError)}; package ${digest}`;
      return [head, ...warnings.map((warning) => `  warning: ${warning}`)].join("\n");
    }
    case "JobSuspended":
      return entry.reason === undefined ? "Suspended" : `Suspended: the platform stalled (${entry.reason})`;
    case "JobResumed":
      return "Resumed";
    case "JobFinished":
      return `${entry.state} (${entry.reason}): ${entry.message}`;
  }
}

function candidateText({ number, name, verified, claimedScore, seconds, warnings }: Candidate): string {
  const claimed = claimedScore === undefined ? "" : `, claimed ${formatScore(claimedScore)}`;
  const versus = verified.versus[0];
  const noise = versus && Math.abs(versus.gain) <= versus.standardError ? ", within noise" : "";
  const gain = versus
    ? `, gain ${formatScore(versus.gain, versus.standardError)} over candidate ${versus.name}${noise}`
    : "";
  const head = `Candidate ${number} (${name}): ${verified.metric} ${formatScore(verified.score, verified.standardError)}${claimed}${gain}, verified in ${duration(seconds)}`;
  return [head, ...warnings.map((warning) => `  warning: ${warning}`)].join("\n");
}

function callText({ name, args }: FunctionCall): string {
  const { content, ...rest } = (typeof args === "object" && args !== null ? args : {}) as Record<
    string,
    unknown
  >;
  const head = `  → ${name} ${JSON.stringify(rest)}`;
  return typeof content === "string" ? `${head}\n${indent(content, "    | ")}` : head;
}

function responseText(response: Record<string, unknown>): string {
  const { ok: _, output, traceback, ...rest } = response;
  const { head, tail, truncated } = (output ?? {}) as { head?: string; tail?: string; truncated?: number };
  const cut = truncated ? `\n… ${truncated} characters cut …\n` : "";
  const text = `${head ?? ""}${cut}${tail ?? ""}`.trimEnd();
  return [
    `  ${JSON.stringify(rest)}`,
    ...(text === "" ? [] : [indent(text, "    | ")]),
    ...(typeof traceback === "string" && !text.includes(traceback.trim())
      ? [indent(traceback, "    ! ")]
      : []),
  ].join("\n");
}

function indent(text: string, by = "  "): string {
  const lines = text.split("\n");
  const shown = lines.slice(0, MAX_BLOCK_LINES).map((line) => `${by}${line}`);
  if (lines.length > MAX_BLOCK_LINES) shown.push(`${by}… ${lines.length - MAX_BLOCK_LINES} more lines`);
  return shown.join("\n");
}

/** Without the control characters that a terminal acts on: the text was written by data and models. */
function clean(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]/gu, "�");
}
