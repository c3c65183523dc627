/** What the Offline author writes is served compiled: every view and kind of model that the base environment can run. */
import { expect, test } from "vitest";
import type { Task } from "../operator/api/metrics.ts";
import type { Member } from "../operator/llm/offline/members.ts";
import { planModel } from "../operator/llm/offline/model-plan.ts";
import { featuresModule } from "../operator/llm/offline/python/features.ts";
import { modelsModule } from "../operator/llm/offline/python/models.ts";
import { trainModule } from "../operator/llm/offline/python/train.ts";
import { briefing, column, number } from "../operator/llm/offline/testing.ts";
import { modelPackage, type Recipe } from "../test/builders/model-package.ts";
import { modelServer } from "../test/builders/model-server.ts";

const MEMBERS: readonly Member[] = [
  { weight: 0.3, kind: "boosting", view: "ordered", settings: { max_iter: 10 } },
  { weight: 0.2, kind: "boosting", view: "tree_crossed", settings: { max_iter: 10 } },
  { weight: 0.2, kind: "forest", view: "tree", settings: { n_estimators: 8, n_jobs: 1 } },
  { weight: 0.2, kind: "linear", view: "linear", settings: {} },
  { weight: 0.1, kind: "linear", view: "linear_bins", settings: {} },
];

function recipeOf(task: Task): Recipe {
  const regression = task === "Regression";
  const plan = planModel(
    briefing({
      task,
      target: "answer",
      ...(regression ? {} : { classes: ["no", "yes"] }),
      columns: [
        column("id", "Identifier", { distinct: 300 }),
        number("age", { type: "Integer", min: "18", max: "79", mean: 40, standardDeviation: 15 }),
        // As if it had a long right tail.
        number("income", { min: "100", max: "90000", mean: 3000, standardDeviation: 900, missing: 30 }),
        column("active", "Boolean", { distinct: 2 }),
        column("plan", "Category", { distinct: 3 }),
        column("city", "Category", { distinct: 3, missing: 60 }),
        column("code", "Category", { distinct: 3 }),
        column("since", "Date", { distinct: 200 }),
        column("ticket", "Text", { distinct: 90, missing: 30 }),
        column("until", "Date", { distinct: 70, missing: 30 }),
        number("lat", { min: "46", max: "48" }),
        number("long", { min: "6", max: "10" }),
        column("visits", "Integer", { distinct: 6, min: "0", max: "5", mean: 2, standardDeviation: 1.7 }),
      ],
    }),
  );
  expect(plan.positions).toBeDefined();
  expect(plan.crossed).not.toEqual([]);
  expect(plan.skewed).not.toEqual([]);
  expect(plan.fewValues).toEqual(["visits"]);
  const members = regression
    ? MEMBERS.map((one) => (one.view === "linear" ? { ...one, settings: { log_target: true } } : one))
    : MEMBERS;
  const files = {
    "features.py": featuresModule(plan),
    "models.py": modelsModule(plan),
    "train.py": trainModule(plan, members, 0.5),
  };
  return { files, regression };
}

test.each(["BinaryClassification", "Regression"] as const)(
  "a blend for %s",
  async (task) => {
    using model = await modelPackage("recipe", recipeOf(task));
    // Served compiled or not at all: the gate compared it with its pipeline.
    await using server = await modelServer(model.directory, { engine: "Compiled" });
    const { body } = await server.get("/v1/model");
    expect(body.runtime).toMatchObject({ ready: true, engine: "Compiled" });
    const answer = await server.post("/predict", {
      rows: [body.example, { ...body.example, ticket: null, until: null }],
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.predictions).toHaveLength(2);
  },
  600_000,
);
