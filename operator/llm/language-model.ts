/** LanguageModel: one turn of a conversation with tools. Knows nothing of jobs, pods or journals. */
import type { Metric, Task } from "../api/metrics.ts";
import type { Profile, SplitResult } from "../api/profile.ts";

/** A part of a reply exactly as the model sent it: unknown fields (thought signatures) survive the round trip. */
export type Part = { readonly [field: string]: unknown };

export type FunctionCall = { readonly id?: string; readonly name: string; readonly args: unknown };

export type ToolResponse = {
  readonly id?: string;
  readonly name: string;
  /** JSON object; `ok` says whether the call did what it was asked to. */
  readonly response: { readonly ok: boolean; readonly [field: string]: unknown };
};

/** The conversation so far. `user` turns carry what no tool said: the briefing, the remaining budget, corrections. */
export type Turn =
  | { readonly role: "user"; readonly text: string }
  | { readonly role: "model"; readonly parts: readonly Part[] }
  | { readonly role: "tools"; readonly responses: readonly ToolResponse[]; readonly note?: string };

export type ToolDeclaration = {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
};

/** What the conversation is about, as data; the first user turn says the same in words. */
export type Briefing = {
  readonly goal: string | undefined;
  readonly target: string;
  readonly task: Task;
  readonly metric: Metric;
  readonly direction: "Maximize" | "Minimize";
  readonly acceptanceScore: number | undefined;
  readonly seed: number;
  readonly profile: Profile;
  readonly split: SplitResult;
  /** How rows are divided, as the spec says; `column` is the time or group column. */
  readonly splitBy: { readonly kind: "Random" | "Time" | "Group"; readonly column?: string };
  readonly baselines: readonly {
    readonly name: string;
    readonly verifiedScore: number;
    readonly standardError: number;
    readonly seconds: number;
  }[];
  readonly packages: readonly { readonly name: string; readonly version: string }[];
  readonly stepTimeoutSeconds: number;
  readonly cpus: number;
};

export type Remaining = { readonly steps: number; readonly seconds: number; readonly tokens: number };

export type LlmRequest = {
  readonly system: string;
  readonly turns: readonly Turn[];
  readonly tools: readonly ToolDeclaration[];
  readonly maxOutputTokens: number;
  readonly briefing: Briefing;
  readonly remaining: Remaining;
};

export type LlmReply = {
  readonly parts: readonly Part[];
  /**
   * Stop: as it should be. MaxTokens: cut. Blocked: a safety or policy block. Malformed: a function call that
   * could not be parsed. Empty: nothing in it. Each but Stop is told to the model in the next turn.
   */
  readonly finish: "Stop" | "MaxTokens" | "Blocked" | "Malformed" | "Empty";
  /** Human-readable detail where finish is not Stop. */
  readonly detail?: string;
  readonly usage: {
    readonly promptTokens: number;
    readonly outputTokens: number;
    readonly totalTokens: number;
  };
  /** Provider and model that answered, as it calls itself. */
  readonly model: string;
};

export interface LanguageModel {
  /** Throws LlmUnavailableError (try again later) or LlmRefusedError (no retry will help). */
  reply(request: LlmRequest, signal: AbortSignal): Promise<LlmReply>;
}

/** 429, 5xx, timeouts, broken connections: the service's fault or its load. */
export class LlmUnavailableError extends Error {
  override readonly name = "LlmUnavailableError";
  /** What the service asked for (Retry-After), if it did. */
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, retryAfterSeconds?: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** 400, 401, 403, 404: key, model name or request is wrong. The message names which, and never holds the key. */
export class LlmRefusedError extends Error {
  override readonly name = "LlmRefusedError";
}

/** The function calls of a reply, in order. */
export function functionCalls(parts: readonly Part[]): FunctionCall[] {
  return parts.flatMap((part) => {
    const call = part.functionCall;
    if (typeof call !== "object" || call === null) return [];
    const { id, name, args } = call as { id?: unknown; name?: unknown; args?: unknown };
    if (typeof name !== "string") return [];
    return [{ ...(typeof id === "string" ? { id } : {}), name, args: args ?? {} }];
  });
}
