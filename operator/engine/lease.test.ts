import { describe, expect, test } from "vitest";
import { Election, type LeaseClock, type LeaseRecord, type LeaseStore, type StoredLease } from "./lease.ts";

/** Time that moves when a test says so; every sleeper whose time has come is woken, in order. */
class FakeClock implements LeaseClock {
  #now = 1_000_000;
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  sleep(seconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((wake) => {
      this.#sleepers.push({ at: this.#now + seconds * 1000, wake });
      signal.addEventListener("abort", () => wake(), { once: true });
    });
  }

  async pass(seconds: number): Promise<void> {
    const end = this.#now + seconds * 1000;
    for (;;) {
      await settled();
      const next = this.#sleepers.sort((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.#sleepers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = end;
    await settled();
  }
}

/** Everything that follows without time passing has followed. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

class MemoryLease implements LeaseStore {
  stored: StoredLease | undefined;
  failing = false;
  hanging = false;
  #version = 0;

  async get(): Promise<StoredLease | undefined> {
    await this.#reach();
    return this.stored;
  }

  async write(record: LeaseRecord, version: string | undefined): Promise<StoredLease | undefined> {
    await this.#reach();
    if (this.stored?.version !== version) return undefined;
    this.stored = { record, version: String(++this.#version) };
    return this.stored;
  }

  async #reach(): Promise<void> {
    if (this.hanging) await new Promise(() => undefined);
    if (this.failing) throw new Error("the API server is away");
  }
}

function candidate(identity: string, store: LeaseStore, clock: LeaseClock) {
  const stop = new AbortController();
  const state = { leads: false, ledAt: 0, lostAt: 0, ending: "" };
  const election = new Election({ store, identity, clock, random: () => 0 });
  const run = election.run(stop.signal, (lost) => {
    state.leads = true;
    state.ledAt = clock.now();
    lost.addEventListener("abort", () => {
      state.leads = false;
      state.lostAt = clock.now();
    });
  });
  void run.then((ending) => {
    state.ending = ending ?? "NeverLed";
    state.leads = false;
  });
  return {
    state,
    stop: async () => {
      stop.abort();
      await run;
      await election.release();
    },
  };
}

describe("leader election", () => {
  test("has one leader among two candidates, for as long as it renews", async () => {
    const [clock, store] = [new FakeClock(), new MemoryLease()];
    const one = candidate("one", store, clock);
    const two = candidate("two", store, clock);
    for (let second = 0; second < 120; second++) {
      await clock.pass(1);
      expect(Number(one.state.leads) + Number(two.state.leads)).toBe(1);
    }
    expect(store.stored?.record).toMatchObject({ transitions: 0, durationSeconds: 15 });
    await Promise.all([one.stop(), two.stop()]);
  });

  test("gives the lease back when asked to stop, and the next one leads within its retry period", async () => {
    const [clock, store] = [new FakeClock(), new MemoryLease()];
    const one = candidate("one", store, clock);
    await clock.pass(0);
    const two = candidate("two", store, clock);
    await clock.pass(10);
    await one.stop();
    expect(one.state.ending).toBe("Released");
    expect(store.stored?.record.holder).toBe("");
    await clock.pass(2.5);
    expect(two.state.leads).toBe(true);
    expect(store.stored?.record).toMatchObject({ holder: "two", transitions: 1 });
    await two.stop();
  });

  test("lets nobody lead while a leader that died may still hold the lease", async () => {
    const [clock, store] = [new FakeClock(), new MemoryLease()];
    await store.write(
      { holder: "dead", durationSeconds: 15, acquiredAt: 0, renewedAt: 0, transitions: 3 },
      undefined,
    );
    const two = candidate("two", store, clock);
    // Its renewal time is long ago by our clock, which may be wrong: what counts is how long we saw no renewal.
    await clock.pass(14);
    expect(two.state.leads).toBe(false);
    await clock.pass(4);
    expect(two.state.leads).toBe(true);
    expect(store.stored?.record.transitions).toBe(4);
    await two.stop();
  });

  test("goes on through failures of the API that are shorter than the deadline", async () => {
    const [clock, store] = [new FakeClock(), new MemoryLease()];
    const one = candidate("one", store, clock);
    await clock.pass(5);
    store.failing = true;
    await clock.pass(6);
    store.failing = false;
    await clock.pass(30);
    expect(one.state.leads).toBe(true);
    await one.stop();
  });

  test.each(["failing", "hanging"] as const)(
    "stops a leader before its lease runs out while the API is %s",
    async (fault) => {
      const [clock, store] = [new FakeClock(), new MemoryLease()];
      const one = candidate("one", store, clock);
      await clock.pass(5);
      const renewed = store.stored?.record.renewedAt ?? 0;
      store[fault] = true;
      await clock.pass(14);
      expect(one.state.ending).toBe("Lost");
      expect(one.state.lostAt - renewed).toBeLessThanOrEqual(12_000);
      expect(one.state.lostAt).toBeLessThan(renewed + 15_000);
    },
  );

  test("stops a leader whose lease was stolen at its next renewal", async () => {
    const [clock, store] = [new FakeClock(), new MemoryLease()];
    const one = candidate("one", store, clock);
    await clock.pass(5);
    const now = clock.now();
    await store.write(
      { holder: "thief", durationSeconds: 15, acquiredAt: now, renewedAt: now, transitions: 9 },
      store.stored?.version,
    );
    await clock.pass(2.5);
    expect(one.state.ending).toBe("Lost");
    expect(store.stored?.record.holder).toBe("thief");
  });

  test("keeps a lease whose object somebody else only touched", async () => {
    const [clock, store] = [new FakeClock(), new MemoryLease()];
    const one = candidate("one", store, clock);
    await clock.pass(5);
    const stored = store.stored;
    if (stored) await store.write(stored.record, stored.version);
    await clock.pass(30);
    expect(one.state.leads).toBe(true);
    await one.stop();
  });

  test("ends without ever having led when it is stopped while it waits", async () => {
    const [clock, store] = [new FakeClock(), new MemoryLease()];
    const one = candidate("one", store, clock);
    await clock.pass(1);
    const two = candidate("two", store, clock);
    await clock.pass(1);
    await two.stop();
    expect(two.state.ending).toBe("NeverLed");
    expect(store.stored?.record.holder).toBe("one");
    await one.stop();
  });
});
