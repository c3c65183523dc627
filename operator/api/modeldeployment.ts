/** ModelDeployment: a READY model, served. */
import { z } from "zod";
import { API_VERSION, Condition, ObjectMeta, ResourceName } from "./meta.ts";
import { Quantity } from "./trainingjob.ts";

export const ModelDeploymentSpec = z.strictObject({
  modelRef: z.strictObject({ trainingJob: ResourceName }),
  followLatest: z.boolean().default(false),
  replicas: z.int().min(0).max(100).optional(),
  autoscaling: z
    .strictObject({
      minReplicas: z.int().min(1).max(100).default(1),
      maxReplicas: z.int().min(1).max(100),
      targetCpuPercent: z.int().min(1).max(100).optional(),
      targetInFlightRequests: z.int().min(1).max(10_000).optional(),
    })
    .optional(),
  resources: z.strictObject({ cpu: Quantity.default("1"), memory: Quantity.default("1Gi") }).prefault({}),
  runtime: z.enum(["Auto", "Compiled", "Onnx", "DataFrame"]).default("Auto"),
  predictionLog: z
    .strictObject({
      mode: z.enum(["Off", "Sampled", "Background", "Strict"]).default("Background"),
      samplePercent: z.int().min(1).max(100).default(10),
      retentionDays: z.int().min(1).max(3650).default(30),
    })
    .prefault({}),
  limits: z
    .strictObject({
      maxBodyBytes: z.int().min(1024).max(104_857_600).default(4_194_304),
      maxRows: z.int().min(1).max(100_000).default(1000),
      timeoutSeconds: z.int().min(1).max(300).default(10),
    })
    .prefault({}),
});
export type ModelDeploymentSpec = z.infer<typeof ModelDeploymentSpec>;

export const ModelDeploymentStatus = z.strictObject({
  observedGeneration: z.int().optional(),
  conditions: z.array(Condition).max(16).optional(),
  url: z.string().max(2048).optional(),
  replicas: z.int().optional(),
  modelDigest: z.string().max(80).optional(),
  runtime: z.enum(["Compiled", "Onnx", "DataFrame"]).optional(),
  lastFailure: z.string().max(1024).optional(),
});
export type ModelDeploymentStatus = z.infer<typeof ModelDeploymentStatus>;

export const ModelDeployment = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("ModelDeployment"),
  metadata: ObjectMeta,
  spec: ModelDeploymentSpec,
  status: ModelDeploymentStatus.optional(),
});
export type ModelDeployment = z.infer<typeof ModelDeployment>;
