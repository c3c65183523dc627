/** Explaining the winner on the final rows: curves, errors, and what each column is worth to it. */
import type { EntryOf } from "../api/journal.ts";
import { ReportData } from "../api/report-data.ts";
import {
  dataKey,
  encode,
  executeTrusted,
  executionKey,
  type JobContext,
  RefusedError,
  reportDataKey,
} from "./context.ts";
import { type FinalScore, publishingLimits } from "./publish.ts";
import { predict, predictionsKey, RecipeError, scoringOf } from "./verify.ts";

/** Leaves the numbers for the report in the store. False where the model cannot be explained: no reason not to publish. */
export async function explainModel(
  context: JobContext,
  prepared: EntryOf<"DatasetPrepared">,
  winner: FinalScore,
): Promise<boolean> {
  try {
    await context.store.put(reportDataKey(context.job), encode(await numbers(context, prepared, winner)));
    return true;
  } catch (error) {
    if (error instanceof RecipeError || error instanceof RefusedError) return false;
    throw error;
  }
}

const permutedKey = (context: JobContext): string => executionKey(context.job, "permute", "permuted.csv");

/** Rows for permutation importance; what the runner says of them is for the report. */
export function permuteRows(context: JobContext): Promise<unknown> {
  return executeTrusted(
    context,
    "permute",
    "permute",
    { features: "features.csv", output: "permuted.csv", seed: context.job.spec.evaluation.seed },
    {
      inputs: { "features.csv": dataKey(context.job, "final.features.csv") },
      outputs: { "permuted.csv": permutedKey(context) },
    },
  );
}

/** Has the model under the label predict those rows. */
export function predictPermuted(
  context: JobContext,
  { candidate, label }: Pick<FinalScore, "candidate" | "label">,
): Promise<void> {
  const limits = publishingLimits(context);
  return predict(context, label, candidate.recipe, permutedKey(context), limits, "Predict", "permuted");
}

async function numbers(
  context: JobContext,
  prepared: EntryOf<"DatasetPrepared">,
  winner: FinalScore,
): Promise<ReportData> {
  const index = await permuteRows(context);
  await predictPermuted(context, winner);
  const { label } = winner;
  const result = await executeTrusted(
    context,
    "report",
    "report",
    {
      ...scoringOf(context, prepared),
      pairs: [{ labels: "labels.csv", predictions: "predictions.csv" }],
      importance: { index, labels: "labels.csv", predictions: "permuted-predictions.csv" },
    },
    {
      inputs: {
        "labels.csv": dataKey(context.job, "final.labels.csv"),
        "predictions.csv": predictionsKey(context, label),
        "permuted-predictions.csv": predictionsKey(context, label, "permuted"),
      },
    },
  );
  return ReportData.parse(result);
}
