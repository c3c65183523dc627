/** TrainingJob: the wish for a model, and the record of how it was trained. */
import { z } from "zod";
import { AcceptanceScore, EVALUATION_RULES, Evaluation } from "./evaluation.ts";
import { API_VERSION, ObjectMeta, ObjectName, ResourceName } from "./meta.ts";
import { Task } from "./metrics.ts";
import { quantity } from "./quantity.ts";
import { exactlyOne, immutableExcept, matches, text, withRules } from "./rule.ts";
import { ConfigMapKeyRef, CREDENTIALS_RULE, CredentialsSecretRef, DataUri, SecretKeyRef } from "./source.ts";
import { TrainingJobStatus } from "./trainingjob-status.ts";

export { Evaluation } from "./evaluation.ts";
export { ConfigMapKeyRef, SecretKeyRef } from "./source.ts";
export { DecimalString, TrainingJobStatus } from "./trainingjob-status.ts";

export const DatasetSource = withRules(
  z.strictObject({
    uri: DataUri.optional().describe(
      "Address of a CSV of at most 100 MB: s3://bucket/key or https://host/path. The embedded run takes file:path too, relative to the manifest.",
    ),
    credentialsSecretRef: CredentialsSecretRef.optional(),
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
  CREDENTIALS_RULE,
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
      "Seconds of work from when the data are prepared, verifying and publishing included; time in which the job is suspended does not count.",
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
      "Serve the model once it is READY, by a ModelDeployment of the job's name, which is deleted with the job. Absent: train only. Mutable.",
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
    .describe(
      "Seconds after which a finished job is deleted; never where absent, nor while deploy is given. Mutable.",
    ),
};

export const TrainingJobSpec = withRules(
  z.strictObject(specShape),
  ...EVALUATION_RULES,
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
