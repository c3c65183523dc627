import { describe, expect, test } from "vitest";
import { BatchQueue } from "./batch-queue.ts";
import type { RowBatch } from "./runtime.ts";

const rows = (count: number, types = ""): RowBatch => ({ count, numbers: [], texts: [], types });
const limits = { batchRows: 512, largeBatchRows: 4096, waitingRows: 2000, waitMilliseconds: 100 };
const queueOf = (now = () => 0) => new BatchQueue(limits, now);
const add = (queue: BatchQueue, batch: RowBatch) => {
  const answer = queue.add(batch);
  answer.catch(() => undefined);
  return answer;
};
const counts = (queue: BatchQueue) => queue.take().map((one) => one.rows.count);

describe("a batch", () => {
  test("is all that waits, up to the cap; the oldest is in it however large", () => {
    const queue = queueOf();
    for (const count of [100, 400, 12, 1]) add(queue, rows(count));
    expect(counts(queue)).toEqual([100, 400, 12]);
    add(queue, rows(600));
    expect(counts(queue)).toEqual([1]);
    expect(counts(queue)).toEqual([600]);
    expect(counts(queue)).toEqual([]);
    expect(queue.rows).toBe(0);
  });

  test("has rows of one kind of types; others keep their order", () => {
    const queue = queueOf();
    for (const [count, types] of [
      [1, ""],
      [2, "~i0"],
      [3, ""],
      [4, "~i0"],
    ] as const)
      add(queue, rows(count, types));
    expect(counts(queue)).toEqual([1, 3]);
    expect(counts(queue)).toEqual([2, 4]);
  });

  test("has none that waited too long: those are told", async () => {
    let now = 0;
    const queue = queueOf(() => now);
    const late = add(queue, rows(5));
    now = 101;
    add(queue, rows(1));
    expect(counts(queue)).toEqual([1]);
    await expect(late).rejects.toMatchObject({ statusCode: 503, reason: "TimedOut" });
    expect(queue.rows).toBe(0);
  });
});

test.each([
  ["fast", 0.01, 1500],
  ["slower", 0.05, 1000],
  ["slow", 5, 500],
])(
  "after 512 rows of a %s model, in %d s, the next batch of requests of 100 rows has %i",
  (_, seconds, expected) => {
    const queue = queueOf();
    for (let n = 0; n < 15; n++) add(queue, rows(100));
    queue.took(512, seconds);
    expect(counts(queue)).toHaveLength(expected / 100);
  },
);

test("more than may wait is refused, but never a request that finds nothing waiting", () => {
  const queue = queueOf();
  add(queue, rows(3000));
  expect(() => queue.add(rows(1))).toThrow("3000 rows are waiting");
});
