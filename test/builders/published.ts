/** A published model package of the job team/churn, as the store holds it: real digests, no model. */
import { encode, sha256 } from "../../operator/evaluation/context.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import { modelManifest } from "./model-manifest.ts";

/** The files of the package but model.json. */
export const FILES: Readonly<Record<string, string>> = {
  "trained_model.joblib": "weights",
  "recipe/train.py": "fit()",
  "lock.txt": "",
};
export const MANIFEST = encode(
  modelManifest({
    metric: "Rmse",
    files: Object.fromEntries(
      Object.entries(FILES).map(([path, content]) => [
        path,
        { sha256: sha256(content), size: content.length },
      ]),
    ),
  }),
);
export const DIGEST = sha256(MANIFEST);
/** Where it lies in the store. */
export const PREFIX = `models/team/churn/${DIGEST}`;

export async function publishTo(store: Pick<ArtifactStore, "put">): Promise<void> {
  for (const [path, content] of Object.entries(FILES)) await store.put(`${PREFIX}/${path}`, encode(content));
  await store.put(`${PREFIX}/model.json`, MANIFEST);
}
