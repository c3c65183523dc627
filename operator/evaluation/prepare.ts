/** Preparing a job: take the data in, divide the rows before any agent sees one, make the base environment. */
import type { EntryOf, JournalDraft } from "../api/journal.ts";
import { DEFAULT_METRIC, METRICS } from "../api/metrics.ts";
import { Profile, SplitResult } from "../api/profile.ts";
import { StalledError, together } from "../engine/errors.ts";
import type { Limits, Outcome } from "../sandbox/executor.ts";
import { dataKey, encode, execute, executeTrusted, type JobContext, named } from "./context.ts";

/** A data set that was taken in: its canonical CSV and what is known of it. */
export type Intake = { readonly canonicalKey: string; readonly profile: Profile };

const INSTALL_LIMITS: Limits = {
  seconds: 900,
  cpus: 2,
  memoryBytes: 2 * 1024 ** 3,
  diskBytes: 8 * 1024 ** 3,
  processes: 256,
};

/** Takes a CSV in: validated, hashed, profiled, in canonical form. The source's bytes lie at `sourceKey`. */
export async function ingest(context: JobContext, sourceKey: string): Promise<Intake> {
  const canonicalKey = dataKey(context.job, "canonical.csv");
  const result = await executeTrusted(
    context,
    "ingest",
    "ingest",
    { input: "source.csv", format: { delimiter: "Auto", encoding: "Auto" }, canonical: "canonical.csv" },
    { inputs: { "source.csv": sourceKey }, outputs: { "canonical.csv": canonicalKey } },
  );
  return { canonicalKey, profile: Profile.parse(result) };
}

/** The environment that holds these packages beside the base ones; its outcome names it. */
export function install(context: JobContext, label: string, packages: readonly string[]): Promise<Outcome> {
  return execute(context, {
    kind: "Install",
    ...named(context, label, INSTALL_LIMITS),
    packages,
    inputs: {},
    outputs: {},
  });
}

/**
 * Splits the rows and writes down what was decided: the first entry of the journal.
 * @param intake resolves to the data set, or throws WaitingError while it is being taken in
 */
export async function prepare(context: JobContext, intake: Promise<Intake>): Promise<JournalDraft> {
  // Side by side: the data are read while the wheels arrive.
  const [data, installed] = await together<unknown>([intake, install(context, "environment", [])]);
  const { canonicalKey, profile } = data as Intake;
  const environment = installed as Outcome;
  if (environment.environment === undefined) {
    throw new StalledError(
      "EnvironmentFailed",
      environment.refusal?.message ?? "the base environment could not be installed",
    );
  }
  const split = await divide(context, canonicalKey, profile);
  const metric = context.job.spec.evaluation.metric ?? DEFAULT_METRIC[split.task];
  if (!METRICS[metric].tasks.includes(split.task)) {
    throw new StalledError(
      "InvalidSpec",
      `spec.evaluation.metric: ${metric} does not fit the task, which the data say is ${split.task}; ` +
        `choose one of ${fittingMetrics(split.task).join(", ")}`,
    );
  }
  await context.store.put(dataKey(context.job, "profile.json"), encode(profile));
  await context.store.put(dataKey(context.job, "split.json"), encode(split));
  await context.store.put(
    dataKey(context.job, "task.json"),
    encode(taskFile(context, profile, split, metric)),
  );
  return {
    type: "DatasetPrepared",
    datasetSha256: profile.sha256,
    task: split.task,
    metric,
    classes: split.classes,
    method: split.method,
    folds: split.folds,
    rows: split.rows,
    warnings: [...profile.warnings, ...split.warnings].slice(0, 64),
    environment: environment.environment,
    packages: environment.packages ?? [],
  } satisfies Omit<EntryOf<"DatasetPrepared">, "sequence" | "at" | "elapsedSeconds">;
}

async function divide(context: JobContext, canonicalKey: string, profile: Profile): Promise<SplitResult> {
  const { target, task, evaluation } = context.job.spec;
  const { method, folds, finalPercent, split, column, seed } = evaluation;
  const files = [
    "train.csv",
    "selection.features.csv",
    "selection.labels.csv",
    "development.csv",
    "final.features.csv",
    "final.labels.csv",
    "all.csv",
    "probe.features.csv",
    "development.distribution.json",
    "all.distribution.json",
    ...Array.from({ length: folds }, (_, fold) =>
      ["train", "features", "labels", "seen"].map((part) => `fold-${fold}.${part}.csv`),
    ).flat(),
  ];
  const result = await executeTrusted(
    context,
    "split",
    "split",
    {
      input: "canonical.csv",
      profile,
      target,
      task,
      evaluation: { method, folds, finalPercent, split, ...(column === undefined ? {} : { column }), seed },
      outputs: "out",
    },
    {
      inputs: { "canonical.csv": canonicalKey },
      outputs: Object.fromEntries(files.map((file) => [`out/${file}`, dataKey(context.job, file)])),
    },
  );
  return SplitResult.parse(result);
}

/** `data/task.json`, which every recipe finds beside its rows. */
function taskFile(context: JobContext, profile: Profile, split: SplitResult, metric: string): unknown {
  const { target, evaluation } = context.job.spec;
  return {
    target,
    task: split.task,
    metric,
    classes: split.classes,
    seed: evaluation.seed,
    features: profile.columns
      .filter((column) => column.name !== target)
      .map((column) => ({ name: column.name, type: column.type })),
  };
}

function fittingMetrics(task: SplitResult["task"]): string[] {
  return Object.entries(METRICS).flatMap(([name, facts]) => (facts.tasks.includes(task) ? [name] : []));
}
