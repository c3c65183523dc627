/**
 * Turns → the `contents` of a request.
 *
 * The service refuses what it cannot pair: roles must alternate, and every function call of a model turn must be
 * answered, in order, by the turn after it. A journal can hold less than that (a reply without parts, a call that
 * nobody ran), so what is missing is filled in here rather than refused there, step after step.
 */
import type { Part, ToolResponse, Turn } from "../language-model.ts";

export type Content = { readonly role: "user" | "model"; readonly parts: Part[] };

type Call = { readonly id?: string; readonly name: string };

/** Fields of which a part must have one to say anything. */
const DATA_FIELDS = [
  "text",
  "functionCall",
  "functionResponse",
  "inlineData",
  "fileData",
  "executableCode",
  "codeExecutionResult",
];

export function toContents(turns: readonly Turn[]): Content[] {
  const contents: Content[] = [];
  for (const turn of turns) {
    if (turn.role === "tools") {
      addResponses(contents, turn.responses, turn.note);
    } else if (turn.role === "user") {
      answerOpenCalls(contents);
      addText(contents, turn.text);
    } else {
      const parts = wireParts(turn.parts);
      if (parts.length === 0) continue;
      answerOpenCalls(contents);
      if (contents.at(-1)?.role === "model") addText(contents, "Go on.");
      contents.push({ role: "model", parts });
    }
  }
  answerOpenCalls(contents);
  if (contents.at(-1)?.role === "model") addText(contents, "Go on.");
  return contents;
}

/** The parts as they came; only what the service would refuse to take back is mended or left out. */
export function wireParts(parts: readonly Part[]): Part[] {
  return parts.flatMap((part) => {
    const call = part.functionCall;
    if (call !== undefined) {
      const { name, args } = (call ?? {}) as { name?: unknown; args?: unknown };
      if (typeof name !== "string") return [];
      if (args !== undefined && !isObject(args))
        return [{ ...part, functionCall: { ...(call as object), args: {} } }];
    }
    const says = DATA_FIELDS.some((field) => part[field] !== undefined);
    if (says) return [wellFormed(part)];
    // A signature may come alone; to be taken back, a part needs a field that says something, if only nothing.
    return part.thoughtSignature === undefined ? [] : [{ text: "", ...part }];
  });
}

function openCalls(contents: readonly Content[]): Call[] {
  const last = contents.at(-1);
  if (last?.role !== "model") return [];
  return last.parts.flatMap((part) => (part.functionCall ? [part.functionCall as Call] : []));
}

function answerOpenCalls(contents: Content[]): void {
  if (openCalls(contents).length > 0) addResponses(contents, [], undefined);
}

function addResponses(
  contents: Content[],
  responses: readonly ToolResponse[],
  note: string | undefined,
): void {
  const left = [...responses];
  const take = (fits: (response: ToolResponse) => boolean) => {
    const index = left.findIndex(fits);
    return index < 0 ? undefined : left.splice(index, 1)[0];
  };
  const calls = openCalls(contents);
  const parts = calls.map((call): Part => {
    const found =
      (call.id === undefined ? undefined : take((response) => response.id === call.id)) ??
      take((response) => response.name === call.name);
    return {
      functionResponse: {
        ...(call.id === undefined ? {} : { id: call.id }),
        name: call.name,
        response: wellFormed(found?.response ?? { ok: false, error: "This call was not carried out." }),
      },
    };
  });
  if (parts.length > 0) contents.push({ role: "user", parts });
  for (const response of left)
    addText(contents, `Result of ${response.name}: ${JSON.stringify(response.response)}`);
  if (note !== undefined) addText(contents, note);
}

/**
 * A turn of function responses must hold nothing else: words that belong to it travel as a field of the last response,
 * which is free-form, and which generated code cannot write.
 */
function addText(contents: Content[], text: string): void {
  const last = contents.at(-1);
  if (last?.role !== "user") {
    contents.push({ role: "user", parts: [{ text: text.toWellFormed() }] });
    return;
  }
  const lastPart = last.parts.at(-1);
  const answer = lastPart?.functionResponse as { response: Record<string, unknown> } | undefined;
  if (!answer) {
    last.parts.push({ text: text.toWellFormed() });
    return;
  }
  const before = answer.response.operatorNote;
  const operatorNote = (typeof before === "string" ? `${before}\n\n${text}` : text).toWellFormed();
  last.parts[last.parts.length - 1] = {
    functionResponse: { ...answer, response: { ...answer.response, operatorNote } },
  };
}

/** Output cut in the middle of a surrogate pair is no valid Unicode, and the service's JSON parser says so. */
function wellFormed<T>(value: T): T {
  return (/\\ud[89a-f]/i.test(JSON.stringify(value) ?? "") ? mend(value) : value) as T;
}

function mend(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(mend);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name.toWellFormed(), mend(field)]));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
