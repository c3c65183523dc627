/** How long to wait, as the service says it: Retry-After, google.rpc.RetryInfo, and quotas that end with the day. */
import { isObject } from "./contents.ts";

/** Whoever asks for more than a day is asked again after a day. */
const LONGEST_WAIT_SECONDS = 86_400;

/** RFC 9110, section 10.2.3: seconds or an HTTP date. Undefined where it is neither. */
export function retryAfterHeader(value: string | null, nowMs: number): number | undefined {
  const text = value?.trim();
  if (!text) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return wait(Number(text));
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : wait((date - nowMs) / 1000);
}

export type Quota = {
  /** google.rpc.RetryInfo. */
  readonly retryDelaySeconds: number | undefined;
  /** A quota for the whole day is used up. */
  readonly daily: boolean;
  /** The plan of the key allows none of this at all: no waiting will help. */
  readonly none: boolean;
};

/** Reads the `details` of an error, by the types of google.rpc (error_details.proto). */
export function quotaOf(details: readonly unknown[]): Quota {
  const ofType = (name: string) =>
    details.filter(isObject).filter((detail) => textOf(detail["@type"]).endsWith(`google.rpc.${name}`));
  const delay = ofType("RetryInfo")
    .map(({ retryDelay }) => duration(retryDelay))
    .find((seconds) => seconds !== undefined);
  const violations = ofType("QuotaFailure")
    .flatMap(({ violations }) => (Array.isArray(violations) ? violations : []))
    .filter(isObject);
  return {
    retryDelaySeconds: delay,
    daily: violations.some(({ quotaId }) => /PerDay/i.test(textOf(quotaId))),
    none: violations.some(({ quotaValue }) => textOf(quotaValue) === "0"),
  };
}

/** A number counts as its text: proto JSON writes an int64 as either. No more does: an object's `toString` may be anything. */
function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** Proto JSON writes a Duration as "3.5s". */
function duration(value: unknown): number | undefined {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(textOf(value));
  return match ? wait(Number(match[1])) : undefined;
}

function wait(seconds: number): number {
  return Math.min(LONGEST_WAIT_SECONDS, Math.max(0, Math.ceil(seconds)));
}

/** Daily quotas are reset at midnight Pacific time (https://ai.google.dev/gemini-api/docs/rate-limits). */
export function secondsToMidnightPacific(nowMs: number): number {
  const clock = new Intl.DateTimeFormat("en-US", {
    timeZone: "America/Los_Angeles",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
    hourCycle: "h23",
  }).formatToParts(nowMs);
  const part = (type: string) => Number(clock.find((one) => one.type === type)?.value);
  return 86_400 - (part("hour") * 3600 + part("minute") * 60 + part("second"));
}
