/** A published model package of the job team/churn, as the store holds it: real digests, no model. */
import { encode, sha256 } from "../../operator/evaluation/context.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";

/** The files of the package but model.json. */
export const FILES: Readonly<Record<string, string>> = {
  "trained_model.joblib": "weights",
  "recipe/train.py": "fit()",
  "lock.txt": "",
};
export const MANIFEST = encode({
  schemaVersion: 1,
  name: "m",
  description: "",
  task: "Regression",
  target: "y",
  classes: [],
  metric: "Rmse",
  features: [{ name: "x", type: "Number", nullable: false, example: 1 }],
  scores: { verified: 1, standardError: 0, final: 1, finalStandardError: 0, baselineFinal: 1 },
  provenance: {
    job: { name: "churn" },
    datasetSha256: "0".repeat(64),
    split: { by: "Random", method: "Holdout", folds: 0, seed: 0, finalPercent: 20 },
    publish: "AsScored",
    rows: 10,
    origin: "Agent",
    recipe: "0".repeat(64),
    environment: "e",
    operatorVersion: "0",
    createdAt: "2026-01-01T00:00:00Z",
  },
  files: Object.fromEntries(
    Object.entries(FILES).map(([path, content]) => [path, { sha256: sha256(content), size: content.length }]),
  ),
});
export const DIGEST = sha256(MANIFEST);
/** Where it lies in the store. */
export const PREFIX = `models/team/churn/${DIGEST}`;

export async function publishTo(store: Pick<ArtifactStore, "put">): Promise<void> {
  for (const [path, content] of Object.entries(FILES)) await store.put(`${PREFIX}/${path}`, encode(content));
  await store.put(`${PREFIX}/model.json`, MANIFEST);
}
