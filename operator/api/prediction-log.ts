/** The prediction log in the store: what its objects are called, and the leave that a server has to put them there. */
import { z } from "zod";
import { Timestamp } from "./meta.ts";

/** What a server of a model is given to send its log: a form of S3 (POST policy) that takes objects below a prefix, until it expires. */
export const LogGrant = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(2048),
  /** Sent before the file, as they stand; `key` is the sender's. */
  fields: z.record(z.string().max(128), z.string().max(8192)),
  /** Where the keys of what is sent begin. */
  prefix: z.string().regex(/^predictions\/[a-z0-9.-]{1,253}\/[a-z0-9.-]{1,253}\/$/, {
    error: "must be a prefix of predictions",
  }),
  expires: Timestamp,
});
export type LogGrant = z.infer<typeof LogGrant>;

/** Bytes of a compressed segment that the store takes and that a reader holds in memory. */
export const SEGMENT_OBJECT_BYTES = 32 * 1024 ** 2;

/** Everything that was logged of one ModelDeployment lies below this. */
export function predictionLogPrefix(namespace: string, deployment: string): string {
  return `predictions/${namespace}/${deployment}/`;
}

/**
 * The key of a segment. By day and time of its last entry, so that the order of the keys is that of time, and so that
 * whoever looks for entries since a moment begins at `segmentKeyAt` that moment.
 * @param last milliseconds since 1970 of the last entry, or later
 * @param segment name of the segment on the disk of its server, without its ending
 */
export function segmentKey(prefix: string, last: number, server: string, segment: string): string {
  return `${segmentKeyAt(prefix, last)}-${server}-${segment}.ndjson.gz`;
}

/** What is before the key of any segment whose last entry is at this moment or later, and after any that is earlier. */
export function segmentKeyAt(prefix: string, moment: number): string {
  const time = Math.min(Math.max(0, Math.floor(moment)), MAX_MOMENT);
  return `${prefix}${dayOf(time)}/${String(time).padStart(13, "0")}`;
}

/** Day of a moment in UTC, as in the keys: 2026-01-31. */
export function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10);
}

/** The last moment that thirteen digits and four of a year can say. */
const MAX_MOMENT = 9_999_999_999_999;

/** Day and last moment of a segment by its key; undefined where the key is not one of a segment. */
export function segmentOf(
  prefix: string,
  key: string,
): { readonly day: string; readonly last: number } | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const [, day, last] = SEGMENT_KEY.exec(key.slice(prefix.length)) ?? [];
  return day === undefined ? undefined : { day, last: Number(last) };
}

const SEGMENT_KEY = /^(\d{4}-\d\d-\d\d)\/(\d{13})-[\w.-]{1,253}-\d{13}-[0-9a-f]{8}\.ndjson\.gz$/;
