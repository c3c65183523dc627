/**
 * `profile.json` of a model package: how the rows that the model was trained on are distributed, column by column. Written by
 * runner/autoai_runner/distribution.py; what is asked of a served model is compared with it.
 */
import { z } from "zod";

const name = z.string().min(1).max(256);
const Count = z.int().min(0);

export const ColumnDistribution = z.discriminatedUnion("kind", [
  z
    .strictObject({
      kind: z.literal("Numeric"),
      name,
      missing: Count,
      /** Ascending. Bin i holds edge i-1 < number <= edge i; the last one is what is greater than all edges. */
      edges: z.array(z.number()).min(1).max(64),
      counts: z.array(Count).max(65),
    })
    .refine(({ edges, counts }) => counts.length === edges.length + 1, {
      error: "there must be a count for each bin",
    }),
  z
    .strictObject({
      kind: z.literal("Categorical"),
      name,
      missing: Count,
      /** The most frequent ones. */
      values: z.array(z.string().max(1024)).max(64),
      counts: z.array(Count).max(64),
      /** Cells with another value. */
      other: Count,
    })
    .refine(({ values, counts }) => counts.length === values.length, {
      error: "there must be a count for each value",
    }),
  z.strictObject({ kind: z.literal("Presence"), name, missing: Count, present: Count }),
]);
export type ColumnDistribution = z.infer<typeof ColumnDistribution>;

export const TrainingProfile = z.strictObject({
  schemaVersion: z.literal(1),
  rows: Count,
  columns: z.array(ColumnDistribution).max(100),
});
export type TrainingProfile = z.infer<typeof TrainingProfile>;
