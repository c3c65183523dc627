/**
 * The operator's HTTP: /healthz, /readyz, /metrics; journals, artifacts and prediction logs for those who may read what they
 * belong to.
 */
import { Readable } from "node:stream";
import fastify, { type FastifyInstance } from "fastify";
import { type ArtifactSource, artifactRoutes } from "./artifacts.ts";
import { CODES, NAMED, type Named, NO_TOKEN, type Refusal, tokenOf } from "./caller.ts";
import { Places } from "./places.ts";

export type Verdict = { readonly ok: boolean; readonly detail: string };

export type JournalAnswer =
  | { readonly outcome: "Found"; readonly job: unknown; readonly entries: readonly unknown[] }
  | Refusal;

export type PredictionsRequest = {
  readonly token: string;
  readonly namespace: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly after: string | undefined;
};

export type PredictionsAnswer =
  | {
      readonly outcome: "Found";
      /** As operator/serving/segments.ts has them. */
      readonly frames: AsyncIterable<Uint8Array>;
    }
  | Refusal;

export type HttpSources = {
  /** Whether the process is well; if not, it is restarted. */
  readonly health: () => Verdict;
  /** Whether it knows the cluster: also true of one that stands by. */
  readonly readiness: () => Verdict;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Entries after a number, for who carries this token. */
  readonly journal: (request: {
    readonly token: string;
    readonly namespace: string;
    readonly name: string;
    readonly after: number;
  }) => Promise<JournalAnswer>;
  /** A part of a prediction log, for who carries this token. */
  readonly predictions: (request: PredictionsRequest) => Promise<PredictionsAnswer>;
  readonly artifact: ArtifactSource;
};

/** For prediction logs, of which each holds a segment in memory; the time is for one part of a log. */
const LOG_BOUNDS = { streams: 4, seconds: 120 };

export function httpServer(sources: HttpSources): FastifyInstance {
  const app = fastify({ bodyLimit: 1024, requestTimeout: 30_000, forceCloseConnections: true });
  app.get("/healthz", async (_request, reply) => answer(reply, sources.health()));
  app.get("/readyz", async (_request, reply) => answer(reply, sources.readiness()));
  app.get("/metrics", async (_request, reply) => {
    const { contentType, text } = await sources.metrics();
    return reply.header("content-type", contentType).send(text);
  });
  app.get<{ Params: Named; Querystring: { after: number } }>(
    "/journals/:namespace/:name",
    {
      schema: {
        params: NAMED,
        querystring: {
          type: "object",
          properties: { after: { type: "integer", minimum: -1, maximum: 1_000_000, default: -1 } },
        },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const token = tokenOf(request);
      const found =
        token === ""
          ? NO_TOKEN
          : await sources.journal({ token, namespace, name, after: request.query.after });
      return reply.code(CODES[found.outcome]).send(found);
    },
  );
  const places = new Places(LOG_BOUNDS);
  app.get<{ Params: Named; Querystring: { since: number; after?: string } }>(
    "/predictions/:namespace/:name",
    {
      schema: {
        params: NAMED,
        querystring: {
          type: "object",
          properties: {
            since: { type: "integer", minimum: 0, maximum: 9_999_999_999_999, default: 0 },
            after: { type: "string", maxLength: 512, pattern: "^[-0-9]{10}/[-.\\w]+$" },
          },
        },
      },
    },
    async (request, reply) => {
      const token = tokenOf(request);
      const { since, after } = request.query;
      const found: PredictionsAnswer =
        token === "" ? NO_TOKEN : await sources.predictions({ token, ...request.params, since, after });
      if (found.outcome !== "Found") return reply.code(CODES[found.outcome]).send(found);
      const stream = Readable.from(found.frames, { objectMode: false });
      if (!places.take(reply, stream)) return places.refuse(reply, "prediction logs", 30);
      return reply.header("content-type", "application/octet-stream").send(stream);
    },
  );
  artifactRoutes(app, sources.artifact);
  return app;
}

function answer(
  reply: { code(code: number): { send(body: string): unknown } },
  { ok, detail }: Verdict,
): unknown {
  return reply.code(ok ? 200 : 503).send(`${detail}\n`);
}
