/** A model.json for tests of what is made of it: valid, of job `churn`; only what matters is said. */
import { ModelManifest } from "../../operator/api/model-manifest.ts";

type Fields = Omit<Partial<ModelManifest>, "scores" | "provenance"> & {
  readonly scores?: Partial<ModelManifest["scores"]>;
  readonly provenance?: Partial<ModelManifest["provenance"]>;
};

export function modelManifest({ scores, provenance, ...fields }: Fields = {}): ModelManifest {
  return ModelManifest.parse({
    schemaVersion: 1,
    name: "m",
    description: "",
    task: "Regression",
    target: "y",
    classes: [],
    metric: "R2",
    features: [{ name: "x", type: "Number", nullable: false, example: 1 }],
    ...fields,
    scores: {
      verified: 0.8,
      standardError: 0,
      final: 0.8,
      finalStandardError: 0,
      baselineFinal: 0.7,
      ...scores,
    },
    provenance: {
      job: { name: "churn" },
      datasetSha256: "0".repeat(64),
      split: { by: "Random", method: "Holdout", folds: 0, seed: 0, finalPercent: 20 },
      publish: "AsScored",
      rows: 100,
      origin: "Agent",
      recipe: "0".repeat(64),
      environment: "e",
      operatorVersion: "0",
      createdAt: "2026-01-01T00:00:00Z",
      ...provenance,
    },
    files: fields.files ?? { "trained_model.joblib": { sha256: "0".repeat(64), size: 10 } },
  });
}
