import { expect, test } from "vitest";
import { predictionLogPrefix, segmentKey } from "../api/prediction-log.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { expireSegments } from "./retention.ts";

const prefix = predictionLogPrefix("team", "churn");
const NOW = Date.parse("2026-03-10T09:00:00Z");
const nothing = new Uint8Array();
const segment = (date: string, number = 0) =>
  segmentKey(prefix, Date.parse(date) + number, "churn-5d7-x2z", "1770000000000-0a1b2c3d");

test("what was logged on days that ended so many days ago goes; what is younger, or another's, stays", async () => {
  const store = new MemoryStore();
  const stays = [
    segment("2026-03-03T00:00:00Z"),
    segment("2026-03-10T08:59:00Z"),
    segmentKey(predictionLogPrefix("team", "churn-2"), 0, "a", "1770000000000-0a1b2c3d"),
    segmentKey(predictionLogPrefix("other", "churn"), 0, "a", "1770000000000-0a1b2c3d"),
  ];
  const goes = [segment("2026-03-02T23:59:59.999Z"), segment("2025-12-31T00:00:00Z"), `${prefix}0-not-ours`];
  for (const key of [...stays, ...goes]) await store.put(key, nothing);
  expect(await expireSegments(store, { prefix, retentionDays: 7, now: NOW })).toEqual({
    deleted: 3,
    more: false,
  });
  expect(await store.list("predictions/")).toEqual([...stays].sort());
  expect(await expireSegments(store, { prefix, retentionDays: 7, now: NOW })).toEqual({
    deleted: 0,
    more: false,
  });
});

test("a call does a bounded amount of work, and says that there is more", async () => {
  const store = new MemoryStore();
  for (let number = 0; number < 1500; number++)
    await store.put(segment("2026-01-01T10:00:00Z", number), nothing);
  const retention = { prefix, retentionDays: 1, now: NOW };
  expect(await expireSegments(store, retention)).toEqual({ deleted: 1000, more: true });
  expect(await expireSegments(store, retention)).toEqual({ deleted: 500, more: false });
});
