/** The record of a TrainingJob: small and bounded; rows, transcripts and plots lie in the store. */
import { z } from "zod";
import { Conditions, ObservedGeneration, Timestamp } from "./meta.ts";

/** Kubernetes forbids floats in APIs that several languages read; scores are decimal strings, `-12.5e-3` included. */
export const DecimalString = z
  .string()
  .max(32)
  .regex(/^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$/, {
    error: 'must be a decimal number in quotes, such as "0.85"',
  });

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
