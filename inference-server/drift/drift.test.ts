/** Drift: what came in against the training profile. Expected indices are worked out by hand beside them. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ModelManifest } from "../../operator/api/model-manifest.ts";
import type { ColumnDistribution, TrainingProfile } from "../../operator/api/training-profile.ts";
import { FEATURES, modelPackage, ROW } from "../../test/builders/model-package.ts";
import { modelServer } from "../../test/builders/model-server.ts";
import { schemaOf } from "../schema/columns.ts";
import { checkBody } from "../schema/rows.ts";
import { DriftMonitor, MIN_ROWS } from "./monitor.ts";
import { populationStability } from "./psi.ts";

describe("the population stability index", () => {
  test.each([
    ["equal shares", [10, 30, 60], [1, 3, 6], 0],
    // 0.3 ln(0.8/0.5) - 0.3 ln(0.2/0.5) = 0.3 (0.4700036 + 0.9162907)
    ["half and half, then four to one", [50, 50], [80, 20], 0.4158883],
    // 0.05 ln(0.25/0.2) + 0.05 ln(0.35/0.3) - 0.1 ln(0.4/0.5) = 0.0111572 + 0.0077075 + 0.0223144
    ["a small change", [20, 30, 50], [25, 35, 40], 0.0411791],
    // 0.5 ln(0.5/1) for the first, and (0.5 - 0.0001) ln(0.5/0.0001) for a bin that training never saw
    ["a bin that was empty", [100, 0], [50, 50], 0.3465736 + 4.2577449],
    // (0.0001 - 0.5) ln(0.0001/0.5) + 0.5 ln 2
    ["a bin that is empty now", [50, 50], [100, 0], 4.2577449 + 0.3465736],
  ])("%s", (_, expected, actual, index) => {
    expect(populationStability(expected, actual)).toBeCloseTo(index, 6);
  });
});

const schema = schemaOf({ features: FEATURES, classes: ["no", "yes"] } as unknown as ModelManifest);
const PROFILE: ColumnDistribution[] = [
  { kind: "Numeric", name: "age", missing: 0, edges: [30, 50], counts: [30, 40, 30] },
  { kind: "Categorical", name: "active", missing: 0, values: ["True", "False"], counts: [50, 50], other: 0 },
  { kind: "Categorical", name: "plan", missing: 0, values: ["basic", "plus"], counts: [60, 30], other: 10 },
  {
    kind: "Categorical",
    name: "code",
    missing: 0,
    values: ["00123", "123.0", "456"],
    counts: [20, 30, 50],
    other: 0,
  },
  { kind: "Presence", name: "since", missing: 10, present: 90 },
  { kind: "Numeric", name: "income", missing: 20, edges: [2000], counts: [30, 50] },
];
const profileOf = (columns = PROFILE): TrainingProfile => ({ schemaVersion: 1, rows: 100, columns });
const batch = (rows: object[]) =>
  checkBody(schema, { rows: rows.map((row) => ({ ...ROW, ...row })) }, 1e6).rows;
const times = <T>(count: number, row: T) => Array.from({ length: count }, () => row);

function monitored(columns = PROFILE) {
  const clock = { at: Date.UTC(2026, 0, 31), now: () => clock.at };
  const monitor = new DriftMonitor(profileOf(columns), schema, clock, () => 0.5);
  /** So slowly that every row is looked at. */
  const slowly = (...rows: object[]) => {
    for (let start = 0; start < rows.length; start += 200) {
      clock.at += 1000;
      monitor.observe(batch(rows.slice(start, start + 200)));
    }
  };
  return { monitor, clock, slowly };
}

describe("what came in", () => {
  test("falls into the bins of training: by number, value, code and presence; rows as in training have index 0", () => {
    const { monitor, slowly } = monitored();
    const ages = [...times(300, 25), ...times(400, 50), ...times(300, 51)];
    const rows = ages.map((age, index) => ({
      age,
      active: index % 2 === 0,
      plan: index % 10 < 6 ? "basic" : index % 10 < 9 ? "plus" : "another",
      code: index % 2 === 0 ? 123 : "456",
      since: index % 10 === 0 ? null : "2026-01-31",
      income: index % 10 < 2 ? null : index % 10 < 5 ? 2000 : 2000.5,
    }));
    slowly(...rows);
    const { rows: counted, columns } = monitor.drift();
    expect(counted).toBe(1000);
    expect([...columns.keys()]).toEqual(["age", "active", "plan", "code", "since", "income"]);
    for (const [column, index] of columns) expect(index, column).toBeCloseTo(0, 9);
  });

  test("that is otherwise has the index of its shares", () => {
    const { monitor, slowly } = monitored();
    // age all in the middle bin, 40 % before; plan 60 % missing; since always missing.
    slowly(
      ...times(400, { age: 40, plan: "basic", since: null }),
      ...times(600, { age: 40, plan: null, since: null }),
    );
    const { columns } = monitor.drift();
    expect(columns.get("age")).toBeCloseTo(
      0.6 * Math.log(1 / 0.4) + 2 * (0.3 - 0.0001) * Math.log(0.3 / 0.0001),
      6,
    );
    expect(columns.get("plan")).toBeCloseTo(
      0.2 * Math.log(0.6 / 0.4) +
        (0.3 - 0.0001) * Math.log(0.3 / 0.0001) +
        (0.1 - 0.0001) * Math.log(0.1 / 0.0001) +
        (0.6 - 0.0001) * Math.log(0.6 / 0.0001),
      6,
    );
    expect(columns.get("since")).toBeCloseTo(
      0.9 * Math.log(1 / 0.1) + (0.9 - 0.0001) * Math.log(0.9 / 0.0001),
      6,
    );
  });

  test("is not judged by few rows", () => {
    const { monitor, slowly } = monitored();
    slowly(...times(MIN_ROWS - 1, {}));
    expect(monitor.drift()).toEqual({ rows: MIN_ROWS - 1, columns: new Map() });
    slowly({});
    expect(monitor.drift().columns.size).toBe(6);
  });

  test("counts for an hour, or until there are enough rows, and for a day at most", () => {
    const { monitor, clock, slowly } = monitored();
    const hours = (count: number) => {
      clock.at += count * 3_600_000;
    };
    slowly(...times(600, { age: 20 }));
    hours(2);
    expect(monitor.drift().rows).toBe(600);
    slowly(...times(600, { age: 40 }));
    expect(monitor.drift().rows).toBe(1200);
    slowly(...times(600, { age: 40 }));
    // Now the window holds enough without the first ones.
    expect(monitor.drift().rows).toBe(1200);
    hours(23);
    expect(monitor.drift().rows).toBe(1200);
    hours(2);
    expect(monitor.drift().rows).toBe(0);
  });

  test("under load is a bounded part of the rows", () => {
    const { monitor, clock } = monitored();
    const rows = batch(times(5000, {}));
    for (let second = 0; second < 10; second++) {
      clock.at += 1000;
      for (let request = 0; request < 4; request++) monitor.observe(rows);
    }
    const { rows: counted } = monitor.drift();
    expect(counted).toBeGreaterThan(0);
    expect(counted).toBeLessThanOrEqual(10 * 1000);
  });

  test("in columns that the profile does not fit is left out", () => {
    const { monitor, slowly } = monitored([
      { kind: "Numeric", name: "plan", missing: 0, edges: [1], counts: [1, 1] },
      { kind: "Categorical", name: "age", missing: 0, values: ["1"], counts: [1], other: 0 },
      { kind: "Presence", name: "nobody", missing: 0, present: 1 },
      { kind: "Presence", name: "city", missing: 0, present: 0 },
    ]);
    slowly(...times(600, {}));
    expect(monitor.drift().columns.size).toBe(0);
  });
});

test("a server tells the drift of each column as a metric", async () => {
  using model = await modelPackage("logistic");
  const body = JSON.stringify(profileOf());
  writeFileSync(join(model.directory, "profile.json"), body);
  const sha256 = createHash("sha256").update(body).digest("hex");
  model.manifest.files["profile.json"] = { sha256, size: body.length };
  writeFileSync(join(model.directory, "model.json"), JSON.stringify(model.manifest));
  await using server = await modelServer(model.directory);
  const metrics = async () => (await server.fastify.inject("/metrics")).body;
  expect((await server.post("/predict", { rows: times(300, ROW) })).status).toBe(200);
  expect(await metrics()).toMatch(/^autoai_inference_drift_rows\{[^}]*\} 300$/m);
  expect(await metrics()).not.toMatch(/^autoai_inference_drift_psi\{/m);
  expect((await server.post("/predict", { rows: times(300, { ...ROW, plan: "basic" }) })).status).toBe(200);
  // Half are "pro", which is among the others (10 %), half "basic" (60 %); none is "plus" (30 %).
  const [, index] = /^autoai_inference_drift_psi\{column="plan"[^}]*\} (\S+)$/m.exec(await metrics()) ?? [];
  const expected =
    0.4 * Math.log(0.5 / 0.1) - 0.1 * Math.log(0.5 / 0.6) + (0.3 - 0.0001) * Math.log(0.3 / 0.0001);
  expect(Number(index)).toBeCloseTo(expected, 6);
});
