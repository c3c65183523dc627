/** The journal protocol: every state that its model can come to, and the product taken the same ways. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import { FileStore } from "../../../operator/storage/file-store.ts";
import { MemoryStore } from "../../../operator/storage/memory-store.ts";
import { explore } from "./explore.ts";
import type { Bounds, Flaw, Step } from "./protocol.ts";
import { Replay } from "./replay.ts";

vi.setConfig({ testTimeout: 600_000 });

const ONE_STEP: Bounds = { steps: 1, operators: 2, faults: 1 };
const TWO_STEPS: Bounds = { steps: 2, operators: 2, faults: 1 };
/** Enough for the shortest way to each flaw. */
const TWO_FAULTS: Bounds = { steps: 2, operators: 2, faults: 2 };

test.each([ONE_STEP, TWO_STEPS])("no state breaks an invariant, and none is stuck: %o", (bounds) => {
  const { broken, states } = explore(bounds);
  expect(broken).toBeUndefined();
  expect(states).toBeGreaterThan(1000);
});

test.each<[Flaw, RegExp]>([
  ["unconditional put", /written over/],
  ["look, then put", /written over/],
  ["runs before it is written", /ran before its reply was in the journal/],
  ["forgets what it paid for", /paid for again without need/],
  ["no lease", /paid for again without need/],
  ["executions named by operator", /ran more than once/],
])("a protocol with the flaw is found out: %s", (flaw, what) => {
  expect(explore(TWO_FAULTS, flaw).broken?.what).toMatch(what);
});

const every = (nth: number, traces: Iterable<readonly Step[]>): (readonly Step[])[] =>
  [...traces].filter((_trace, index) => index % nth === 0);

test("the product agrees with the model at every step, on a way through each state of one step of a job", async () => {
  for (const trace of explore(ONE_STEP).traces()) await Replay.of(trace, ONE_STEP, new MemoryStore());
});

test("and on every twentieth way through two steps", async () => {
  for (const trace of every(20, explore(TWO_STEPS).traces()))
    await Replay.of(trace, TWO_STEPS, new MemoryStore());
});

test("and with a store of files, on some", async () => {
  const folder = mkdtempSync(join(tmpdir(), "replay-"));
  try {
    for (const [index, trace] of every(25, explore(ONE_STEP).traces()).entries())
      await Replay.of(trace, ONE_STEP, new FileStore(join(folder, String(index))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Writes what is to be written only where nothing stands, whatever stands there. */
class Careless extends MemoryStore {
  override async create(...[key, body]: Parameters<ArtifactStore["create"]>): Promise<boolean> {
    await this.put(key, body);
    return true;
  }
}

test("a product whose store writes over what stands there does not agree with the model", async () => {
  const replays = every(10, explore(ONE_STEP).traces()).map((trace) =>
    Replay.of(trace, ONE_STEP, new Careless()),
  );
  const results = await Promise.allSettled(replays);
  const differences = results.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
  expect(differences.length).toBeGreaterThan(0);
  expect(differences.every((text) => text.includes("the model has"))).toBe(true);
});
