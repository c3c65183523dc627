/** Models: what a READY job published, and what it answers. */
import { z } from "zod";
import { ResourceName } from "../../../operator/api/meta.ts";
import { Profile } from "../../../operator/api/profile.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { dataKey, readJson } from "../../../operator/evaluation/context.ts";
import { ConsoleError } from "../errors.ts";
import { explained } from "../explain.ts";
import type { Gateway, Models, Place } from "../gateway.ts";
import { rowOf } from "../rows.ts";
import { PlaceInput, procedure, router } from "./trpc.ts";

const Cell = z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()]);
const Row = z
  .record(z.string().max(256), Cell)
  .refine((row) => Object.keys(row).length <= 10_000, { error: "a row has at most 10,000 columns" });

export type LoggedPrediction = {
  readonly time: string;
  readonly requestId: string;
  readonly milliseconds: number;
  readonly predictions: readonly string[];
  /** As JSON, cut. */
  readonly inputs: string;
};

const SHOWN = 200;
const INPUTS = 600;

export const models = router({
  get: procedure.input(PlaceInput).query(async ({ ctx, input }) => {
    const { job, models: asked } = await modelOf(ctx.gateway, input);
    const { files: _, ...manifest } = await asked.manifest(job);
    return { manifest, digest: job.status?.model?.digest ?? "", uri: job.status?.model?.uri ?? "" };
  }),

  examples: procedure.input(PlaceInput).query(async ({ ctx, input }) => {
    const { job, models: asked } = await modelOf(ctx.gateway, input);
    return asked.examples(job);
  }),

  predict: procedure
    .input(z.strictObject({ place: PlaceInput, row: Row }))
    .mutation(async ({ ctx, input }) => {
      const { job, models: asked } = await modelOf(ctx.gateway, input.place);
      const { predictions, probabilities, warnings } = await asked.predict(job, [input.row]);
      return {
        prediction: predictions[0] ?? "",
        probabilities: probabilities?.[0],
        warnings: warnings.map((warning) => wordsOf(warning)).slice(0, 50),
      };
    }),

  explain: procedure
    .input(z.strictObject({ place: PlaceInput, row: Row }))
    .mutation(async ({ ctx, input }) => {
      const { job, models: asked } = await modelOf(ctx.gateway, input.place);
      const profile = await readJson(ctx.gateway.store, dataKey(job, "profile.json"), Profile);
      return explained(await asked.manifest(job), profile, input.row, (rows) => asked.predict(job, rows));
    }),

  /** Serves the model of this job: by a deployment of that name, which is made where there is none. */
  deploy: procedure
    .input(z.strictObject({ place: PlaceInput, deployment: ResourceName }))
    .mutation(async ({ ctx, input }) => {
      const { namespace, name } = input.place;
      if (!ctx.gateway.deploy) {
        throw new ConsoleError("Unavailable", "on one machine, autoai serve serves a model");
      }
      return rowOf(await ctx.gateway.deploy({ namespace, name: input.deployment, job: name }));
    }),

  /** Of a deployment, not of a job. */
  traffic: procedure.input(PlaceInput).query(async ({ ctx, input }) => {
    await ctx.gateway.get("ModelDeployment", input);
    if (!ctx.gateway.models?.traffic) {
      throw new ConsoleError("Unavailable", "on one machine nothing is deployed");
    }
    return ctx.gateway.models.traffic(input);
  }),

  log: procedure
    .input(z.strictObject({ place: PlaceInput, since: z.number().min(0), contains: z.string().max(200) }))
    .query(async ({ ctx, input }) => {
      const { job, models: asked } = await modelOf(ctx.gateway, input.place);
      const kept: string[] = [];
      let matching = 0;
      for await (const line of asked.log(job, input.since)) {
        if (!line.includes(input.contains)) continue;
        matching += 1;
        kept.push(line);
        if (kept.length > SHOWN) kept.shift();
      }
      // Newest first, whichever deployment was asked.
      const entries = kept.map(loggedOf).sort((one, other) => other.time.localeCompare(one.time));
      return { matching, entries };
    }),
});

/** The job, read with the user's rights, and the way to its model. */
export async function modelOf(gateway: Gateway, place: Place): Promise<{ job: TrainingJob; models: Models }> {
  const job = await gateway.get("TrainingJob", place);
  if (job.status?.state !== "READY") {
    throw new ConsoleError(
      "Conflict",
      `the job ${place.name} has no model: it is ${job.status?.state ?? "not begun"}`,
    );
  }
  if (!gateway.models) {
    throw new ConsoleError(
      "Unavailable",
      "models are not asked through this console: ask the model's own URL",
    );
  }
  return { job, models: gateway.models };
}

function wordsOf(warning: unknown): string {
  const { field, message } = warning as { field?: unknown; message?: unknown };
  return `${String(field)}: ${String(message)}`.slice(0, 300);
}

function loggedOf(line: string): LoggedPrediction {
  const { time, requestId, milliseconds, predictions, inputs } = JSON.parse(line) as Record<string, unknown>;
  return {
    time: String(time).slice(0, 40),
    requestId: String(requestId).slice(0, 128),
    milliseconds: Number(milliseconds),
    predictions: (Array.isArray(predictions) ? predictions : [])
      .slice(0, 20)
      .map((one) => String(one).slice(0, 200)),
    inputs: JSON.stringify(inputs ?? null).slice(0, INPUTS),
  };
}
