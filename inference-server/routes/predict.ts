/** POST /predict: rows by the names of their columns. */
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Served } from "../app.ts";
import type { Prediction } from "../runtime/runtime.ts";
import { ERROR_SCHEMA, replySchema, requestSchema } from "../schema/openapi.ts";
import { type CheckedRows, checkBody } from "../schema/rows.ts";

export const predictRoutes: FastifyPluginAsync<Served> = async (fastify, served) => {
  const { model, schema, maxRows } = served;
  const { manifest, digest } = model;
  const about = { name: manifest.name, digest };
  fastify.post(
    "/predict",
    {
      schema: {
        summary: `Predict ${manifest.target}`,
        tags: ["predict"],
        body: requestSchema(schema, maxRows),
        response: {
          200: { description: "Predictions", ...replySchema(manifest) },
          "4xx": { description: "Not as expected", ...ERROR_SCHEMA },
          "5xx": { description: "Not now", ...ERROR_SCHEMA },
        },
      },
    },
    async (request) => {
      const checked = checkBody(schema, request.body, maxRows);
      const prediction = await answer(served, request, checked, request.body);
      const { warnings } = checked;
      return { ...named(prediction, schema.classes), model: about, requestId: request.id, warnings };
    },
  );
};

/** Predicts rows that were checked; counted and logged, whatever the protocol. */
export async function answer(
  { model, schema, runtime, metrics, log, drift }: Served,
  { id }: FastifyRequest,
  { rows, warnings }: CheckedRows,
  inputs: unknown,
): Promise<Prediction> {
  const start = performance.now();
  const prediction = await runtime.predict(rows);
  const milliseconds = Math.round((performance.now() - start) * 1000) / 1000;
  metrics.rows(rows.count, warnings.length);
  drift?.observe(rows);
  await log.record(() => ({
    requestId: id,
    model: model.digest,
    milliseconds,
    inputs,
    ...named(prediction, schema.classes),
  }));
  return prediction;
}

/** Predictions by the names of their classes. */
export function named(
  { values, probabilities }: Prediction,
  classes: readonly string[],
): { predictions: (string | number)[]; probabilities?: Record<string, number>[] } {
  if (classes.length === 0) return { predictions: [...values] };
  const predictions = Array.from(values, (value) => classes[value] ?? "");
  if (!probabilities) return { predictions };
  const { length } = classes;
  return {
    predictions,
    probabilities: predictions.map((_, row) => {
      const byClass: Record<string, number> = {};
      for (let index = 0; index < length; index++) {
        byClass[classes[index] ?? ""] = probabilities[row * length + index] ?? 0;
      }
      return byClass;
    }),
  };
}
