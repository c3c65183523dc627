import { describe, expect, test } from "vitest";
import { KeyedQueue, type Timers } from "./queue.ts";

/** Timers that go off when told to. */
class ManualTimers implements Timers {
  readonly pending: { seconds: number; callback: () => void }[] = [];
  after(seconds: number, callback: () => void): () => void {
    const timer = { seconds, callback };
    this.pending.push(timer);
    return () => {
      const index = this.pending.indexOf(timer);
      if (index >= 0) this.pending.splice(index, 1);
    };
  }
  fire(): void {
    for (const { callback } of this.pending.splice(0)) callback();
  }
}

describe("a keyed queue", () => {
  test("hands a key out once, however often it was added while it waited", () => {
    const queue = new KeyedQueue();
    for (const key of ["a", "a", "b", "a"]) queue.add(key);
    expect(queue.depth).toBe(2);
    expect([queue.take(), queue.take()]).toEqual(["a", "b"]);
  });

  test("never hands out a key that is being worked on, and hands it out again afterwards", () => {
    const queue = new KeyedQueue();
    queue.add("a");
    queue.take();
    queue.add("a");
    queue.add("a");
    expect(queue.depth).toBe(0);
    queue.done("a");
    expect(queue.depth).toBe(1);
    expect(queue.take()).toBe("a");
    queue.done("a");
    expect(queue.depth).toBe(0);
  });

  test("tells when there is a key, and hands out first what has waited longest", () => {
    const queue = new KeyedQueue();
    let told = 0;
    queue.onReady = () => told++;
    queue.add("a");
    queue.add("a");
    queue.add("b");
    expect(told).toBe(2);
    expect([queue.take(), queue.take(), queue.take()]).toEqual(["a", "b", undefined]);
    queue.add("a");
    expect(told).toBe(2);
    queue.done("a");
    expect(told).toBe(3);
  });

  test("of several delays of a key the shortest counts, and being added at once beats them all", () => {
    const timers = new ManualTimers();
    const queue = new KeyedQueue(timers);
    queue.addAfter("a", 60);
    queue.addAfter("a", 5);
    queue.addAfter("a", 90);
    expect(timers.pending.map(({ seconds }) => seconds)).toEqual([5]);
    queue.add("a");
    expect(timers.pending).toEqual([]);
    expect(queue.depth).toBe(1);
  });

  test("hands a delayed key out when its time has come", () => {
    const timers = new ManualTimers();
    const queue = new KeyedQueue(timers);
    queue.addAfter("a", 1);
    expect(queue.depth).toBe(0);
    timers.fire();
    expect(queue.take()).toBe("a");
    queue.addAfter("a", 0);
    queue.done("a");
    expect(queue.take()).toBe("a");
  });

  test("doubles the wait with each failure in a row, to at most a minute, until the key is forgotten", () => {
    const queue = new KeyedQueue(new ManualTimers());
    const waits = Array.from({ length: 9 }, () => queue.addAfterFailure("a"));
    expect(waits).toEqual([0.5, 1, 2, 4, 8, 16, 32, 60, 60]);
    expect(queue.failures("a")).toBe(9);
    expect(queue.failures("b")).toBe(0);
    queue.forget("a");
    expect(queue.addAfterFailure("a")).toBe(0.5);
  });

  test("once closed takes nothing in and hands nothing out", () => {
    const timers = new ManualTimers();
    const queue = new KeyedQueue(timers);
    queue.addAfter("a", 5);
    queue.close();
    expect(timers.pending).toEqual([]);
    queue.add("b");
    expect(queue.take()).toBeUndefined();
  });
});
