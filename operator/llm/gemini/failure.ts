/** An exchange that gave no reply → the error that says whose fault it is, when to try again and what to do. */
import { LlmRefusedError, LlmUnavailableError } from "../language-model.ts";
import { isObject } from "./contents.ts";
import { type Exchange, MAX_REPLY_BYTES, ReplyTooLargeError } from "./exchange.ts";
import { quotaOf, retryAfterHeader, secondsToMidnightPacific } from "./quota.ts";
import { oneLine, type Redact } from "./redact.ts";

export type Asked = {
  readonly model: string;
  readonly baseUrl: string;
  readonly redact: Redact;
  readonly nowMs: number;
};

type ApiError = { readonly status: string; readonly message: string; readonly details: readonly unknown[] };

const NETWORK_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was reset",
  UND_ERR_SOCKET: "the connection was closed in the middle",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "the host is not reachable",
  ENETUNREACH: "the network is not reachable",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
  UND_ERR_HEADERS_TIMEOUT: "it did not answer in time",
  UND_ERR_BODY_TIMEOUT: "its answer stopped coming",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer was cut in the middle",
  HPE_INVALID_CONSTANT: "the answer is no HTTP",
};

/** Statuses at which the same request may well succeed later. 529 and 499 are what gateways make of overload and aborts. */
const TRANSIENT = new Set([408, 409, 425, 429, 499]);

export function failureOf(exchange: Exchange, asked: Asked): LlmUnavailableError | LlmRefusedError {
  const { status } = exchange;
  if (status === undefined || exchange.body === undefined) return broken(exchange, asked);
  const retryAfter = retryAfterHeader(exchange.headers?.get("retry-after") ?? null, asked.nowMs);
  const error = apiError(exchange.body, asked.redact);
  if (status >= 200 && status < 300) return unreadable(exchange, error, asked, retryAfter);
  if (status >= 300 && status < 400) return redirected(exchange, asked);
  const said = `Gemini answered ${status}${error.status ? ` ${error.status}` : ""}${error.message ? `: ${error.message}` : ""}`;
  if (status === 429) return exhausted(said, error, asked, retryAfter);
  if (status >= 500 || TRANSIENT.has(status)) {
    return new LlmUnavailableError(said, retryAfter ?? quotaOf(error.details).retryDelaySeconds);
  }
  return new LlmRefusedError(`${said} ${adviceFor(status, error, asked)}`);
}

function adviceFor(status: number, error: ApiError, { model, baseUrl }: Asked): string {
  const aboutKey =
    status === 401 || /API_KEY_INVALID|API key (not valid|expired)/i.test(JSON.stringify(error));
  if (aboutKey)
    return "— the API key was not accepted: check GEMINI_API_KEY or the Secret in spec.llm.apiKeySecretRef.";
  if (status === 403) {
    return `— the API key may not use ${model}: check what the key is allowed, or set spec.llm.name to another model.`;
  }
  if (status === 404) {
    return `— there is no model ${model} at ${baseUrl}: set spec.llm.name to one that exists, or mend AUTOAI_GEMINI_BASE_URL.`;
  }
  if (status === 413 || /token count.*exceeds|exceeds the maximum number of tokens/i.test(error.message)) {
    return "— the conversation is too long for the model.";
  }
  return "— the service will not take this request, and trying again will not help.";
}

function exhausted(said: string, error: ApiError, asked: Asked, retryAfter: number | undefined) {
  const quota = quotaOf(error.details);
  if (quota.none) {
    return new LlmRefusedError(
      `${said} — the plan of this API key allows no requests to ${asked.model}: set spec.llm.name to a model of the plan, or use another key.`,
    );
  }
  if (!quota.daily) return new LlmUnavailableError(said, retryAfter ?? quota.retryDelaySeconds);
  // Its RetryInfo speaks of the next minute, in which the day's quota is still used up.
  return new LlmUnavailableError(
    `${said} — the day's quota of this API key is used up; it is renewed at midnight Pacific time.`,
    retryAfter ?? secondsToMidnightPacific(asked.nowMs),
  );
}

function redirected(exchange: Exchange, { baseUrl }: Asked): LlmRefusedError {
  const target = URL.parse(exchange.headers?.get("location") ?? "", baseUrl);
  const to = target ? ` to ${oneLine(target.origin, 200)}` : "";
  return new LlmRefusedError(
    `${baseUrl} answered ${exchange.status} and points${to}, where the API key is not sent: set AUTOAI_GEMINI_BASE_URL to the final address`,
  );
}

/** A success whose body is none. */
function unreadable(exchange: Exchange, error: ApiError, { baseUrl }: Asked, retryAfter: number | undefined) {
  const type = oneLine(exchange.headers?.get("content-type") ?? "no content type", 80);
  const start = error.message ? ` (${error.message})` : "";
  const what = exchange.body?.trim() === "" ? "an empty body" : `something that is no Gemini reply${start}`;
  return new LlmUnavailableError(
    `Gemini answered ${exchange.status} with ${what}, content type ${type}: expected JSON from ${baseUrl}; a cut answer, a proxy or a wrong AUTOAI_GEMINI_BASE_URL may be why`,
    retryAfter,
  );
}

function broken(exchange: Exchange, { baseUrl, redact }: Asked): LlmUnavailableError {
  if (exchange.failure instanceof ReplyTooLargeError) {
    return new LlmUnavailableError(
      `the answer of ${baseUrl} is larger than ${MAX_REPLY_BYTES / 1024 ** 2} MiB, which no Gemini reply is; it was not read to its end`,
    );
  }
  const when = exchange.status === undefined ? "Gemini could not be reached" : "Gemini's answer broke off";
  return new LlmUnavailableError(`${when} at ${baseUrl}: ${redact.text(networkReason(exchange.failure))}`);
}

function networkReason(failure: unknown): string {
  let deepest = "unknown network error";
  for (let at = failure, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = (at as NodeJS.ErrnoException).code;
    const known = code === undefined ? undefined : NETWORK_ERRORS[code];
    if (known) return known;
    deepest = code ? `${at.message} (${code})` : at.message;
  }
  return oneLine(deepest, 300);
}

/** google.rpc.Status in its JSON form; of any other body its title or its first words. */
function apiError(body: string, redact: Redact): ApiError {
  const parsed = redact.json(parse(body));
  const holder = Array.isArray(parsed) ? parsed[0] : parsed;
  const error = isObject(holder) && isObject(holder.error) ? holder.error : undefined;
  if (error) {
    return {
      status: typeof error.status === "string" ? oneLine(error.status, 64) : "",
      message: typeof error.message === "string" ? oneLine(error.message, 600) : "",
      details: Array.isArray(error.details) ? error.details : [],
    };
  }
  const title = /<title[^>]*>([^<]*)/i.exec(body)?.[1];
  return { status: "", message: oneLine(redact.text(title ?? body.slice(0, 2000)), 160), details: [] };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
