/**
 * model.json: what a model package says of itself. Its SHA-256 is the digest of the package, since it holds the digest
 * of every other file. Written once, by the operator, when the model is published.
 */
import { z } from "zod";
import { Timestamp } from "./meta.ts";
import { Metric, Task } from "./metrics.ts";
import { ColumnType } from "./profile.ts";

export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "must be a SHA-256 in lower case hexadecimal" });

/** A cell of the canonical CSV, as JSON would hold it. */
const Cell = z.union([z.string().max(1024), z.number(), z.boolean(), z.null()]);

export const Feature = z.strictObject({
  name: z.string().min(1).max(256).describe("Name of the column, as it stood in the header."),
  type: ColumnType.describe("What its cells are."),
  format: z
    .string()
    .max(64)
    .optional()
    .describe("How cells were written where they are rewritten on the way in, such as a date's format."),
  nullable: z.boolean().describe("Whether cells were missing in the training data."),
  categories: z
    .array(z.string().max(64))
    .max(50)
    .optional()
    .describe("The most frequent values, most frequent first; others may have occurred."),
  min: z.string().max(64).optional().describe("Least value of a number or date."),
  max: z.string().max(64).optional().describe("Greatest value of a number or date."),
  example: Cell.describe("A value that can be sent in a request; null where every cell was missing."),
});
export type Feature = z.infer<typeof Feature>;

export const ModelScores = z.strictObject({
  verified: z.number().describe("The metric on the selection rows, by which the recipe was chosen."),
  standardError: z.number().min(0).describe("Bootstrap standard error of it."),
  claimed: z.number().optional().describe("What the agent said the metric would be; decides nothing."),
  final: z.number().describe("The metric on the final rows, computed once."),
  finalStandardError: z.number().min(0).describe("Bootstrap standard error of it."),
  baselineFinal: z.number().describe("The better baseline on the final rows."),
});
export type ModelScores = z.infer<typeof ModelScores>;

export const Provenance = z.strictObject({
  job: z.strictObject({
    namespace: z.string().max(63).optional().describe("Namespace of the TrainingJob."),
    name: z.string().max(63).describe("Name of the TrainingJob."),
    uid: z.string().max(64).optional().describe("Its uid: names are used again."),
  }),
  datasetSha256: Sha256.describe("SHA-256 of the CSV as it came."),
  split: z.strictObject({
    by: z.enum(["Random", "Time", "Group"]).describe("How rows were divided."),
    column: z.string().max(256).optional().describe("The column they were divided by."),
    method: z.enum(["Holdout", "CrossValidation"]).describe("How candidates were compared."),
    folds: z.int().min(0).max(10).describe("Number of folds; 0 for Holdout."),
    seed: z.int().min(0).max(2147483647).describe("Seed of the division."),
    finalPercent: z.int().min(5).max(50).describe("Percentage of the rows that the final score is of."),
  }),
  publish: z
    .enum(["AsScored", "Refit"])
    .describe("Whether this is the model that was scored, or the same recipe run on all rows."),
  rows: z.int().min(1).describe("Rows that this model was trained on."),
  origin: z.enum(["PriorBaseline", "BoostingBaseline", "Agent", "Recipe"]).describe("Who wrote the recipe."),
  recipe: Sha256.describe("Digest of the recipe: its files and its entry script."),
  environment: z.string().min(1).max(80).describe("Digest of the locked environment that the model needs."),
  environmentArchive: Sha256.optional().describe(
    "SHA-256 of the archive from which the environment is unpacked; absent where there was none, as on a claim.",
  ),
  operatorVersion: z.string().max(64).describe("Version of AutoAI that published the model."),
  llm: z
    .strictObject({
      provider: z.enum(["Gemini", "Offline"]).describe("Who was asked."),
      model: z.string().max(128).describe("The model that answered, as it calls itself."),
    })
    .optional()
    .describe("Absent where no agent took part, as with recipeFrom."),
  createdAt: Timestamp.describe("When the model was published."),
});
export type Provenance = z.infer<typeof Provenance>;

export const PackagedFile = z.strictObject({
  sha256: Sha256.describe("SHA-256 of the file."),
  size: z.int().min(0).describe("Size in bytes."),
});

export const ModelManifest = z
  .strictObject({
    schemaVersion: z.literal(1).describe("Version of this format."),
    name: z.string().min(1).max(128).describe("Name that the author gave to the model."),
    description: z.string().max(1024).describe("What it is, in a few sentences."),
    task: Task.describe("What kind of prediction it makes."),
    target: z.string().min(1).max(256).describe("The column that it predicts."),
    classes: z
      .array(z.string().max(1024))
      .max(10_000)
      .describe("Texts of the classes, sorted; of two, the last is the positive one. Empty for Regression."),
    metric: Metric.describe("The metric that the scores are of."),
    features: z.array(Feature).min(1).max(10_000).describe("The columns of a row, in their order."),
    scores: ModelScores.describe("What it was worth, as the operator computed it."),
    provenance: Provenance.describe("What it was made of."),
    files: z
      .record(z.string().min(1).max(255), PackagedFile)
      .describe("Every other file of the package, by its path."),
  })
  .refine(({ task, classes }) => (task === "Regression") === (classes.length === 0), {
    error: "classes must be given for classification, and for it alone",
    path: ["classes"],
  })
  .refine(({ features, target }) => !features.some(({ name }) => name === target), {
    error: "the target must not be a feature",
    path: ["features"],
  });
export type ModelManifest = z.infer<typeof ModelManifest>;

/**
 * Where a model package lies in the store.
 * @param job `namespace/name`
 */
export function packagePrefix(job: string, digest: string): string {
  return `models/${job}/${digest}`;
}
