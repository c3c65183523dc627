/** What the scripted Gemini endpoint says: one step an answer, plain JSON, so that scripts can be files. */

export type ScriptedCall = {
  readonly name: string;
  readonly args: unknown;
  /** Made up where absent; null: none, as older models do. */
  readonly id?: string | null;
  /** Made up for the first call of an answer where absent, as the service does; null: none. */
  readonly thoughtSignature?: string | null;
};

/**
 * An answer, or a fault. `{{key}}` in any text is replaced by the API key of the request: what echoes it is a test of
 * its secrecy.
 */
export type Step = {
  /** The newest turn must match this regular expression; else the request is answered 400, and the script stays where it is. */
  readonly expect?: string;

  // --- an answer
  readonly thought?: string;
  readonly text?: string;
  /** Parallel calls, in one answer. */
  readonly calls?: readonly ScriptedCall[];
  /** Parts as they are, instead of thought, text and calls. */
  readonly parts?: readonly unknown[];
  /** STOP where absent. */
  readonly finishReason?: string;
  readonly finishMessage?: string;
  /** Estimated where absent; null: the answer has no usageMetadata. */
  readonly usage?: { readonly prompt: number; readonly output: number; readonly thoughts?: number } | null;

  // --- an answer without an answer in it
  readonly blockReason?: string;
  /** No candidates. */
  readonly empty?: boolean;
  /** The body, whatever it is, with status 200. */
  readonly raw?: unknown;

  // --- faults
  /** An error in the form of google.rpc.Status. */
  readonly status?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: readonly unknown[];
  /** Retry-After, in seconds or as a date. */
  readonly retryAfter?: number | string;
  /** google.rpc.RetryInfo, such as "13s". */
  readonly retryDelay?: string;
  /** google.rpc.QuotaFailure with this quotaId, such as GenerateRequestsPerDayPerProjectPerModel-FreeTier. */
  readonly quotaId?: string;
  readonly quotaValue?: string;
  /** Never answers. */
  readonly hang?: boolean;
  /** Half a body, then the connection is gone. */
  readonly cut?: boolean;
  /** The connection is reset before any answer. */
  readonly reset?: boolean;
  /** Status 200, JSON that ends in the middle. */
  readonly malformed?: boolean;
  /** Status 200 (or `status`) with a page for people. */
  readonly html?: boolean;
  /** A body of as many bytes, without end in sight (no Content-Length). */
  readonly hugeBytes?: number;
  readonly redirectTo?: string;
};

const DETAIL = "type.googleapis.com/google.rpc.";
const REASONS: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** Whether the step is an answer that the conversation goes on from. */
export function isAnswer(step: Step): boolean {
  const said = step.calls ?? step.text ?? step.parts;
  const transport = step.status ?? step.redirectTo ?? step.hugeBytes;
  const broken = step.hang || step.cut || step.reset || step.malformed || step.html;
  return said !== undefined && transport === undefined && !broken && (step.finishReason ?? "STOP") === "STOP";
}

/** The body of a GenerateContentResponse. `turn` makes ids and signatures unique in the conversation. */
export function answerBody(step: Step, asked: { model: string; turn: number; characters: number }): unknown {
  if (step.raw !== undefined) return step.raw;
  const parts = step.parts ?? partsOf(step, asked.turn);
  const output = Math.ceil(JSON.stringify(parts).length / 4);
  const usage = step.usage ?? { prompt: Math.ceil(asked.characters / 4), output };
  const thoughts = usage.thoughts ?? 0;
  return {
    ...(step.blockReason ? { promptFeedback: { blockReason: step.blockReason } } : {}),
    ...(step.blockReason || step.empty
      ? {}
      : {
          candidates: [
            {
              index: 0,
              ...(parts.length > 0 ? { content: { role: "model", parts } } : {}),
              finishReason: step.finishReason ?? "STOP",
              ...(step.finishMessage ? { finishMessage: step.finishMessage } : {}),
            },
          ],
        }),
    ...(step.usage === null
      ? {}
      : {
          usageMetadata: {
            promptTokenCount: usage.prompt,
            candidatesTokenCount: usage.output,
            ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
            totalTokenCount: usage.prompt + usage.output + thoughts,
          },
        }),
    modelVersion: asked.model,
    responseId: `response-${asked.turn}`,
  };
}

function partsOf(step: Step, turn: number): unknown[] {
  const calls = (step.calls ?? []).map((call, index) => {
    const id = call.id === undefined ? `call-${turn}-${index}` : call.id;
    const made = index === 0 ? Buffer.from(`signature ${turn}`).toString("base64") : null;
    const thoughtSignature = call.thoughtSignature === undefined ? made : call.thoughtSignature;
    return {
      functionCall: { ...(id === null ? {} : { id }), name: call.name, args: call.args },
      ...(thoughtSignature === null ? {} : { thoughtSignature }),
    };
  });
  return [
    ...(step.thought === undefined ? [] : [{ text: step.thought, thought: true }]),
    ...(step.text === undefined ? [] : [{ text: step.text }]),
    ...calls,
  ];
}

/** The body of an error, as google.rpc.Status in JSON. */
export function errorBody(step: Step & { readonly status: number }): unknown {
  const violation = {
    quotaId: step.quotaId ?? "",
    ...(step.quotaValue ? { quotaValue: step.quotaValue } : {}),
  };
  return {
    error: {
      code: step.status,
      message: step.message ?? `scripted ${step.status}`,
      status: step.reason ?? REASONS[step.status] ?? "UNKNOWN",
      details: [
        ...(step.details ?? []),
        ...(step.quotaId || step.quotaValue
          ? [{ "@type": `${DETAIL}QuotaFailure`, violations: [violation] }]
          : []),
        ...(step.retryDelay ? [{ "@type": `${DETAIL}RetryInfo`, retryDelay: step.retryDelay }] : []),
      ],
    },
  };
}
