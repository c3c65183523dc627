import { describe, expect, test, vi } from "vitest";
import { Controller, type ControllerOptions, OVERTAKEN, type Reconcile } from "./controller.ts";
import { StalledError, WaitingError } from "./errors.ts";

/** Runs the outcomes one after the other, whatever the wait between them, and tells of the waits and failures. */
async function play(outcomes: readonly (() => ReturnType<Reconcile>)[]) {
  const waits: number[] = [];
  const failures: number[] = [];
  let round = 0;
  let over: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    over = resolve;
  });
  const options: ControllerOptions = {
    name: "test",
    timers: {
      after(seconds, callback) {
        waits.push(seconds);
        queueMicrotask(callback);
        return () => undefined;
      },
    },
    reconcile: async () => {
      const outcome = outcomes[round++];
      if (round === outcomes.length) setImmediate(over);
      return outcome ? outcome() : {};
    },
    onFailure: (_key, _error, inARow) => failures.push(inARow),
  };
  const controller = new Controller(options);
  controller.queue.add("a");
  controller.start();
  await done;
  await controller.stop();
  return { rounds: round, waits, failures };
}

const fine = async () => ({ requeueAfterSeconds: 7 });
const fails = () => Promise.reject(new Error("no network"));

test("comes back after the time that a reconcile asks for", async () => {
  expect(await play([fine, async () => ({})])).toEqual({ rounds: 2, waits: [7], failures: [] });
});

test("comes back at once where a reconcile asks for that", async () => {
  expect(await play([async () => ({ requeueAfterSeconds: 0 }), async () => ({})])).toMatchObject({
    rounds: 2,
    waits: [],
  });
});

test("who was overtaken comes back at once, and backs off where that happens again and again", async () => {
  const overtaken = async () => OVERTAKEN;
  const { rounds, waits, failures } = await play([
    overtaken,
    overtaken,
    overtaken,
    fine,
    overtaken,
    async () => ({}),
  ]);
  expect(rounds).toBe(6);
  expect(waits).toEqual([1, 2, 7]);
  expect(failures).toEqual([]);
});

test("backs off from failures and tells how many there were in a row", async () => {
  const { waits, failures } = await play([fails, fails, fine, fails, async () => ({})]);
  expect(waits).toEqual([0.5, 1, 7, 0.5]);
  expect(failures).toEqual([1, 2, 1]);
});

test("counts failures on across waits for the next try of what failed", async () => {
  const returned = async () => ({ requeueAfterSeconds: 15, waiting: true });
  const thrown = () => Promise.reject(new WaitingError("Executing", "waiting", 3));
  const { waits, failures } = await play([fails, returned, fails, thrown, fails, async () => ({})]);
  expect(failures).toEqual([1, 2, 3]);
  expect(waits).toEqual([0.5, 15, 1, 3, 2]);
});

test("does not come back to what is stalled", async () => {
  const stalls = () => Promise.reject(new StalledError("NoKey", "give one"));
  expect(await play([stalls])).toEqual({ rounds: 1, waits: [], failures: [] });
});

test("works on one key with one worker at a time, and on others meanwhile", async () => {
  const active = new Set<string>();
  let most = 0;
  const controller: Controller = new Controller({
    name: "test",
    reconcile: async (key) => {
      expect(active.has(key)).toBe(false);
      active.add(key);
      most = Math.max(most, active.size);
      controller.queue.add(key);
      await new Promise((resolve) => setImmediate(resolve));
      active.delete(key);
      return {};
    },
  });
  for (const key of ["a", "b", "c"]) controller.queue.add(key);
  controller.start();
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  await controller.stop();
  expect(most).toBe(3);
  expect(active.size).toBe(0);
});

describe("who steps aside", () => {
  /** Each key begins, steps aside until it is let go on, and ends; `log` tells in which order. */
  function world(options: { readonly workers: number; readonly asides?: number }) {
    const log: string[] = [];
    const answers = new Map<string, () => void>();
    const controller = new Controller({
      ...options,
      name: "test",
      reconcile: async (key, aside) => {
        log.push(`${key} begins`);
        await aside(() => new Promise<void>((resolve) => answers.set(key, resolve)));
        log.push(`${key} goes on`);
        await turn();
        return {};
      },
    });
    controller.start();
    return { log, controller, answer: (key: string) => answers.get(key)?.() };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test("leaves the place to others, and goes on before new ones begin", async () => {
    const { log, controller, answer } = world({ workers: 1 });
    for (const key of ["a", "b"]) controller.queue.add(key);
    await turn();
    expect(log).toEqual(["a begins", "b begins"]);
    answer("b");
    await turn();
    expect(log.at(-1)).toBe("b goes on");
    answer("a");
    controller.queue.add("c");
    await turn();
    await turn();
    expect(log.slice(3)).toEqual(["a goes on", "c begins"]);
    // The same key is not begun again while it waits aside.
    controller.queue.add("c");
    await turn();
    expect(log.slice(5)).toEqual([]);
    answer("c");
    await vi.waitFor(() => expect(log.slice(5)).toEqual(["c goes on", "c begins"]));
    answer("c");
    await controller.stop();
    expect(log.at(-1)).toBe("c goes on");
  });

  test("is counted: beyond so many, who waits keeps the place", async () => {
    const { log, controller, answer } = world({ workers: 2, asides: 1 });
    for (const key of ["a", "b", "c", "d"]) controller.queue.add(key);
    await turn();
    expect(log).toEqual(["a begins", "b begins", "c begins"]);
    for (const key of ["a", "b", "c"]) answer(key);
    await vi.waitFor(() => expect(log).toContain("d begins"));
    answer("d");
    await controller.stop();
    expect(log.filter((line) => line.endsWith("goes on"))).toHaveLength(4);
  });

  test("who fails there fails as anywhere", async () => {
    const failures: unknown[] = [];
    const controller = new Controller({
      name: "test",
      workers: 1,
      reconcile: (_key, aside) => aside(() => Promise.reject(new Error("no answer"))),
      onFailure: (_key, error) => failures.push(error),
    });
    controller.start();
    controller.queue.add("a");
    controller.queue.add("b");
    await vi.waitFor(() => expect(failures).toHaveLength(2));
    await controller.stop();
  });
});
