/**
 * Gemini as a LanguageModel, through `@google/generative-ai`; no other file imports that SDK.
 *
 * One request a reply and no retries: whoever asks decides when to ask again, and LlmUnavailableError says when the
 * service wants to be asked.
 */
import {
  type GenerateContentRequest,
  type GenerativeModel,
  GoogleGenerativeAI,
  type Tool,
} from "@google/generative-ai";
import { isObject, toContents } from "./gemini/contents.ts";
import { recordedFetch, startWithFetch } from "./gemini/exchange.ts";
import { failureOf } from "./gemini/failure.ts";
import { type Redact, redactor } from "./gemini/redact.ts";
import { toReply } from "./gemini/reply.ts";
import { toGeminiParameters } from "./gemini/schema.ts";
import type { GeminiSettings } from "./gemini/settings.ts";
import { type LanguageModel, type LlmReply, type LlmRequest, LlmUnavailableError } from "./language-model.ts";

export { DEFAULT_GEMINI_MODEL, type GeminiSettings, geminiSettings } from "./gemini/settings.ts";

/** Thinking models take minutes over a long answer; Node's HTTP client gives up at 300 s. */
const DEFAULT_DEADLINE_SECONDS = 280;

export type GeminiOptions = {
  /** How long one request may take before it counts as failed. */
  readonly deadlineSeconds?: number;
  readonly fetch?: typeof fetch;
  readonly clock?: { now(): number };
};

export class GeminiModel implements LanguageModel {
  // Private by the language, so that no log or inspection of this object shows the key.
  readonly #sdk: GoogleGenerativeAI;
  readonly #redact: Redact;
  readonly #model: string;
  readonly #baseUrl: string;
  readonly #deadlineSeconds: number;
  readonly #fetch: typeof fetch | undefined;
  readonly #clock: { now(): number };

  /** @param settings as `geminiSettings` checked them */
  constructor(settings: GeminiSettings, options: GeminiOptions = {}) {
    this.#sdk = new GoogleGenerativeAI(settings.apiKey);
    this.#redact = redactor(settings.apiKey);
    this.#model = settings.model;
    this.#baseUrl = settings.baseUrl;
    this.#deadlineSeconds = options.deadlineSeconds ?? DEFAULT_DEADLINE_SECONDS;
    this.#fetch = options.fetch;
    this.#clock = options.clock ?? Date;
  }

  /** Throws the signal's reason where the caller aborts; else as LanguageModel says. */
  async reply(request: LlmRequest, signal: AbortSignal): Promise<LlmReply> {
    signal.throwIfAborted();
    const content = toGenerateContentRequest(request);
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.#deadlineSeconds * 1000);
    const { fetch: recorded, exchange } = recordedFetch(
      this.#fetch ?? globalThis.fetch,
      AbortSignal.any([signal, deadline.signal]),
    );
    try {
      const { response } = await startWithFetch(recorded, () => this.#sdkModel().generateContent(content));
      const body: unknown = this.#redact.json(response);
      if (isReply(body)) {
        return toReply(body, { model: this.#model, characters: JSON.stringify(content).length });
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // The SDK's own errors hold less than the record of the exchange; without one, the fault is in this program.
      if (exchange.status === undefined && exchange.failure === undefined) throw error;
    } finally {
      clearTimeout(timer);
    }
    if (deadline.signal.aborted && exchange.body === undefined) {
      throw new LlmUnavailableError(
        `Gemini at ${this.#baseUrl} did not answer within ${this.#deadlineSeconds} s`,
      );
    }
    throw failureOf(exchange, {
      model: this.#model,
      baseUrl: this.#baseUrl,
      redact: this.#redact,
      nowMs: this.#clock.now(),
    });
  }

  #sdkModel(): GenerativeModel {
    // The SDK's `timeout` leaves its timer running, so the deadline is ours.
    return this.#sdk.getGenerativeModel({ model: this.#model }, { baseUrl: this.#baseUrl });
  }
}

function toGenerateContentRequest(request: LlmRequest): GenerateContentRequest {
  const functionDeclarations = request.tools.map(({ name, description, parameters }) => {
    const converted = toGeminiParameters(parameters);
    return { name, description, ...(converted ? { parameters: converted } : {}) };
  });
  // The SDK's types know neither thought signatures nor most of the schema; it sends on what it is given.
  return {
    contents: toContents(request.turns) as unknown as GenerateContentRequest["contents"],
    ...(request.system.trim() ? { systemInstruction: request.system.toWellFormed() } : {}),
    ...(functionDeclarations.length > 0 ? { tools: [{ functionDeclarations }] as unknown as Tool[] } : {}),
    generationConfig: { maxOutputTokens: Math.max(1, Math.floor(request.maxOutputTokens)) },
  };
}

/** `{}` is a reply too, an empty one. Some gateways report errors with status 200. */
function isReply(body: unknown): body is Record<string, unknown> {
  return isObject(body) && !isObject(body.error);
}
