/** GET /v1/model: what is served, what it is worth, and by which engine. */
import type { FastifyPluginAsync } from "fastify";
import type { Served } from "../app.ts";
import { exampleRow } from "../schema/openapi.ts";

export const modelRoutes: FastifyPluginAsync<Served> = async (fastify, { model, schema, runtime }) => {
  const { manifest, digest } = model;
  const { name, description, task, target, classes, metric, features, scores, provenance } = manifest;
  fastify.get(
    "/v1/model",
    { schema: { tags: ["model"], summary: "The model, its schema, its scores, and what serves it" } },
    async () => ({
      name,
      description,
      digest,
      task,
      target,
      classes,
      metric,
      scores,
      features,
      example: exampleRow(schema),
      job: provenance.job,
      environment: provenance.environment,
      runtime: runtime.status(),
    }),
  );
};
