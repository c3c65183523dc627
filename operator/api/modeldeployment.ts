/** ModelDeployment: a READY model, served. */
import { z } from "zod";
import { API_VERSION, Conditions, ObjectMeta, ObservedGeneration, ResourceName } from "./meta.ts";
import { quantity } from "./quantity.ts";
import { matches, withRules } from "./rule.ts";

const Autoscaling = withRules(
  z.strictObject({
    minReplicas: z.int().min(1).max(100).default(1).describe("Fewest servers."),
    maxReplicas: z.int().min(1).max(100).describe("Most servers."),
    targetCpuPercent: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe("Scale so that servers use this share of their CPU; 80 where neither target is given."),
    targetInFlightRequests: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe("Scale so that a server has about this many requests in flight."),
  }),
  {
    rule: "self.maxReplicas >= self.minReplicas",
    message: "must be at least minReplicas",
    fieldPath: ".maxReplicas",
  },
);

export const ModelDeploymentSpec = withRules(
  z.strictObject({
    modelRef: z
      .strictObject({ trainingJob: ResourceName.describe("Name of a TrainingJob in the same namespace.") })
      .describe("Whose model is served. Change it to serve another one, or to go back."),
    followLatest: z
      .boolean()
      .default(false)
      .describe(
        "Whether a model that was retrained from the job's recipe takes over, when its verified score is not worse.",
      ),
    replicas: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .describe(
        "Number of servers; 1 where neither this nor autoscaling is given. 0 serves nothing and keeps the rest.",
      ),
    autoscaling: Autoscaling.optional().describe("Let load decide the number of servers."),
    resources: z
      .strictObject({
        cpu: quantity("50m", "256").prefault("1").describe("CPUs of one server."),
        memory: quantity("128Mi", "4Ti").prefault("1Gi").describe("Memory of one server."),
      })
      .prefault({})
      .describe("What one server may use."),
    runtime: z
      .enum(["Auto", "Compiled", "Onnx", "DataFrame"])
      .default("Auto")
      .describe(
        "What computes predictions: the pipeline as it was trained (DataFrame), its compiled form, or the ONNX export in the package, which computes with 32 bits. Auto: the compiled form where its predictions equal the pipeline's, else the pipeline.",
      ),
    predictionLog: z
      .strictObject({
        mode: z
          .enum(["Off", "Sampled", "Background", "Strict"])
          .default("Background")
          .describe(
            "Off; Sampled: a share of the requests; Background: all, written within moments of the answer; Strict: all, on disk before the answer.",
          ),
        samplePercent: z
          .int()
          .min(1)
          .max(100)
          .default(10)
          .describe("Percentage of the requests that mode Sampled keeps."),
        retentionDays: z.int().min(1).max(3650).default(30).describe("Days that entries are kept."),
      })
      .prefault({})
      .describe("What is kept of inputs and predictions."),
    limits: z
      .strictObject({
        maxBodyBytes: z
          .int()
          .min(1024)
          .max(104_857_600)
          .default(4_194_304)
          .describe("Largest request body, in bytes."),
        maxRows: z.int().min(1).max(100_000).default(1000).describe("Most rows in a request."),
        timeoutSeconds: z.int().min(1).max(300).default(10).describe("Seconds until a request is given up."),
      })
      .prefault({})
      .describe("What a request may ask for."),
  }),
  {
    rule: "!(has(self.replicas) && has(self.autoscaling))",
    message: "give replicas or autoscaling, not both",
    fieldPath: ".replicas",
  },
);
export type ModelDeploymentSpec = z.infer<typeof ModelDeploymentSpec>;

export const ModelDeploymentStatus = z.strictObject({
  observedGeneration: ObservedGeneration.optional(),
  conditions: Conditions.optional().describe("Ready, Reconciling and Stalled."),
  url: z.string().max(2048).optional().describe("Where the model answers, inside the cluster."),
  replicas: z.int().min(0).max(1000).optional().describe("Servers that are ready."),
  trainingJob: z
    .string()
    .max(63)
    .optional()
    .describe("Whose model is served: with followLatest, perhaps one that was retrained from modelRef's."),
  modelDigest: z.string().max(80).optional().describe("SHA-256 of the model.json that is served."),
  runtime: z.enum(["Compiled", "Onnx", "DataFrame"]).optional().describe("What computes predictions."),
  lastFailure: z.string().max(1024).optional().describe("Why the last roll-out did not succeed."),
});
export type ModelDeploymentStatus = z.infer<typeof ModelDeploymentStatus>;

export const ModelDeployment = withRules(
  z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("ModelDeployment"),
    metadata: ObjectMeta,
    spec: ModelDeploymentSpec.describe("What to serve, and how."),
    status: ModelDeploymentStatus.optional().describe("What is served, written by the operator."),
  }),
  {
    rule: matches("self.metadata.name", /^[a-z]/),
    message: "must start with a letter: the model's Service has the same name",
    fieldPath: ".metadata.name",
  },
);
export type ModelDeployment = z.infer<typeof ModelDeployment>;
