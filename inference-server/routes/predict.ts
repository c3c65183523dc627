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
      const { named } = await answer(served, request, checked, () => request.body);
      return { ...named(), model: about, requestId: request.id, warnings: checked.warnings };
    },
  );
};

/**
 * Predicts rows that were checked; counted and logged, whatever the protocol.
 * @param inputs as they came, for the log: asked for where it wants them
 */
export async function answer(
  { model, schema, runtime, metrics, log, drift }: Served,
  { id }: FastifyRequest,
  { rows, warnings }: CheckedRows,
  inputs: () => unknown,
): Promise<{ readonly prediction: Prediction; readonly named: () => Named }> {
  const start = performance.now();
  const prediction = await runtime.predict(rows);
  const milliseconds = Math.round((performance.now() - start) * 1000) / 1000;
  metrics.rows(rows.count, warnings.length);
  drift?.observe(rows);
  // Once, for the log, for the answer, or for both: a thousand rows are as many objects.
  let names: Named | undefined;
  const named = () => {
    names ??= nameClasses(prediction, schema.classes);
    return names;
  };
  await log.record(() => ({
    requestId: id,
    model: model.digest,
    milliseconds,
    inputs: inputs(),
    ...named(),
  }));
  return { prediction, named };
}

type Named = { predictions: (string | number)[]; probabilities?: Record<string, number>[] };

/** Predictions by the names of their classes. */
function nameClasses({ values, probabilities }: Prediction, classes: readonly string[]): Named {
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
