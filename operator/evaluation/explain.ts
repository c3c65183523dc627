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

async function numbers(
  context: JobContext,
  prepared: EntryOf<"DatasetPrepared">,
  { candidate, label }: FinalScore,
): Promise<ReportData> {
  const { job } = context;
  const features = dataKey(job, "final.features.csv");
  const labels = dataKey(job, "final.labels.csv");
  const permuted = executionKey(job, "permute", "permuted.csv");
  const index = await executeTrusted(
    context,
    "permute",
    "permute",
    { features: "features.csv", output: "permuted.csv", seed: job.spec.evaluation.seed },
    { inputs: { "features.csv": features }, outputs: { "permuted.csv": permuted } },
  );
  await predict(context, label, candidate.recipe, permuted, publishingLimits(context), "Predict", "permuted");
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
        "labels.csv": labels,
        "predictions.csv": predictionsKey(context, label),
        "permuted-predictions.csv": predictionsKey(context, label, "permuted"),
      },
    },
  );
  return ReportData.parse(result);
}
