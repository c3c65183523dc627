/** Dataset: a CSV taken in once, validated, hashed and profiled, that many jobs can name. */
import { z } from "zod";
import { API_VERSION, Conditions, ObjectMeta, ObservedGeneration } from "./meta.ts";
import { exactlyOne, immutableExcept, withRules } from "./rule.ts";
import { ConfigMapKeyRef, CREDENTIALS_RULE, CredentialsSecretRef, DataUri } from "./source.ts";

export const CsvFormat = z.strictObject({
  delimiter: z
    .enum(["Auto", ",", ";", "\t", "|"])
    .default("Auto")
    .describe("What stands between cells; Auto: found by looking."),
  encoding: z
    .enum(["Auto", "utf-8", "utf-16", "latin-1"])
    .default("Auto")
    .describe("How text is written; Auto: found by looking. A byte order mark is understood in any case."),
});

const specShape = {
  source: withRules(
    z.strictObject({
      uri: DataUri.optional().describe(
        "Address of a CSV of at most 100 MB: s3://bucket/key or https://host/path. The embedded run takes file:path too, relative to the manifest.",
      ),
      credentialsSecretRef: CredentialsSecretRef.optional(),
      configMapKeyRef: ConfigMapKeyRef.optional().describe("A CSV in a ConfigMap of the same namespace."),
      upload: z
        .literal(true)
        .optional()
        .describe("true: the file is handed over after the Dataset is made, through the console or the API."),
    }),
    {
      rule: exactlyOne("has(self.uri)", "has(self.configMapKeyRef)", "has(self.upload)"),
      message: "give exactly one of uri, configMapKeyRef and upload",
    },
    CREDENTIALS_RULE,
  ).describe("Where the CSV comes from. It is read once."),
  format: CsvFormat.prefault({}).describe("How the CSV is written."),
};

export const DatasetSpec = withRules(
  z.strictObject(specShape),
  ...immutableExcept(specShape, [], "a data set is taken in once: create another Dataset"),
);
export type DatasetSpec = z.infer<typeof DatasetSpec>;

export const DatasetStatus = z.strictObject({
  observedGeneration: ObservedGeneration.optional(),
  conditions: Conditions.optional().describe("Ready, Reconciling and Stalled."),
  rows: z.int().min(0).optional().describe("Rows, the header not counted."),
  columns: z.int().min(0).optional().describe("Columns."),
  sizeBytes: z.int().min(0).optional().describe("Size of the CSV as it came, in bytes."),
  sha256: z.string().max(64).optional().describe("SHA-256 of the CSV as it came."),
  storageUri: z.string().max(2048).optional().describe("Where the data lie."),
  profileUri: z.string().max(2048).optional().describe("Where the profile of the columns (JSON) lies."),
  previewUri: z.string().max(2048).optional().describe("Where the first ten rows (JSON) lie."),
  warnings: z
    .array(z.string().max(512))
    .max(32)
    .optional()
    .describe("What to know before training on it, such as duplicated rows."),
});
export type DatasetStatus = z.infer<typeof DatasetStatus>;

export const Dataset = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Dataset"),
  metadata: ObjectMeta,
  spec: DatasetSpec.describe("What to take in. Immutable."),
  status: DatasetStatus.optional().describe("What was taken in, written by the operator."),
});
export type Dataset = z.infer<typeof Dataset>;
