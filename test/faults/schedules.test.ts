/** Seeded schedules of faults in virtual time: a few of those that `make faults` goes through. */
import { expect, test, vi } from "vitest";
import { runSchedule } from "./embedded/run.ts";
import { CALM, type Episode, FAULTS, type Fault, type Schedule, type Seam } from "./embedded/schedule.ts";
import { Tally, tell } from "./embedded/table.ts";
import type { Broken } from "./embedded/world.ts";

// They take what processor time there is, and no more than half a minute of it.
vi.setConfig({ testTimeout: 900_000 });

const SCHEDULES = 40;

/** The fault at several moments, of which one is the wrong one. */
function schedules(fault: Pick<Episode, "seam" | "fault" | "share">): Schedule[] {
  return Array.from({ length: 20 }, (_, index) => {
    const from = 10 + 2 * index;
    return { ...CALM, episodes: [{ ...fault, from, until: from + 60 }] };
  });
}

/** Of the first schedule in which there are any. */
async function violations(schedules: readonly Schedule[], broken: Broken): Promise<readonly string[]> {
  for (const schedule of schedules) {
    const { violations: found } = await runSchedule(schedule, broken);
    if (found.length > 0) return found;
  }
  return [];
}

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
  const full = schedules({ seam: "store", fault: "full", share: 0.8 });
  expect(await violations(full.slice(0, 4), {})).toEqual([]);
  expect((await violations(full, { replies: "forgotten" })).join()).toMatch(/paid \d+ times for reply/);
});

test("notices a journal that the second of two operators writes over", async () => {
  const both = [{ ...CALM, operators: 2, elected: false }];
  expect(await violations(both, {})).toEqual([]);
  expect((await violations(both, { create: "overwrites" })).join()).toContain(
    "not the one that was written first",
  );
});

test("notices a pod that runs again what had run: one that was asked for long before", async () => {
  const late = schedules({ seam: "pods", fault: "late", share: 0.3 });
  expect(await violations(late.slice(0, 4), {})).toEqual([]);
  expect((await violations(late, { couriers: "blind" })).join()).toContain("ran 2 times");
});

test("notices what a courier leaves that outlives its pod, and its deleted job", async () => {
  const deleted = Array.from({ length: 40 }, (_, index): Schedule => {
    const incidents = [{ at: 8 + index, type: "job deleted" } as const];
    return { ...CALM, seed: index, incidents };
  });
  expect(await violations(deleted.slice(0, 4), {})).toEqual([]);
  expect((await violations(deleted, { ends: "forced" })).join()).toMatch(/executions\/.* is left/);
});

test("notices predictions that are not in the log of their deployment", async () => {
  expect((await violations([CALM], { log: "elsewhere" })).join()).toContain("is 0 times in the log, not 1");
});

test("a deployment that is deleted takes its log with it, whatever its servers still send, and whoever hears late of them", async () => {
  const schedules = Array.from({ length: 6 }, (_, index): Schedule => {
    const at = 120 + 3 * index;
    return {
      ...{ ...CALM, seed: index },
      episodes: [
        { seam: "watch", fault: index % 2 === 0 ? "410" : "delay", from: at - 5, until: at + 40, share: 1 },
      ],
      incidents: [
        { at: at - 1, type: "server lost", server: 0 },
        { at, type: "deployment deleted", again: 60 },
      ],
    };
  });
  expect(await violations(schedules, {})).toEqual([]);
});
