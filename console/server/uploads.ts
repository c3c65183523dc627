/** What uploads into a home and into a store have in common. */
import type { Dataset } from "../../operator/api/dataset.ts";
import { datasetKeys } from "../../operator/reconcilers/dataset.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import { ConsoleError } from "./errors.ts";

/** The Dataset, if it is one that waits for its file. Throws ConsoleError where it is none, or has its file. */
export async function waiting(dataset: Dataset, store: Pick<ArtifactStore, "exists">): Promise<Dataset> {
  const { name } = dataset.metadata;
  if (dataset.spec.source.upload !== true) {
    throw new ConsoleError("Conflict", `${name} is no data set that is uploaded: its source is another`);
  }
  if (await store.exists(datasetKeys(dataset).source)) {
    throw new ConsoleError("Conflict", `${name} has its file already`);
  }
  return dataset;
}
