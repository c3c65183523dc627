import { z } from "zod";
import { bestCandidate } from "../agent/journal.ts";
import type { Candidate } from "../api/journal.ts";
import { compareScores } from "../api/metrics.ts";
import { nextCandidateNumber, RecipeError, verify } from "../evaluation/verify.ts";
import type { SaveResult } from "./results.ts";
import type { Tool } from "./tool.ts";

const Arguments = z.strictObject({
  name: z.string().min(1).max(128).describe("A short name for people."),
  description: z
    .string()
    .max(1024)
    .describe("What the model is and how it was made, in one or two sentences."),
  entry: z.string().min(1).max(255).describe("The recipe's entry script, such as train.py."),
  claimed_score: z.number().optional().describe("The score you expect of the job's metric."),
  input_schema: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("What you know of the inputs, such as units or meanings, by column name."),
});

/** Has the operator run the recipe from a clean workspace and score it on rows whose labels the agent cannot see. */
export const saveModelSettings: Tool<z.infer<typeof Arguments>> = {
  name: "save_model_settings",
  description:
    "Declares a candidate: the operator runs the entry script in a clean workspace (your Python files, data/train.csv, data/task.json), loads trained_model.joblib in a fresh process, tries it on odd rows, and scores it on rows you cannot see. Returns the verified score, or the stage that failed and why.",
  schema: Arguments,
  dependsOn: ["files", "environment"],
  async run({
    arguments: { name, description, entry, claimed_score },
    context,
    workspace,
    label,
    step,
    secondsLeft,
  }) {
    const recipe = { files: [...workspace.files], entry, environment: workspace.environment };
    try {
      const verification = await verify(context, label, recipe, secondsLeft);
      const candidate: Candidate = {
        number: nextCandidateNumber(context),
        origin: "Agent",
        step,
        name,
        description,
        recipe,
        ...(claimed_score === undefined ? {} : { claimedScore: claimed_score }),
        ...verification,
      };
      return { response: saved(candidate, bestCandidate(context.journal.entries)), candidate };
    } catch (error) {
      if (error instanceof RecipeError) return { response: failed(error) };
      throw error;
    }
  },
};

function saved(candidate: Candidate, previous: Candidate | undefined): SaveResult {
  const { verified } = candidate;
  const versus = verified.versus.at(0);
  const best = !previous || compareScores(verified.metric, verified.score, previous.verified.score) > 0;
  return {
    ok: true,
    candidate: candidate.number,
    verifiedScore: verified.score,
    standardError: verified.standardError,
    ...(candidate.claimedScore === undefined ? {} : { claimedScore: candidate.claimedScore }),
    best,
    gain: versus?.gain ?? 0,
    gainIsNoise: versus ? Math.abs(versus.gain) <= versus.standardError : false,
    seconds: candidate.seconds,
    warnings: candidate.warnings,
  };
}

function failed(error: RecipeError): SaveResult {
  return {
    ok: false,
    stage: error.stage,
    error: error.message,
    ...(error.output ? { output: error.output } : {}),
    ...(error.traceback === undefined ? {} : { traceback: error.traceback }),
  };
}
