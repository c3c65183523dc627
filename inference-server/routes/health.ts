/** Probes and metrics. Ready means that the model has answered its reference rows as it did when it was published. */
import type { FastifyPluginAsync } from "fastify";
import type { Served } from "../app.ts";

export const healthRoutes: FastifyPluginAsync<Served> = async (fastify, { runtime, metrics }) => {
  fastify.get("/healthz", { schema: { tags: ["health"], summary: "Whether the server runs" } }, async () => ({
    live: true,
  }));
  fastify.get(
    "/readyz",
    { schema: { tags: ["health"], summary: "Whether the model answers" } },
    async (_, reply) => {
      const { ready, lastFailure } = runtime.status();
      return reply
        .code(ready ? 200 : 503)
        .send({ ready, ...(ready ? {} : { reason: lastFailure ?? "starting" }) });
    },
  );
  fastify.get("/metrics", { schema: { hide: true } }, async (_, reply) =>
    reply
      .type(metrics.registry.contentType)
      .serializer(String)
      .send(await metrics.registry.metrics()),
  );
};
