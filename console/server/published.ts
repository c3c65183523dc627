/** The package of a job's model, as it lies in the store. */
import { JournalEntry } from "../../operator/api/journal.ts";
import { ModelManifest } from "../../operator/api/model-manifest.ts";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import { journalPrefix, readJson } from "../../operator/evaluation/context.ts";
import { MANIFEST_FILE } from "../../operator/evaluation/package.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import { ConsoleError } from "./errors.ts";
import { examplesOf } from "./examples.ts";
import type { Models } from "./gateway.ts";

type Reading = Pick<ArtifactStore, "get" | "list">;

export function publishedModels(store: Reading): Pick<Models, "manifest" | "examples"> {
  const manifestOf = (prefix: string) => readJson(store, `${prefix}/${MANIFEST_FILE}`, ModelManifest);
  return {
    manifest: async (job) => manifestOf(await prefixOf(store, job)),
    async examples(job) {
      const prefix = await prefixOf(store, job);
      return examplesOf(await manifestOf(prefix), await store.get(`${prefix}/reference.csv`));
    },
  };
}

/** Read from the end: a journal has hundreds of entries, and publishing is among the last. */
async function prefixOf(store: Reading, job: TrainingJob): Promise<string> {
  for (const key of (await store.list(`${journalPrefix(job)}/`)).reverse()) {
    const entry = await readJson(store, key, JournalEntry);
    if (entry.type === "ModelPublished") return entry.prefix;
  }
  throw new ConsoleError("Missing", `the job ${job.metadata.name} has published no model`);
}
