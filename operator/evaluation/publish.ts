/**
 * Publishing: the winner's recipe is run on train and selection rows, that model is scored once on the final rows, next
 * to the baselines, and is put together with all that is needed to serve it, to check it and to make it again.
 */
import { candidates, find } from "../agent/journal.ts";
import type { Candidate, EntryOf, JournalDraft } from "../api/journal.ts";
import { compareScores } from "../api/metrics.ts";
import { ScoreResult } from "../api/profile.ts";
import { together } from "../engine/errors.ts";
import { dataKey, executeTrusted, type JobContext, RefusedError, sandboxLimits } from "./context.ts";
import { explainModel, permuteRows, predictPermuted } from "./explain.ts";
import { packageModel } from "./package.ts";
import { fitRecipe, predict, predictionsKey, RecipeError, refusedAs, scoringOf } from "./verify.ts";

/** A candidate, fitted on all rows but the final ones and scored on those. */
export type FinalScore = {
  readonly candidate: Candidate;
  readonly label: string;
  readonly result: ScoreResult;
};

/** The entry of what was published, or PublishFailed. Throws WaitingError while executions are under way. */
export async function publish(context: JobContext, number: number): Promise<JournalDraft> {
  const prepared = find(context.journal.entries, "DatasetPrepared");
  const candidate = candidates(context.journal.entries).find((one) => one.number === number);
  if (!prepared || !candidate) throw new Error(`candidate ${number} to be published is not in the journal`);
  try {
    return await publishCandidate(context, prepared, candidate);
  } catch (error) {
    if (!(error instanceof RecipeError)) throw error;
    const message = [error.message, error.traceback ?? error.output?.tail ?? ""].join("\n").slice(0, 2048);
    return { type: "PublishFailed", candidate: number, message };
  }
}

async function publishCandidate(
  context: JobContext,
  prepared: EntryOf<"DatasetPrepared">,
  candidate: Candidate,
): Promise<JournalDraft> {
  const baselines = candidates(context.journal.entries).filter(
    (one) => one.origin.endsWith("Baseline") && one.number !== candidate.number,
  );
  const [scores] = await together<readonly FinalScore[] | undefined>([
    scoreAll(context, prepared, candidate, baselines),
    // Beside the scores, which do not need it: what the report is made from. What fails is told by explainModel.
    unlessRecipeFails(predictForReport(context, candidate)),
  ]);
  const [winner, ...others] = scores ?? [];
  if (!winner) throw new Error("the winner has no final score");
  const compared = candidate.origin.endsWith("Baseline") ? [winner, ...others] : others;
  const baseline = bestOf(compared) ?? winner;
  const refit = context.job.spec.evaluation.publish === "Refit";
  const label = refit ? `${winner.label}-refit` : winner.label;
  if (refit) await fitRecipe(context, label, candidate.recipe, "all.csv", publishingLimits(context));
  const [explained, reference] = await together<boolean>([
    explainModel(context, prepared, winner),
    referencePredictions(context, candidate, label),
  ]);
  const warnings = warningsOf(prepared, candidate, winner, baseline);
  if (!explained) warnings.push("the model could not be explained: the report lacks curves and importances");
  if (!reference)
    throw new RecipeError("Predict", "the published model could not predict its reference rows");
  const { prefix, digest } = await packageModel(context, { prepared, winner, baseline, label });
  return {
    type: "ModelPublished",
    candidate: candidate.number,
    name: candidate.name,
    description: candidate.description,
    prefix,
    digest,
    final: winner.result,
    baseline: {
      number: baseline.candidate.number,
      score: baseline.result.score,
      standardError: baseline.result.standardError,
    },
    warnings: warnings.map((text) => text.slice(0, 512)),
  };
}

/** Time for one execution of publishing: as much as any step gets, since the reserve was kept for it. */
export function publishingLimits(context: JobContext): ReturnType<typeof sandboxLimits> {
  return sandboxLimits(context, Number.POSITIVE_INFINITY);
}

const labelOf = ({ number }: Candidate): string => `final${number}`;

/** The final scores of the winner, first, and of the baselines that can still be fitted. */
async function scoreAll(
  context: JobContext,
  prepared: EntryOf<"DatasetPrepared">,
  candidate: Candidate,
  baselines: readonly Candidate[],
): Promise<readonly FinalScore[]> {
  const predicted = await together<number | undefined>([
    predictFinal(context, candidate),
    // A baseline that fails now takes nothing from the winner.
    ...baselines.map((baseline) => unlessRecipeFails(predictFinal(context, baseline))),
  ]);
  const rivals = baselines.filter(({ number }) => predicted.includes(number));
  return together([
    scoreFinal(context, prepared, candidate, rivals),
    ...rivals.map((rival) => scoreFinal(context, prepared, rival, [])),
  ]);
}

/** Has the winner predict the rows that explain it, as soon as it is fitted. */
async function predictForReport(context: JobContext, candidate: Candidate): Promise<undefined> {
  await together<unknown>([predictFinal(context, candidate), permuteRows(context)]);
  await predictPermuted(context, { candidate, label: labelOf(candidate) });
}

/** Fits the candidate on all rows but the final ones and lets it predict those. */
async function predictFinal(context: JobContext, candidate: Candidate): Promise<number> {
  const limits = publishingLimits(context);
  await fitRecipe(context, labelOf(candidate), candidate.recipe, "development.csv", limits);
  const rows = dataKey(context.job, "final.features.csv");
  await predict(context, labelOf(candidate), candidate.recipe, rows, limits);
  return candidate.number;
}

/** Scores what the candidate predicted, and the difference to each rival on the same rows. */
async function scoreFinal(
  context: JobContext,
  prepared: EntryOf<"DatasetPrepared">,
  candidate: Candidate,
  rivals: readonly Candidate[],
): Promise<FinalScore> {
  const label = labelOf(candidate);
  const file = ({ number }: Candidate): string => `predictions-${number}.csv`;
  const request = {
    ...scoringOf(context, prepared),
    pairs: [{ labels: "labels.csv", predictions: file(candidate) }],
    versus: rivals.map((rival) => ({ name: String(rival.number), predictions: [file(rival)] })),
  };
  const inputs = {
    "labels.csv": dataKey(context.job, "final.labels.csv"),
    ...Object.fromEntries(
      [candidate, ...rivals].map((one) => [file(one), predictionsKey(context, labelOf(one))]),
    ),
  };
  const result = await refusedAs("Score", () =>
    executeTrusted(context, `${label}-score`, "score", request, { inputs }),
  );
  return { candidate, label, result: ScoreResult.parse(result) };
}

async function unlessRecipeFails<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RecipeError || error instanceof RefusedError) return undefined;
    throw error;
  }
}

function bestOf(scores: readonly FinalScore[]): FinalScore | undefined {
  return scores.reduce<FinalScore | undefined>(
    (best, one) =>
      !best || compareScores(one.result.metric, one.result.score, best.result.score) > 0 ? one : best,
    undefined,
  );
}

/** What the published model says of the probe rows: whoever loads it can tell whether it is the same model. */
async function referencePredictions(
  context: JobContext,
  candidate: Candidate,
  label: string,
): Promise<boolean> {
  const rows = dataKey(context.job, "probe.features.csv");
  await predict(context, label, candidate.recipe, rows, publishingLimits(context), "Predict", "reference");
  return context.store.exists(predictionsKey(context, label, "reference"));
}

function warningsOf(
  prepared: EntryOf<"DatasetPrepared">,
  candidate: Candidate,
  winner: FinalScore,
  baseline: FinalScore,
): string[] {
  const warnings = [...candidate.warnings];
  const { metric } = prepared;
  if (candidate.origin.endsWith("Baseline")) {
    warnings.push(
      `no candidate was better than the baseline: the ${candidate.name.toLowerCase()} is published`,
    );
    return warnings;
  }
  const gain = compareScores(metric, winner.result.score, baseline.result.score);
  const paired = winner.result.versus.find(({ name }) => name === String(baseline.candidate.number));
  if (gain < 0) {
    warnings.push(
      "on the final rows the baseline is better; the candidate was better where candidates are selected",
    );
  } else if (gain <= (paired?.standardError ?? winner.result.standardError)) {
    warnings.push(
      "the gain over the baseline on the final rows is within one standard error: it may be noise",
    );
  }
  return warnings;
}
