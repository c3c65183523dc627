import { describe, expect, test } from "vitest";
import { ModelManifest } from "./model-manifest.ts";

const SHA = "0".repeat(64);

const GOOD: ModelManifest = {
  schemaVersion: 1,
  name: "Gradient boosting of churn",
  description: "Predicts who leaves.",
  task: "BinaryClassification",
  target: "Churn",
  classes: ["0", "1"],
  metric: "RocAuc",
  features: [
    { name: "Age", type: "Integer", nullable: false, min: "18", max: "70", example: 35 },
    { name: "Contract", type: "Category", nullable: true, categories: ["Annual"], example: "Annual" },
  ],
  scores: { verified: 0.8, standardError: 0.01, final: 0.79, finalStandardError: 0.02, baselineFinal: 0.77 },
  provenance: {
    job: { name: "churn" },
    datasetSha256: SHA,
    split: { by: "Random", method: "CrossValidation", folds: 5, seed: 0, finalPercent: 20 },
    publish: "AsScored",
    rows: 1600,
    origin: "Agent",
    recipe: SHA,
    environment: SHA,
    operatorVersion: "0.1.0",
    llm: { provider: "Offline", model: "offline-1" },
    createdAt: "2026-01-02T03:04:05Z",
  },
  files: { "trained_model.joblib": { sha256: SHA, size: 10 } },
};

describe("model.json", () => {
  test("holds what a model package says of itself", () => expect(ModelManifest.parse(GOOD)).toEqual(GOOD));

  test.each<[string, object]>([
    ["a classifier without classes", { classes: [] }],
    ["a regressor with classes", { task: "Regression", metric: "Rmse" }],
    ["its target among the features", { target: "Age" }],
    ["a field that nobody knows", { colour: "red" }],
    ["a digest that is none", { files: { "model.onnx": { sha256: "abc", size: 1 } } }],
    ["no feature", { features: [] }],
  ])("is refused with %s", (_, change) => {
    expect(ModelManifest.safeParse({ ...GOOD, ...change }).success).toBe(false);
  });
});
