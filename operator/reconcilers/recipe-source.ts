/** Another job's published recipe, for `spec.recipeFrom`. */
import { candidates, find, Journal } from "../agent/journal.ts";
import type { Recipe } from "../api/journal.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { StalledError, WaitingError } from "../engine/errors.ts";
import { type JobContext, journalPrefix } from "../evaluation/context.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";

export type NamedRecipe = { readonly recipe: Recipe; readonly name: string; readonly description: string };
/** The recipe that the job's `recipeFrom` names; WaitingError until it is published. */
export type Recipes = (context: JobContext) => Promise<NamedRecipe>;

export function recipesOf(cluster: Cluster, store: ArtifactStore): Recipes {
  return async ({ job }) => {
    const key = `${job.metadata.namespace ?? "default"}/${job.spec.recipeFrom}`;
    const from = await cluster.get("TrainingJob", key);
    if (!from)
      throw new StalledError(
        "RecipeNotFound",
        `spec.recipeFrom names TrainingJob ${key}, which does not exist`,
      );
    const journal = await Journal.load(store, journalPrefix(from), { now: () => 0 }, 0);
    const published = find(journal.entries, "ModelPublished");
    const candidate = candidates(journal.entries).find(({ number }) => number === published?.candidate);
    if (candidate) {
      return { recipe: candidate.recipe, name: candidate.name, description: candidate.description };
    }
    if (find(journal.entries, "JobFinished")) {
      throw new StalledError(
        "RecipeNotPublished",
        `TrainingJob ${key} ended without a model, so it has no recipe to train`,
      );
    }
    throw new WaitingError("RecipeNotReady", `waiting for TrainingJob ${key} to publish its recipe`);
  };
}
