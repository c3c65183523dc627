/** Seeded schedules of faults in virtual time: a few of those that `make faults` goes through. */
import { expect, test, vi } from "vitest";
import { runSchedule } from "./embedded/run.ts";
import { FAULTS, type Fault, type Seam } from "./embedded/schedule.ts";
import { Tally, tell } from "./embedded/table.ts";

// They take what processor time there is, and no more than half a minute of it.
vi.setConfig({ testTimeout: 900_000 });

const SCHEDULES = 40;
/** With a store that takes nothing while the LLM answers. */
const FULL_STORE = 106;
/** With pods that are made by requests long given up, after what they were to run was run. */
const LATE_PODS = 67;

test(`whatever goes wrong, jobs end as they must, once, and leave nothing: seeds 1 to ${SCHEDULES}`, async () => {
  const tally = new Tally();
  for (let seed = 1; seed <= SCHEDULES; seed++) tally.add(await runSchedule(seed));
  expect(tally.broken.flatMap(tell)).toEqual([]);
});

const CERTAIN = (Object.keys(FAULTS) as Seam[]).flatMap((seam) =>
  FAULTS[seam].map((fault) => [fault, seam] as const),
);

test.each(CERTAIN)(
  "a job gets over %s at the %s, met by every call for a minute",
  async (fault: Fault, seam) => {
    const run = await runSchedule({
      seed: 1,
      operators: 1,
      elected: true,
      maxSeconds: 3600,
      episodes: [{ seam, fault, from: 15, until: 75, share: 1 }],
      incidents: [],
    });
    expect(tell(run)).toEqual(["seed 1: held"]);
    expect(run.struck.get(`${fault} at the ${seam}`)).toBeGreaterThan(0);
  },
);

test("the same seed makes the same run, to the last write", async () => {
  const [one, other] = [await runSchedule(7), await runSchedule(7)];
  expect(one.story.length).toBeGreaterThan(100);
  expect(other.story).toEqual(one.story);
});

test("notices that replies are paid for again which the store would not take", async () => {
  const { violations } = await runSchedule(FULL_STORE, { replies: "forgotten" });
  expect(violations.join()).toContain("one operator paid 2 times for reply 1");
});

test("notices that a journal is written over by the second of two operators", async () => {
  const both = { seed: 1, operators: 2, elected: false, maxSeconds: 3600, episodes: [], incidents: [] };
  expect((await runSchedule(both)).violations).toEqual([]);
  expect((await runSchedule(both, { create: "overwrites" })).violations.join()).toContain(
    "is not the one that was written first",
  );
});

test("notices a pod that runs again what had run", async () => {
  expect((await runSchedule(LATE_PODS)).violations).toEqual([]);
  const { violations } = await runSchedule(LATE_PODS, { couriers: "blind" });
  expect(violations.join()).toContain("ran 2 times");
});
