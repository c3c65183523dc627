/** TrainingJob: the wish for a model, and the record of how it was trained. */
import { z } from "zod";
import { API_VERSION, Condition, ObjectMeta, ResourceName } from "./meta.ts";
import { Metric, Task } from "./metrics.ts";

/** Kubernetes forbids floats in APIs that several languages read; scores are decimal strings, `-12.5e-3` included. */
export const DecimalString = z
  .string()
  .max(32)
  .regex(/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?$/, "a decimal number in quotes, such as \"0.85\"");

export const SecretKeyRef = z.strictObject({ name: ResourceName, key: z.string().min(1).max(253) });
export const ConfigMapKeyRef = z.strictObject({ name: ResourceName, key: z.string().min(1).max(253) });

export const DatasetSource = z.strictObject({
  uri: z
    .string()
    .max(2048)
    .regex(/^(s3|https|file):\/\//, "s3://bucket/key, https://host/path or, in the embedded run, file:///path")
    .optional(),
  configMapKeyRef: ConfigMapKeyRef.optional(),
  datasetRef: z.strictObject({ name: ResourceName }).optional(),
});

export const Evaluation = z.strictObject({
  metric: Metric.optional(),
  method: z.enum(["Auto", "Holdout", "CrossValidation"]).default("Auto"),
  folds: z.int().min(2).max(10).default(5),
  finalPercent: z.int().min(5).max(50).default(20),
  split: z.enum(["Random", "Time", "Group"]).default("Random"),
  column: z.string().min(1).max(256).optional(),
  seed: z.int().min(0).max(2147483647).default(0),
  publish: z.enum(["AsScored", "Refit"]).default("AsScored"),
});

export const Budget = z.strictObject({
  maxSteps: z.int().min(1).max(500).default(30),
  maxSeconds: z.int().min(1).max(86400).default(1800),
  maxTokens: z.int().min(1).max(100_000_000).default(1_000_000),
});

export const Llm = z.strictObject({
  provider: z.enum(["Gemini", "Offline"]).optional(),
  name: z.string().min(1).max(128).optional(),
  apiKeySecretRef: SecretKeyRef.optional(),
});

/** Kubernetes quantity, as it stands in a container's resources. */
export const Quantity = z
  .string()
  .max(32)
  .regex(/^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$/, "a Kubernetes quantity, such as 500m, 2 or 2Gi");

export const Sandbox = z.strictObject({
  resources: z
    .strictObject({ cpu: Quantity.default("2"), memory: Quantity.default("4Gi"), disk: Quantity.default("2Gi") })
    .prefault({}),
  stepTimeoutSeconds: z.int().min(1).max(7200).default(300),
  runtimeClassName: ResourceName.optional(),
});

export const TrainingJobSpec = z.strictObject({
  dataset: DatasetSource,
  target: z.string().min(1).max(256),
  task: z.enum(["Auto", ...Task.options]).default("Auto"),
  goal: z.string().max(4096).optional(),
  evaluation: Evaluation.prefault({}),
  acceptance: z.strictObject({ score: DecimalString }).optional(),
  budget: Budget.prefault({}),
  llm: Llm.prefault({}),
  sandbox: Sandbox.prefault({}),
  recipeFrom: ResourceName.optional(),
  deploy: z.strictObject({ replicas: z.int().min(0).max(100).default(1) }).optional(),
  suspend: z.boolean().default(false),
  ttlSecondsAfterFinished: z.int().min(0).max(31_536_000).optional(),
});
export type TrainingJobSpec = z.infer<typeof TrainingJobSpec>;

export const TrainingJobStatus = z.strictObject({
  state: z.enum(["TRAINING", "READY", "ERROR"]).optional(),
  observedGeneration: z.int().optional(),
  conditions: z.array(Condition).max(16).optional(),
  startTime: z.string().optional(),
  completionTime: z.string().optional(),
  progress: z.strictObject({ step: z.int(), maxSteps: z.int(), activity: z.string().max(256) }).optional(),
  usage: z.strictObject({ tokens: z.int(), seconds: z.int() }).optional(),
  bestCandidate: z
    .strictObject({
      verifiedScore: DecimalString,
      claimedScore: DecimalString.optional(),
      step: z.int().describe("The agent's step that produced it; 0 for a baseline."),
    })
    .optional(),
  baselineScore: DecimalString.optional(),
  warnings: z.array(z.string().max(512)).max(32).optional(),
  model: z
    .strictObject({
      name: z.string().max(128),
      description: z.string().max(1024),
      uri: z.string().max(2048),
      digest: z.string().max(80),
      finalScore: DecimalString,
    })
    .optional(),
  journalUri: z.string().max(2048).optional(),
  reportUri: z.string().max(2048).optional(),
});
export type TrainingJobStatus = z.infer<typeof TrainingJobStatus>;

export const TrainingJob = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("TrainingJob"),
  metadata: ObjectMeta,
  spec: TrainingJobSpec,
  status: TrainingJobStatus.optional(),
});
export type TrainingJob = z.infer<typeof TrainingJob>;
