/** Logs: one JSON object a line, with job and step where there is one, and no secret. */
import { type Logger, type LoggerOptions, pino } from "pino";

export type { Logger } from "pino";

/** Of fields that may hold a secret, at any depth that we log. */
const SECRET_FIELDS = ["authorization", "apiKey", "accessKey", "secretKey", "token", "password", "secret"];

export function createLog(
  level: string,
  secrets: readonly (string | undefined)[] = [],
  destination?: { write(line: string): void },
): Logger {
  const known = secrets.filter((secret): secret is string => secret !== undefined && secret.length >= 6);
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
      censor: "[redacted]",
    },
    serializers: { error: (error: unknown) => describeError(error) },
    hooks: {
      // Last of all: a secret that came in through somebody's error message.
      streamWrite: (line) => redact(line, known),
    },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** What a line says of an error. The stack is for what nobody expected. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const { reason, code } = error as { reason?: unknown; code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
    ...(reason === undefined && code === undefined ? { stack: error.stack } : {}),
  };
}

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\b(X-Amz-(?:Signature|Credential|Security-Token)=)[^&"\s\\]+/gi, "$1[redacted]"],
  [/\b(Bearer )[-._~+/A-Za-z0-9]+=*/g, "$1[redacted]"],
  [/\bAIza[-_A-Za-z0-9]{20,}/g, "[redacted]"],
  [/\/\/[^/\s:@"]+:[^/\s@"]+@/g, "//[redacted]@"],
];

export function redact(line: string, secrets: readonly string[]): string {
  let text = line;
  for (const secret of secrets) text = text.replaceAll(secret, "[redacted]");
  for (const [pattern, by] of PATTERNS) text = text.replaceAll(pattern, by);
  return text;
}
