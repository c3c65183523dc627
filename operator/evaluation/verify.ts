/**
 * Verification: the operator runs a recipe on rows that it chose, lets the model predict rows whose labels generated
 * code did not get, and scores the predictions in trusted code.
 */
import { bestCandidate, candidates, find } from "../agent/journal.ts";
import type { Candidate, EntryOf, Recipe } from "../api/journal.ts";
import { ScoreResult } from "../api/profile.ts";
import { together } from "../engine/errors.ts";
import type { Limits, Outcome, Output } from "../sandbox/executor.ts";
import {
  dataKey,
  execute,
  executeTrusted,
  executionKey,
  type JobContext,
  named,
  RefusedError,
  sandboxLimits,
} from "./context.ts";

export type Stage = "Entry" | "Fit" | "Load" | "Predict" | "Robustness" | "Score";

/** The recipe's fault, told to whoever wrote it. */
export class RecipeError extends Error {
  override readonly name = "RecipeError";
  readonly stage: Stage;
  readonly output: Output | undefined;
  readonly traceback: string | undefined;
  constructor(stage: Stage, message: string, outcome?: Outcome) {
    super(message);
    this.stage = stage;
    this.output = outcome?.output;
    this.traceback = outcome?.traceback;
  }
}

/** One division of rows: what the recipe learns from, and what its model then predicts. */
export type Division = {
  readonly name: string;
  readonly train: string;
  readonly features: string;
  readonly labels: string;
  /** Which of the rows the agent could read; only where folds mix both. */
  readonly seen?: string;
};

export type Verification = Pick<
  Candidate,
  "verified" | "predictions" | "fitSeconds" | "seconds" | "warnings"
>;

export const MODEL_FILE = "trained_model.joblib";
/** The same model as an ONNX graph, where the recipe writes one: served behind a gate, which knows the model's answers. */
export const ONNX_FILE = "model.onnx";

/**
 * Verifies one recipe. Throws WaitingError while executions are under way, RecipeError where the recipe is at fault.
 * May be called any number of times with the same label: what ran does not run again.
 * @param seconds what is left of the budget for this
 */
export async function verify(
  context: JobContext,
  label: string,
  recipe: Recipe,
  seconds: number,
): Promise<Verification> {
  const prepared = find(context.journal.entries, "DatasetPrepared");
  if (!prepared) throw new Error("verification before the data set was prepared");
  if (!recipe.files.some((file) => file.path === recipe.entry)) {
    const paths = recipe.files.map((file) => file.path).join(", ") || "none";
    throw new RecipeError(
      "Entry",
      `the entry script ${recipe.entry} was not written with write_python_file; files: ${paths}`,
    );
  }
  const started = context.journal.entries.at(-1)?.elapsedSeconds ?? 0;
  const [first, ...rest] = divisions(prepared);
  if (!first) throw new Error("no rows to verify on");
  const whole = sandboxLimits(context, seconds);
  // Folds run side by side, on a core each.
  const limits = prepared.method === "CrossValidation" ? { ...whole, cpus: 1 } : whole;

  // The first division alone: what fails, fails cheaply.
  const fitted = await fitRecipe(context, `${label}-${first.name}`, recipe, first.train, limits);
  const [, ...outcomes] = await together<Fitted | undefined>([
    probe(context, `${label}-${first.name}`, recipe, limits).then(() => undefined),
    predict(context, `${label}-${first.name}`, recipe, dataKey(context.job, first.features), limits).then(
      () => fitted,
    ),
    ...rest.map((division) => fitAndPredict(context, `${label}-${division.name}`, recipe, division, limits)),
  ]);
  const all = [first, ...rest];
  const predictions = all.map((division) => predictionsKey(context, `${label}-${division.name}`));
  const verified = await score(context, `${label}-score`, prepared, all, predictions);
  const warnings = verified.memorised
    ? ["the recipe knows rows that the agent has seen: it is scored on the others alone"]
    : [];
  return {
    verified,
    predictions,
    warnings,
    fitSeconds: Math.max(...outcomes.flatMap((outcome) => (outcome ? [outcome.seconds] : []))),
    seconds: Math.round((context.journal.elapsedSeconds() - started) * 10) / 10,
  };
}

function divisions(prepared: EntryOf<"DatasetPrepared">): Division[] {
  if (prepared.method === "Holdout") {
    return [
      {
        name: "holdout",
        train: "train.csv",
        features: "selection.features.csv",
        labels: "selection.labels.csv",
      },
    ];
  }
  return Array.from({ length: prepared.folds }, (_, fold) => ({
    name: `fold${fold}`,
    train: `fold-${fold}.train.csv`,
    features: `fold-${fold}.features.csv`,
    labels: `fold-${fold}.labels.csv`,
    seen: `fold-${fold}.seen.csv`,
  }));
}

type Fitted = { readonly seconds: number };

async function fitAndPredict(
  context: JobContext,
  label: string,
  recipe: Recipe,
  division: Division,
  limits: Limits,
): Promise<Fitted> {
  const fitted = await fitRecipe(context, label, recipe, division.train, limits);
  await predict(context, label, recipe, dataKey(context.job, division.features), limits);
  return fitted;
}

/** Runs the recipe on a data file of the job, in a clean workspace; the model lies under the label afterwards. */
export async function fitRecipe(
  context: JobContext,
  label: string,
  recipe: Recipe,
  train: string,
  limits: Limits,
): Promise<Fitted> {
  const outcome = await execute(context, {
    kind: "Sandboxed",
    ...named(context, `${label}-fit`, limits),
    command: [recipe.entry],
    environment: recipe.environment,
    inputs: {
      ...sources(recipe),
      "data/train.csv": dataKey(context.job, train),
      "data/task.json": dataKey(context.job, "task.json"),
    },
    outputs: { [MODEL_FILE]: modelKey(context, label), [ONNX_FILE]: onnxKey(context, label) },
  });
  if (outcome.ended !== "Completed" || outcome.exitCode !== 0) {
    throw new RecipeError(
      "Fit",
      `${recipe.entry}, run by the operator in a clean workspace with data/train.csv, ${explain(outcome)}`,
      outcome,
    );
  }
  if (!(await isKept(context, modelKey(context, label)))) {
    throw new RecipeError(
      "Fit",
      `${recipe.entry} ended well but left no ${MODEL_FILE} in its working directory`,
      outcome,
    );
  }
  return { seconds: outcome.seconds };
}

/** Whether an execution that has ended left the file. What it left stays, so it is looked for once. */
async function isKept({ store, kept }: JobContext, key: string): Promise<boolean> {
  if (kept?.get(key)) return true;
  const found = await store.exists(key);
  if (found) kept?.put(key, true, key);
  return found;
}

/** Loads the model in a fresh process and predicts the rows at `rowsKey`; the predictions lie under the label. */
export async function predict(
  context: JobContext,
  label: string,
  recipe: Recipe,
  rowsKey: string,
  limits: Limits,
  stage: Stage = "Predict",
  name = "predict",
): Promise<void> {
  const outcome = await execute(context, {
    kind: "Sandboxed",
    // On one core: predicting is little work, and several go on side by side.
    ...named(context, `${label}-${name}`, { ...limits, cpus: 1 }),
    command: [
      "@predict",
      "--model",
      MODEL_FILE,
      "--entry",
      recipe.entry,
      "--input",
      "rows.csv",
      "--output",
      "predictions.csv",
    ],
    environment: recipe.environment,
    inputs: { ...sources(recipe), [MODEL_FILE]: modelKey(context, label), "rows.csv": rowsKey },
    outputs: { "predictions.csv": predictionsKey(context, label, name) },
  });
  if (outcome.ended !== "Completed" || outcome.exitCode !== 0) {
    throw new RecipeError(stage, `${STAGE_TEXT[stage]}: the process ${explain(outcome)}`, outcome);
  }
}

const STAGE_TEXT: Readonly<Record<string, string>> = {
  Predict: `${MODEL_FILE}, loaded in a fresh process with the recipe's files alone, could not predict rows without the target`,
  Robustness:
    "the model does not survive rows with unseen categories, nulls in every column, or columns in another order",
};

async function probe(context: JobContext, label: string, recipe: Recipe, limits: Limits): Promise<void> {
  await predict(
    context,
    label,
    recipe,
    dataKey(context.job, "probe.features.csv"),
    limits,
    "Robustness",
    "probe",
  );
}

async function score(
  context: JobContext,
  label: string,
  prepared: EntryOf<"DatasetPrepared">,
  all: readonly Division[],
  predictions: readonly string[],
): Promise<ScoreResult> {
  const best = bestCandidate(context.journal.entries);
  const inputs: Record<string, string> = {};
  const pairs = all.map((division, index) => {
    inputs[`labels-${index}.csv`] = dataKey(context.job, division.labels);
    inputs[`predictions-${index}.csv`] = predictions[index] ?? "";
    if (division.seen) inputs[`seen-${index}.csv`] = dataKey(context.job, division.seen);
    return {
      labels: `labels-${index}.csv`,
      predictions: `predictions-${index}.csv`,
      ...(division.seen ? { seen: `seen-${index}.csv` } : {}),
    };
  });
  best?.predictions.forEach((key, index) => {
    inputs[`best-${index}.csv`] = key;
  });
  const request = {
    ...scoringOf(context, prepared),
    pairs,
    versus: best
      ? [{ name: String(best.number), predictions: best.predictions.map((_, index) => `best-${index}.csv`) }]
      : [],
  };
  return refusedAs("Score", async () =>
    ScoreResult.parse(await executeTrusted(context, label, "score", request, { inputs })),
  );
}

export function scoringOf(
  context: JobContext,
  prepared: EntryOf<"DatasetPrepared">,
): { task: string; metric: string; classes: string[]; seed: number } {
  return {
    task: prepared.task,
    metric: prepared.metric,
    classes: prepared.classes,
    seed: context.job.spec.evaluation.seed,
  };
}

/** What trusted code refuses of predictions is the recipe's fault. */
export async function refusedAs<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RefusedError) throw new RecipeError(stage, error.message);
    throw error;
  }
}

export function sources(recipe: {
  readonly files: readonly { readonly path: string; readonly key: string }[];
}): Record<string, string> {
  return Object.fromEntries(recipe.files.map((file) => [file.path, file.key]));
}

export function modelKey(context: JobContext, label: string): string {
  return executionKey(context.job, `${label}-fit`, MODEL_FILE);
}

export function onnxKey(context: JobContext, label: string): string {
  return executionKey(context.job, `${label}-fit`, ONNX_FILE);
}

export function predictionsKey(context: JobContext, label: string, name = "predict"): string {
  return executionKey(context.job, `${label}-${name}`, "predictions.csv");
}

/** How an execution ended, as the end of a sentence. */
export function explain(outcome: Outcome): string {
  const seconds = Math.round(outcome.seconds);
  switch (outcome.ended) {
    case "Completed":
      return outcome.signal ? `died of ${outcome.signal}` : `ended with exit code ${outcome.exitCode}`;
    case "TimedOut":
      return `was stopped at its time limit, after ${seconds} s`;
    case "OutOfMemory":
      return `was stopped at its memory limit, having used ${Math.round(outcome.peakMemoryBytes / 1024 ** 2)} MiB`;
    case "DiskFull":
      return "filled its disk";
    case "TooManyProcesses":
      return "was stopped at its limit of processes";
    case "TooMuchOutput":
      return "was stopped because it printed too much";
    case "Refused":
      return outcome.refusal?.message ?? "was refused";
  }
}

/** The number that the next candidate gets. */
export function nextCandidateNumber(context: JobContext): number {
  return candidates(context.journal.entries).length;
}
