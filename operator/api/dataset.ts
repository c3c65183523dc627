/** Dataset: a CSV taken in once, validated, hashed and profiled, that many jobs can name. */
import { z } from "zod";
import { API_VERSION, Condition, ObjectMeta } from "./meta.ts";
import { ConfigMapKeyRef } from "./trainingjob.ts";

export const CsvFormat = z.strictObject({
  delimiter: z.enum(["Auto", ",", ";", "\t", "|"]).default("Auto"),
  encoding: z.enum(["Auto", "utf-8", "utf-16", "latin-1"]).default("Auto"),
});

export const DatasetSpec = z.strictObject({
  source: z.strictObject({
    uri: z
      .string()
      .max(2048)
      .regex(/^(s3|https|file):\/\//)
      .optional(),
    configMapKeyRef: ConfigMapKeyRef.optional(),
    upload: z.boolean().optional(),
  }),
  format: CsvFormat.prefault({}),
});
export type DatasetSpec = z.infer<typeof DatasetSpec>;

export const DatasetStatus = z.strictObject({
  observedGeneration: z.int().optional(),
  conditions: z.array(Condition).max(16).optional(),
  rows: z.int().optional(),
  columns: z.int().optional(),
  sizeBytes: z.int().optional(),
  sha256: z.string().max(64).optional(),
  storageUri: z.string().max(2048).optional(),
  profileUri: z.string().max(2048).optional(),
  previewUri: z.string().max(2048).optional(),
  warnings: z.array(z.string().max(512)).max(32).optional(),
});
export type DatasetStatus = z.infer<typeof DatasetStatus>;

export const Dataset = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Dataset"),
  metadata: ObjectMeta,
  spec: DatasetSpec,
  status: DatasetStatus.optional(),
});
export type Dataset = z.infer<typeof Dataset>;
