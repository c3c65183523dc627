/** A response body → LlmReply: what came, how it ended, and what it cost. */
import type { LlmReply, Part } from "../language-model.ts";
import { isObject } from "./contents.ts";
import { oneLine } from "./redact.ts";

type Ending = Pick<LlmReply, "finish" | "detail">;

/** Reasons by which the service or its policy withheld an answer. */
const BLOCKED: Readonly<Record<string, string>> = {
  SAFETY: "its safety filter stopped the answer",
  RECITATION: "the answer repeated published text too closely",
  LANGUAGE: "the language is not supported",
  BLOCKLIST: "the answer held a forbidden term",
  PROHIBITED_CONTENT: "the answer held prohibited content",
  SPII: "the answer held sensitive personal data",
  IMAGE_SAFETY: "its safety filter stopped an image",
  IMAGE_PROHIBITED_CONTENT: "an image held prohibited content",
  IMAGE_RECITATION: "an image repeated published work too closely",
};

/** Reasons by which the model called tools in a way that could not be read or was not allowed. */
const MALFORMED: Readonly<Record<string, string>> = {
  MALFORMED_FUNCTION_CALL: "the function call could not be parsed",
  MALFORMED_RESPONSE: "the answer could not be parsed",
  UNEXPECTED_TOOL_CALL: "it called a tool that was not declared",
  TOO_MANY_TOOL_CALLS: "it called too many tools in one answer",
  MISSING_THOUGHT_SIGNATURE: "an earlier call came back without its thought signature",
};

const CHARACTERS_PER_TOKEN = 4;

/**
 * @param body the response, parsed and free of the key
 * @param asked what to call the model if it does not say who it is, and how many characters it was sent
 */
export function toReply(
  body: Readonly<Record<string, unknown>>,
  asked: { readonly model: string; readonly characters: number },
): LlmReply {
  const candidate = Array.isArray(body.candidates) ? asObject(body.candidates[0]) : {};
  const sent = asObject(candidate.content).parts;
  const parts: Part[] = Array.isArray(sent) ? sent.filter(isObject) : [];
  const { finish, detail } = endingOf(body, candidate, parts);
  const { usage, estimated } = usageOf(body.usageMetadata, asked.characters, parts);
  const details = [
    detail,
    estimated
      ? `The service reported no token usage: counted as one token for ${CHARACTERS_PER_TOKEN} characters.`
      : undefined,
  ].filter((line) => line !== undefined);
  const model = typeof body.modelVersion === "string" && body.modelVersion ? body.modelVersion : asked.model;
  return {
    parts,
    finish,
    ...(details.length > 0 ? { detail: details.join(" ") } : {}),
    usage,
    model: `Gemini ${oneLine(model, 100)}`,
  };
}

function endingOf(
  body: Readonly<Record<string, unknown>>,
  candidate: Readonly<Record<string, unknown>>,
  parts: readonly Part[],
): Ending {
  const feedback = asObject(body.promptFeedback);
  if (typeof feedback.blockReason === "string") {
    return {
      finish: "Blocked",
      detail: sentence("Gemini blocked the prompt", feedback.blockReason, feedback.blockReasonMessage),
    };
  }
  const reason = typeof candidate.finishReason === "string" ? candidate.finishReason : "STOP";
  const tell = (meaning: string) => sentence(`Gemini: ${meaning}`, reason, candidate.finishMessage);
  const blocked = BLOCKED[reason];
  if (blocked) return { finish: "Blocked", detail: tell(blocked) };
  const malformed = MALFORMED[reason] ?? badCall(parts);
  if (malformed) return { finish: "Malformed", detail: tell(malformed) };
  if (reason === "MAX_TOKENS") {
    const where = speaks(parts) ? "" : ", all of it spent on thinking";
    return { finish: "MaxTokens", detail: tell(`the answer reached the maximum length${where}`) };
  }
  if (!speaks(parts)) return { finish: "Empty", detail: tell("the answer holds neither text nor a call") };
  // OTHER, or a reason that is newer than this code: what came is complete JSON and can be acted on.
  return reason === "STOP"
    ? { finish: "Stop" }
    : { finish: "Stop", detail: tell("the answer ended in an unusual way") };
}

/** Whether there is anything to act on: thoughts alone are not. */
function speaks(parts: readonly Part[]): boolean {
  return parts.some(
    (part) =>
      part.functionCall !== undefined ||
      (part.thought !== true && typeof part.text === "string" && part.text.trim() !== ""),
  );
}

function badCall(parts: readonly Part[]): string | undefined {
  for (const { functionCall: call } of parts) {
    if (call === undefined) continue;
    if (!isObject(call) || typeof call.name !== "string" || call.name === "")
      return "a function call has no name";
    if (call.args !== undefined && !isObject(call.args)) {
      return `the arguments of ${oneLine(call.name, 64)} are no JSON object`;
    }
  }
  return undefined;
}

/** Thinking is output, and tool-use tokens are prompt: both are billed as such. */
function usageOf(
  metadata: unknown,
  sentCharacters: number,
  parts: readonly Part[],
): { usage: LlmReply["usage"]; estimated: boolean } {
  const counts = asObject(metadata);
  const prompt = count(counts.promptTokenCount);
  const output = (count(counts.candidatesTokenCount) ?? 0) + (count(counts.thoughtsTokenCount) ?? 0);
  const total = count(counts.totalTokenCount);
  if (prompt !== undefined || total !== undefined) {
    const promptTokens =
      (prompt ?? Math.max(0, (total ?? 0) - output)) + (count(counts.toolUsePromptTokenCount) ?? 0);
    return {
      usage: { promptTokens, outputTokens: output, totalTokens: Math.max(total ?? 0, promptTokens + output) },
      estimated: false,
    };
  }
  const promptTokens = Math.ceil(sentCharacters / CHARACTERS_PER_TOKEN);
  const outputTokens = Math.ceil(JSON.stringify(parts).length / CHARACTERS_PER_TOKEN);
  return { usage: { promptTokens, outputTokens, totalTokens: promptTokens + outputTokens }, estimated: true };
}

function count(value: unknown): number | undefined {
  // int32 in the API; int64 would come as text in proto JSON.
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

function sentence(meaning: string, reason: string, message: unknown): string {
  const said = typeof message === "string" && message.trim() ? `: ${oneLine(message, 500)}` : "";
  return `${meaning} (${oneLine(reason, 64)})${said}.`.replace(/\.\.$/, ".");
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}
