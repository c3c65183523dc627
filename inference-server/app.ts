/** The server as a plugin: routes over a ModelRuntime. It listens nowhere; tests use inject(), server.ts listens. */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { readJsonBodies } from "./bodies.ts";
import type { DriftMonitor } from "./drift/monitor.ts";
import { InvalidRowsError, RequestError } from "./errors.ts";
import type { PredictionLog } from "./log/prediction-log.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelPackage } from "./package/verify.ts";
import { healthRoutes } from "./routes/health.ts";
import { modelRoutes } from "./routes/model.ts";
import { openInferenceRoutes } from "./routes/open-inference.ts";
import { predictRoutes } from "./routes/predict.ts";
import type { ModelRuntime } from "./runtime/runtime.ts";
import type { ModelSchema } from "./schema/columns.ts";

export type Served = {
  readonly model: ModelPackage;
  readonly schema: ModelSchema;
  readonly runtime: ModelRuntime;
  readonly metrics: Metrics;
  readonly log: PredictionLog;
  /** undefined where the package does not say what the model was trained on. */
  readonly drift: DriftMonitor | undefined;
  /** Rows that one request may have. */
  readonly maxRows: number;
};

export const app: FastifyPluginAsync<Served> = async (fastify, served) => {
  // Rows are checked by schema/rows.ts, which names every fault; the schemas of the routes are for documentation.
  fastify.setValidatorCompiler(() => (value) => ({ value }));
  fastify.setSerializerCompiler(() => (value) => JSON.stringify(value));
  readJsonBodies(fastify);
  fastify.setErrorHandler(answerError);
  fastify.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: `there is no ${request.method} ${request.url.split("?")[0]?.slice(0, 200)}; /docs lists what there is`,
      reason: "NotFound",
      requestId: request.id,
    }),
  );
  fastify.addHook("onSend", async (request, reply) => {
    reply.header("x-request-id", request.id);
  });
  fastify.addHook("onRequest", async (request, reply) => {
    if (request.method !== "POST") return;
    served.metrics.inFlight(1);
    // Whether it was answered, or its client went.
    reply.raw.once("close", () => served.metrics.inFlight(-1));
  });
  fastify.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "other";
    served.metrics.request(route, reply.statusCode, reply.elapsedTime / 1000);
  });
  const { manifest, digest } = served.model;
  await fastify.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: manifest.name, description: manifest.description, version: digest },
    },
  });
  await fastify.register(swaggerUi, { routePrefix: "/docs" });
  await fastify.register(predictRoutes, served);
  await fastify.register(openInferenceRoutes, served);
  await fastify.register(modelRoutes, served);
  await fastify.register(healthRoutes, served);
  fastify.get("/openapi.json", { schema: { hide: true } }, async () => fastify.swagger());
};

/** One sentence, one word and the request's id; never a stack. */
export function answerError(
  this: FastifyInstance,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const known = error as { statusCode?: number; code?: string; message?: string };
  if (error instanceof RequestError) {
    if (error.retryAfter !== undefined) reply.header("retry-after", String(error.retryAfter));
    void reply.code(error.statusCode).send({
      error: error.message,
      reason: error.reason,
      requestId: request.id,
      ...(error instanceof InvalidRowsError ? { problems: error.problems } : {}),
    });
    if (error.statusCode >= 500) request.log.warn({ reason: error.reason }, error.message);
    return;
  }
  const status = known.statusCode ?? 500;
  if (status < 500) {
    const reason = status === 413 ? "BodyTooLarge" : status === 415 ? "NotJson" : "InvalidRequest";
    void reply.code(status).send({
      error: (known.message ?? "the request cannot be read").slice(0, 500),
      reason,
      requestId: request.id,
    });
    return;
  }
  request.log.error({ err: error }, "unexpected");
  void reply.code(500).send({
    error: "something failed that should not; the server's log has it under this request id",
    reason: "Internal",
    requestId: request.id,
  });
}
