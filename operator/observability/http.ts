/**
 * The operator's HTTP: /healthz, /readyz, /metrics, journals for those who may read the job, and prediction logs for those who may
 * read the deployment.
 */
import { Readable } from "node:stream";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";

export type Verdict = { readonly ok: boolean; readonly detail: string };

/** Why a caller may not read something: Denied 403, Unauthenticated 401, Unavailable 503, Missing 404, Busy 429. */
export type Refusal = {
  readonly outcome: "Denied" | "Unauthenticated" | "Unavailable" | "Missing" | "Busy";
  readonly message: string;
};

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
};

const CODES = {
  ...{ Found: 200, Denied: 403, Unauthenticated: 401, Unavailable: 503, Missing: 404 },
  Busy: 429,
} as const;
/** Prediction logs that are read at once: each holds a segment in memory. */
const READERS = 4;
/** For one part of a log: who reads more slowly than that keeps others out. */
const PART_SECONDS = 120;
/** The API server's proxy takes Authorization away: it is meant for itself. */
const TOKEN_HEADER = "x-autoai-token";
const NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

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
  let readers = 0;
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
      if (readers >= READERS) {
        const message = `${READERS} prediction logs are being read: try again in a minute`;
        return reply.code(CODES.Busy).header("retry-after", "30").send({ outcome: "Busy", message });
      }
      readers++;
      const stream = Readable.from(found.frames, { objectMode: false });
      const late = setTimeout(() => stream.destroy(new Error("read too slowly")), PART_SECONDS * 1000);
      stream.once("close", () => {
        readers--;
        clearTimeout(late);
      });
      return reply.header("content-type", "application/octet-stream").send(stream);
    },
  );
  return app;
}

type Named = { namespace: string; name: string };
const NAMED = {
  type: "object",
  properties: {
    namespace: { type: "string", maxLength: 63, pattern: NAME },
    name: { type: "string", maxLength: 63, pattern: NAME },
  },
};
const NO_TOKEN: Refusal = { outcome: "Unauthenticated", message: `give a bearer token in ${TOKEN_HEADER}` };

function tokenOf({ headers }: FastifyRequest): string {
  return String(headers[TOKEN_HEADER] ?? headers.authorization ?? "").replace(/^Bearer /, "");
}

function answer(
  reply: { code(code: number): { send(body: string): unknown } },
  { ok, detail }: Verdict,
): unknown {
  return reply.code(ok ? 200 : 503).send(`${detail}\n`);
}
