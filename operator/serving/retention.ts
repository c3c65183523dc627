/** How long prediction logs are kept in the store. */
import { dayOf } from "../api/prediction-log.ts";
import { PAGE, type Pages } from "../storage/pages.ts";

export type LogRetention = {
  /** As predictionLogPrefix has it. */
  readonly prefix: string;
  /** Whole days that entries are kept, at least. */
  readonly retentionDays: number;
  /** Milliseconds since 1970. */
  readonly now: number;
};

const DAY_MILLISECONDS = 86_400_000;

/**
 * Deletes what was logged on days (UTC) that ended retentionDays ago or more: at most a thousand objects a call, by one request
 * to list and one to delete. May be called as often as anybody likes, and by two at once.
 * @returns `more`: whether there may be others, so that the caller comes back at once rather than in an hour
 */
export async function expireSegments(
  store: Pages,
  { prefix, retentionDays, now }: LogRetention,
): Promise<{ readonly deleted: number; readonly more: boolean }> {
  const kept = `${prefix}${dayOf(Math.max(0, now - retentionDays * DAY_MILLISECONDS))}`;
  // Keys begin with their day, so that the oldest come first. By the order alone, and not by whether it is the key of a
  // segment: a server may write any key below its prefix, and what no rule knows would stand in the way for ever.
  const old = (await store.page(prefix, prefix, PAGE)).filter((key) => key < kept);
  await store.deleteKeys(old);
  return { deleted: old.length, more: old.length === PAGE };
}
