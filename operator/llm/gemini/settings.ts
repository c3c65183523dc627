/** Where Gemini is asked, as whom, and which model: checked once, before the first request. */
import { LlmRefusedError } from "../language-model.ts";

/**
 * The stable Gemini model used where `spec.llm.name` is absent. gemini-2.5-pro, long the obvious choice, is retired on
 * 2026-12-01; this one has no announced end and reasons well about code.
 */
export const DEFAULT_GEMINI_MODEL = "gemini-3.8-flash";

export const DEFAULT_GEMINI_BASE_URL = "https://generativelanguage.googleapis.com";

export type GeminiSettings = {
  /** Sent as a header, shown to nobody. */
  readonly apiKey: string;
  /** As in the API, such as gemini-3.8-flash or tunedModels/churn-1. */
  readonly model: string;
  /** Without the API version and without a slash at the end. */
  readonly baseUrl: string;
};

/**
 * Settings from the environment: GEMINI_API_KEY and AUTOAI_GEMINI_BASE_URL, unless handed in.
 * Throws LlmRefusedError, whose message says which of them is wrong and how; it never holds the key.
 */
export function geminiSettings(
  environment: Readonly<Record<string, string | undefined>>,
  given: { readonly apiKey?: string | undefined; readonly name?: string | undefined } = {},
): GeminiSettings {
  return {
    apiKey: checkedKey(given.apiKey ?? environment.GEMINI_API_KEY),
    model: checkedModel(given.name ?? DEFAULT_GEMINI_MODEL),
    baseUrl: checkedBaseUrl(environment.AUTOAI_GEMINI_BASE_URL || DEFAULT_GEMINI_BASE_URL),
  };
}

function checkedKey(key: string | undefined): string {
  // Secrets made from files often end with a line break.
  const trimmed = key?.trim() ?? "";
  if (trimmed === "") {
    throw new LlmRefusedError(
      "there is no Gemini API key: set GEMINI_API_KEY, name a Secret in spec.llm.apiKeySecretRef, or choose spec.llm.provider: Offline",
    );
  }
  // Checked here because the HTTP client would quote the whole value in its error.
  if (!/^[\x21-\x7e]{1,512}$/.test(trimmed)) {
    throw new LlmRefusedError(
      `the Gemini API key (${trimmed.length} characters) holds a blank, a line break or a character outside ASCII, or is longer than 512: check GEMINI_API_KEY or the Secret`,
    );
  }
  return trimmed;
}

function checkedModel(name: string): string {
  // The name becomes part of the URL's path.
  if (!/^((models|tunedModels)\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name) || name.includes("..")) {
    throw new LlmRefusedError(
      `spec.llm.name ${JSON.stringify(name.slice(0, 128))} is no model name: expected one such as ${DEFAULT_GEMINI_MODEL} (letters, digits, '.', '_' and '-')`,
    );
  }
  return name;
}

function checkedBaseUrl(text: string): string {
  const wrong = (why: string) =>
    new LlmRefusedError(
      `AUTOAI_GEMINI_BASE_URL ${why}: expected http(s)://host[:port][/path] without user, query and API version, such as ${DEFAULT_GEMINI_BASE_URL}`,
    );
  const url = URL.parse(text.trim());
  if (!url) throw wrong("is not a URL");
  if (url.protocol !== "http:" && url.protocol !== "https:") throw wrong(`has the scheme ${url.protocol}//`);
  if (url.username || url.password) throw wrong("holds a user or a password");
  if (url.search || url.hash) throw wrong("has a query or a fragment");
  const path = url.pathname.replace(/\/+$/, "");
  if (/\/v\d[a-z0-9]*$/.test(path)) throw wrong("ends with an API version, which is added by AutoAI");
  return url.origin + path;
}
