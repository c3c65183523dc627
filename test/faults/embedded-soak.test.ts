/**
 * Hours of jobs in virtual time, one each minute: memory, timers, queue, objects and what lies in the store come back to where they were.
 * AUTOAI_SOAK_MINUTES says how long; `make soak` takes four hours. What no clock of ours can hurry (sockets, watches, files) is soak.test.ts's.
 */
import { expect, test, vi } from "vitest";
import { Dataset } from "../../operator/api/dataset.ts";
import { type Measured, type Soaked, soak } from "./embedded/soak.ts";
import { NAMESPACE, type World } from "./embedded/world.ts";

vi.setConfig({ testTimeout: 3_600_000 });

const MINUTES = Number(process.env.AUTOAI_SOAK_MINUTES ?? 3);
/** What a heap may have more in any case: code that is compiled on the way, and the operator's caches, which have bounds of their own. */
const HEAP_BYTES = 8 * 1024 ** 2;
/** And for each job. */
const JOB_BYTES = 16 * 1024;
/** Leases are renewed, and a deployment is looked at again, whatever jobs do. */
const TIMERS = 2;

/** What has not come back to where it was, by its kind. */
function leaks({ jobs, before, after, violations }: Soaked): string[] {
  const more = (of: "objects" | "keys"): boolean => after[of].some((one) => !before[of].includes(one));
  const found: readonly (readonly [string, boolean])[] = [
    ["memory", after.heapBytes - before.heapBytes > HEAP_BYTES + jobs * JOB_BYTES],
    ["timers", after.timers > before.timers + TIMERS],
    ["queue", after.queued > before.queued],
    ["objects", more("objects")],
    ["keys", more("keys")],
  ];
  return [...found.flatMap(([what, isLeaking]) => (isLeaking ? [what] : [])), ...violations];
}

test(`after ${MINUTES} minutes of jobs, one each minute, everything is back to where it was`, async () => {
  expect(leaks(await soak(MINUTES))).toEqual([]);
});

test("what is left of every job is noticed, of each kind", async () => {
  const kept: unknown[] = [];
  const plant = (world: World, name: string): void => {
    kept.push(Array.from({ length: 400_000 }, (_, number) => ({ name, number })));
    for (let count = 0; count < 2; count++) setTimeout(() => undefined, 1e9);
    void world.store.put(`jobs/${NAMESPACE}/${name}/left.json`, new Uint8Array());
    world.cluster.apply(
      Dataset.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "Dataset",
        metadata: { name, namespace: NAMESPACE },
        spec: { source: { uri: "https://example.org/rows.csv" } },
      }),
    );
  };
  expect(leaks(await soak(2, plant))).toEqual(["memory", "timers", "objects", "keys"]);
  const queued = (measured: Measured): Measured => ({ ...measured, queued: measured.queued + 1 });
  const some = { heapBytes: 0, timers: 0, queued: 0, objects: [], keys: [] };
  expect(leaks({ jobs: 1, before: some, after: queued(some), violations: [] })).toEqual(["queue"]);
});
