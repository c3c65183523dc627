/** TrainingJob: the wish for a model, and the record of how it was trained. */
import { z } from "zod";
import {
  API_VERSION,
  Conditions,
  ObjectMeta,
  ObjectName,
  ObservedGeneration,
  ResourceName,
  Timestamp,
} from "./meta.ts";
import { METRICS, Metric, Task } from "./metrics.ts";
import { quantity } from "./quantity.ts";
import { exactlyOne, immutableExcept, matches, type Rule, text, withRules } from "./rule.ts";
import { ConfigMapKeyRef, DataUri, SecretKeyRef } from "./source.ts";

export { ConfigMapKeyRef, SecretKeyRef } from "./source.ts";

/** Kubernetes forbids floats in APIs that several languages read; scores are decimal strings, `-12.5e-3` included. */
export const DecimalString = z
  .string()
  .max(32)
  .regex(/^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$/, {
    error: 'must be a decimal number in quotes, such as "0.85"',
  });

/** What a person asks for: a plain decimal number, that every CEL library reads alike. */
const AcceptanceScore = text(
  1,
  32,
  /^-?[0-9]{1,15}(\.[0-9]{1,15})?$/,
  'a decimal number in quotes, such as "0.85"',
);

export const DatasetSource = withRules(
  z.strictObject({
    uri: DataUri.optional().describe(
      "Address of a CSV of at most 100 MB: s3://bucket/key or https://host/path. The embedded run takes file:path too, relative to the manifest.",
    ),
    configMapKeyRef: ConfigMapKeyRef.optional().describe("A CSV in a ConfigMap of the same namespace."),
    datasetRef: z
      .strictObject({ name: ResourceName.describe("Name of a Dataset in the same namespace.") })
      .optional()
      .describe("A Dataset that was taken in before, or is being taken in."),
  }),
  {
    rule: exactlyOne("has(self.uri)", "has(self.configMapKeyRef)", "has(self.datasetRef)"),
    message: "give exactly one of uri, configMapKeyRef and datasetRef",
  },
);

export const Evaluation = withRules(
  z.strictObject({
    metric: Metric.optional().describe(
      "What is optimised, and by which the best candidate is chosen; the operator computes it, as scikit-learn defines it. RocAuc of several classes is one-vs-rest, macro average. Default by task: RocAuc (binary), LogLoss (multiclass), Rmse (regression).",
    ),
    method: z
      .enum(["Auto", "Holdout", "CrossValidation"])
      .default("Auto")
      .describe(
        "How candidates are compared: on one set of rows held out, or on folds, for which the recipe is run once a fold. Auto: folds where data are few.",
      ),
    folds: z.int().min(2).max(10).default(5).describe("Number of folds in cross-validation."),
    finalPercent: z
      .int()
      .min(5)
      .max(50)
      .default(20)
      .describe("Percentage of the rows set aside for the final score, which is computed once."),
    split: z
      .enum(["Random", "Time", "Group"])
      .default("Random")
      .describe(
        "How rows are divided: at random (stratified by class), by time (the latest rows are the final ones), or by group (no group on two sides).",
      ),
    column: text(1, 256)
      .optional()
      .describe("Column with the time or the group of a row; for the splits Time and Group alone."),
    seed: z
      .int()
      .min(0)
      .max(2147483647)
      .default(0)
      .describe("Seed of every random choice: the same seed, data and recipe give the same split."),
    publish: z
      .enum(["AsScored", "Refit"])
      .default("AsScored")
      .describe(
        "Which model is published: the one that was scored on the final rows, or the same recipe run once more on all rows.",
      ),
  }),
  {
    rule: "self.split == 'Random' || has(self.column)",
    message:
      "is needed with split Time and split Group: name the column that holds the time or the group of a row",
    fieldPath: ".column",
  },
  {
    rule: "self.split != 'Random' || !has(self.column)",
    message: "is for split Time and split Group: leave it out, or choose one of the two as split",
    fieldPath: ".column",
  },
);

export const Budget = z.strictObject({
  maxSteps: z
    .int()
    .min(1)
    .max(500)
    .default(30)
    .describe("Steps of the agent: one LLM reply and the tool calls in it are one step."),
  maxSeconds: z
    .int()
    .min(1)
    .max(86400)
    .default(1800)
    .describe(
      "Seconds of work, verifying and publishing included; time in which the job is suspended does not count.",
    ),
  maxTokens: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(1_000_000)
    .describe("LLM tokens, prompts and replies together."),
});

export const Llm = withRules(
  z.strictObject({
    provider: z
      .enum(["Gemini", "Offline"])
      .optional()
      .describe(
        "Who writes the programs: Gemini, or Offline, a deterministic author that asks no LLM. Default: Gemini where a key is given, Offline where none is.",
      ),
    name: text(1, 128, /^[A-Za-z0-9][-._/A-Za-z0-9]*$/, "the name of a model, such as gemini-2.5-pro")
      .optional()
      .describe("The provider's name of the model; the operator's default where absent."),
    apiKeySecretRef: SecretKeyRef.optional().describe(
      "Secret with the API key; where absent, the key that the operator was started with (GEMINI_API_KEY).",
    ),
  }),
  {
    rule: "!has(self.apiKeySecretRef) || !has(self.provider) || self.provider == 'Gemini'",
    message: "is for provider Gemini: leave it out, or set provider to Gemini",
    fieldPath: ".apiKeySecretRef",
  },
  {
    rule: "!has(self.name) || !has(self.provider) || self.provider == 'Gemini'",
    message: "is for provider Gemini: leave it out, or set provider to Gemini",
    fieldPath: ".name",
  },
);

export const Sandbox = z.strictObject({
  resources: z
    .strictObject({
      cpu: quantity("100m", "256").prefault("2").describe("CPUs of one execution of generated code."),
      memory: quantity("256Mi", "4Ti").prefault("4Gi").describe("Memory of one execution."),
      disk: quantity("64Mi", "4Ti")
        .prefault("2Gi")
        .describe("Workspace and temporary files of one execution together."),
    })
    .prefault({})
    .describe("What one execution may use; exceeding it ends the execution, and the agent is told."),
  stepTimeoutSeconds: z
    .int()
    .min(1)
    .max(7200)
    .default(300)
    .describe("Wall-clock seconds of one execution; then SIGINT, and SIGKILL 5 s later."),
  runtimeClassName: ObjectName.optional().describe(
    "RuntimeClass of the execution pods, such as gvisor; no meaning in the embedded run.",
  ),
});

/** A rule a task: the metrics that fit it. */
const METRIC_FITS_TASK: readonly Rule[] = Task.options.map((task) => {
  const fitting = Metric.options.filter((metric) => METRICS[metric].tasks.includes(task));
  const list = fitting.map((metric) => `'${metric}'`).join(", ");
  return {
    rule: `self.task != '${task}' || !has(self.evaluation.metric) || self.evaluation.metric in [${list}]`,
    message: `does not fit task ${task}: choose one of ${fitting.join(", ")}`,
    fieldPath: ".evaluation.metric",
  };
});

/** Every metric that is maximised is at most 1, and R2 alone can be negative. */
const BELOW_ONE = Metric.options.filter((metric) => METRICS[metric].direction === "Maximize");
const NEVER_NEGATIVE = Metric.options.filter((metric) => metric !== "R2");

const specShape = {
  dataset: DatasetSource.describe("The rows to learn from."),
  target: text(1, 256).describe("Name of the column to predict, as it stands in the header."),
  task: z
    .enum(["Auto", ...Task.options])
    .default("Auto")
    .describe("What kind of prediction it is. Auto: by the values of the target."),
  goal: text(1, 4096)
    .optional()
    .describe(
      "What the model is for, in your words; the agent reads it. It changes neither task nor metric.",
    ),
  evaluation: Evaluation.prefault({}).describe("How candidates are compared and the winner is scored."),
  acceptance: z
    .strictObject({
      score: AcceptanceScore.describe(
        'Verified score that is good enough, such as "0.85"; in the units of the metric.',
      ),
    })
    .optional()
    .describe(
      "When to stop early: as soon as a candidate's verified score is at least as good, it is published.",
    ),
  budget: Budget.prefault({}).describe(
    "Hard limits. Running out with a verified candidate publishes the best one; without one it is an error.",
  ),
  llm: Llm.prefault({}).describe("Who writes the programs."),
  sandbox: Sandbox.prefault({}).describe("What generated code may use."),
  recipeFrom: ResourceName.optional().describe(
    "Name of another TrainingJob in the same namespace, whose published recipe is trained on this dataset: no LLM, no tokens.",
  ),
  deploy: z
    .strictObject({
      replicas: z.int().min(0).max(100).default(1).describe("Number of servers."),
    })
    .optional()
    .describe(
      "Serve the model once it is READY, by a ModelDeployment of the job's name. Absent: train only. Mutable.",
    ),
  suspend: z
    .boolean()
    .default(false)
    .describe("While true, no new step is begun; false goes on where it was. Mutable."),
  ttlSecondsAfterFinished: z
    .int()
    .min(0)
    .max(31_536_000)
    .optional()
    .describe("Seconds after which a finished job is deleted; never where absent. Mutable."),
};

export const TrainingJobSpec = withRules(
  z.strictObject(specShape),
  ...METRIC_FITS_TASK,
  {
    rule: "!has(self.evaluation.column) || self.evaluation.column != self.target",
    message: "must be another column than target: rows cannot be divided by what is to be predicted",
    fieldPath: ".evaluation.column",
  },
  {
    rule: `!has(self.acceptance) || !has(self.evaluation.metric) || !(self.evaluation.metric in ${names(BELOW_ONE)}) || double(self.acceptance.score) <= 1.0`,
    message: `must be at most 1 with this metric: write "0.85" for 85 %`,
    fieldPath: ".acceptance.score",
  },
  {
    rule: `!has(self.acceptance) || !has(self.evaluation.metric) || !(self.evaluation.metric in ${names(NEVER_NEGATIVE)}) || double(self.acceptance.score) >= 0.0`,
    message: "must not be negative with this metric, which never is",
    fieldPath: ".acceptance.score",
  },
  {
    rule: "!has(self.recipeFrom) || !(has(self.llm.provider) || has(self.llm.name) || has(self.llm.apiKeySecretRef))",
    message: "recipeFrom trains with another job's recipe and asks no LLM: leave llm out, or recipeFrom",
    fieldPath: ".llm",
  },
  {
    rule: "!has(self.recipeFrom) || !has(self.goal)",
    message:
      "recipeFrom trains with another job's recipe, and no agent would read a goal: leave goal out, or recipeFrom",
    fieldPath: ".goal",
  },
  ...immutableExcept(
    specShape,
    ["suspend", "deploy", "ttlSecondsAfterFinished"],
    "only suspend, deploy and ttlSecondsAfterFinished can be changed: create another TrainingJob",
  ),
);
export type TrainingJobSpec = z.infer<typeof TrainingJobSpec>;

function names(metrics: readonly Metric[]): string {
  return `[${metrics.map((metric) => `'${metric}'`).join(", ")}]`;
}

export const TrainingJobStatus = z.strictObject({
  state: z
    .enum(["TRAINING", "READY", "ERROR"])
    .optional()
    .describe(
      "TRAINING until it is over; READY: a model is published; ERROR: none is, and the conditions say why.",
    ),
  observedGeneration: ObservedGeneration.optional(),
  conditions: Conditions.optional().describe(
    "Ready, Reconciling, Stalled, DatasetPrepared (rows are taken in and divided) and ModelVerified (a candidate is scored).",
  ),
  startTime: Timestamp.optional().describe("When work on the job began."),
  completionTime: Timestamp.optional().describe("When the job became READY or ERROR."),
  progress: z
    .strictObject({
      step: z.int().min(0).max(500).describe("The agent's step."),
      maxSteps: z.int().min(0).max(500).describe("Steps in the budget."),
      activity: z.string().max(256).describe("What is being done, for people."),
    })
    .optional()
    .describe("How far it is."),
  usage: z
    .strictObject({
      tokens: z.int().min(0).describe("LLM tokens used."),
      seconds: z.int().min(0).describe("Seconds of work used."),
    })
    .optional()
    .describe("What was used of the budget."),
  bestCandidate: z
    .strictObject({
      verifiedScore: DecimalString.describe(
        "The metric as the operator computed it, on rows whose labels no generated code has seen.",
      ),
      claimedScore: DecimalString.optional().describe("What the agent said it would be; decides nothing."),
      step: z.int().min(0).max(500).describe("The agent's step that produced it; 0 for a baseline."),
    })
    .optional()
    .describe("The best verified candidate so far."),
  baselineScore: DecimalString.optional().describe(
    "The better of the two baselines (prior, gradient boosting) on the final rows: comparable with model.finalScore.",
  ),
  warnings: z
    .array(z.string().max(512))
    .max(32)
    .optional()
    .describe("What to know before trusting the model: leaks suspected in the data, gains that are noise."),
  model: z
    .strictObject({
      name: z.string().max(128).describe("Name that the author gave to the model."),
      description: z.string().max(1024).describe("What it is, in a few sentences."),
      uri: z.string().max(2048).describe("Where the model package lies."),
      digest: z
        .string()
        .max(80)
        .describe("SHA-256 of the package's model.json, which holds the digests of its files."),
      finalScore: DecimalString.describe("The metric on the final rows, computed once."),
    })
    .optional()
    .describe("The published model."),
  journalUri: z.string().max(2048).optional().describe("Where the journal lies."),
  reportUri: z.string().max(2048).optional().describe("Where the report (HTML) lies."),
});
export type TrainingJobStatus = z.infer<typeof TrainingJobStatus>;

export const TrainingJob = withRules(
  z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("TrainingJob"),
    metadata: ObjectMeta,
    spec: TrainingJobSpec.describe(
      "The wish. Immutable but for suspend, deploy and ttlSecondsAfterFinished.",
    ),
    status: TrainingJobStatus.optional().describe("The record, written by the operator."),
  }),
  {
    rule: "!has(self.spec.recipeFrom) || self.spec.recipeFrom != self.metadata.name",
    message: "must name another job than this one",
    fieldPath: ".spec.recipeFrom",
  },
  {
    rule: `!has(self.spec.deploy) || ${matches("self.metadata.name", /^[a-z]/)}`,
    message: "must start with a letter where spec.deploy is given: the model's Service has the same name",
    fieldPath: ".metadata.name",
  },
);
export type TrainingJob = z.infer<typeof TrainingJob>;
