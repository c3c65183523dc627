/** What the driver on a cluster would notice, and what it excuses; that its plans follow from their seeds. */
import { describe, expect, test } from "vitest";
import { attemptFaults, leftoverFaults, paidFaults } from "./account.ts";
import { type Incident, phaseOf, planOf, VICTIMS, type Victim } from "./plan.ts";
import type { SeenPod } from "./sight.ts";
import type { Strike } from "./strikes.ts";

const asked = (step: number, at: number) => ({ job: "churn", step, at });
const pod = (name: string, at: number): SeenPod => ({
  ...{ name, uid: name, at, job: "churn", hasCode: true, isGone: false },
  execution: name.replace(/-2$/, ""),
});
const strike = (victim: Victim, at: number, of?: string): Strike => ({
  ...{ at, until: at, pod: of },
  incident: { victim, signal: "SIGKILL", phase: "verification", job: 0, delay: 0, seconds: 1 },
});
const STEP = "churn-01234567-s3c0-fold1-fit";
const TWICE = [pod(STEP, 1_000), pod(`${STEP}-2`, 3_000)];

describe("tokens", () => {
  test("that were paid for again while the operator was well are told of", () => {
    expect(paidFaults([asked(1, 10), asked(2, 20), asked(2, 40)], [])).toEqual([
      "churn: paid again for reply 2, with its operator well",
    ]);
    expect(paidFaults([asked(2, 20), asked(2, 40)], [{ at: 50 }])).toHaveLength(1);
  });

  test("of a reply that was in flight when an operator ended are excused", () => {
    expect(paidFaults([asked(1, 10), asked(2, 20), asked(2, 40)], [{ at: 30 }])).toEqual([]);
  });
});

describe("a step", () => {
  test("with a second pod, where nothing had hit the first, is told of", () => {
    expect(attemptFaults(TWICE, [], [])).toEqual([
      `${STEP} had the pod ${STEP}-2 after ${STEP}, which nothing had hit`,
    ]);
    // Another step's, the operator's, and one that came later.
    const others = [strike("courier", 2_000, "other"), strike("operator", 2_000), strike("MinIO", 4_000)];
    expect(attemptFaults(TWICE, [], others)).toHaveLength(1);
  });

  test("whose pod was hit, or lost the store, is excused", () => {
    expect(attemptFaults(TWICE, [], [strike("courier", 2_000, STEP)])).toEqual([]);
    expect(attemptFaults(TWICE, [], [strike("MinIO", 2_000)])).toEqual([]);
  });

  test("that failed once is told of unless its pod was hit", () => {
    const failed = [{ label: "s3c0-fold1-fit", at: 2_500, said: "{}" }];
    expect(attemptFaults([pod(STEP, 1_000)], failed, [strike("courier", 2_000, "other")])).toEqual([
      "s3c0-fold1-fit failed, and nothing explains that: {}",
    ]);
    expect(attemptFaults([pod(STEP, 1_000)], failed, [strike("courier", 2_000, STEP)])).toEqual([]);
  });
});

test("what was not there before is told of, in the namespace and in the store", () => {
  const before = { objects: ["pod/store"], keys: ["jobs/a"] };
  expect(leftoverFaults(before, before)).toEqual([]);
  const after = { objects: ["pod/store", "secret/grants"], keys: ["jobs/a", "models/b"] };
  expect(leftoverFaults(before, after)).toEqual(["secret/grants is left", "models/b is left"]);
});

describe("a plan", () => {
  test("follows from its seed, and hits each victim first in turn, in a phase in which it is there", () => {
    const victims = Object.keys(VICTIMS);
    const plans = victims.map((_, seed) => planOf(seed));
    expect(victims.map((_, seed) => planOf(seed))).toEqual(plans);
    expect(plans.map(({ incidents }) => incidents[0]?.victim)).toEqual(victims);
    const all = Array.from({ length: 200 }, (_, seed) => planOf(seed));
    const isSound = ({ victim, phase }: Incident) => (VICTIMS[victim] as readonly string[]).includes(phase);
    expect(all.flatMap(({ incidents }) => incidents).every(isSound)).toBe(true);
    const asksNobody = all.filter(
      ({ isServed, incidents }) => !isServed && incidents.some(({ phase }) => phase === "serving"),
    );
    expect(asksNobody).toEqual([]);
  });

  test("knows a phase by the name of its pod", () => {
    const labels = {
      split: "intake",
      "prior-holdout-predict": "baselines",
      s2c0: "tool execution",
      "s3c0-holdout-fit-2": "verification",
      "final0-fit": "publishing",
    };
    for (const [label, phase] of Object.entries(labels))
      expect(phaseOf(`churn-0123abcd-${label}`)).toBe(phase);
    expect(phaseOf("served-8-cfffbbdf9-vcvxl")).toBeUndefined();
    expect(phaseOf("store")).toBeUndefined();
  });
});
