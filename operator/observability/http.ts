/** The operator's HTTP: /healthz, /readyz, /metrics, and journals for those who may read the job. */
import fastify, { type FastifyInstance } from "fastify";

export type Verdict = { readonly ok: boolean; readonly detail: string };

/** What a caller may read: Denied 403, Unauthenticated 401, Unavailable 503, Missing 404. */
export type JournalAnswer =
  | { readonly outcome: "Found"; readonly job: unknown; readonly entries: readonly unknown[] }
  | {
      readonly outcome: "Denied" | "Unauthenticated" | "Unavailable" | "Missing";
      readonly message: string;
    };

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
};

const CODES = { Found: 200, Denied: 403, Unauthenticated: 401, Unavailable: 503, Missing: 404 } as const;
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
  app.get<{ Params: { namespace: string; name: string }; Querystring: { after: number } }>(
    "/journals/:namespace/:name",
    {
      schema: {
        params: {
          type: "object",
          properties: {
            namespace: { type: "string", maxLength: 63, pattern: NAME },
            name: { type: "string", maxLength: 63, pattern: NAME },
          },
        },
        querystring: {
          type: "object",
          properties: { after: { type: "integer", minimum: -1, maximum: 1_000_000, default: -1 } },
        },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const header = request.headers[TOKEN_HEADER] ?? request.headers.authorization ?? "";
      const token = String(header).replace(/^Bearer /, "");
      const found =
        token === ""
          ? ({ outcome: "Unauthenticated", message: `give a bearer token in ${TOKEN_HEADER}` } as const)
          : await sources.journal({ token, namespace, name, after: request.query.after });
      return reply.code(CODES[found.outcome]).send(found);
    },
  );
  return app;
}

function answer(
  reply: { code(code: number): { send(body: string): unknown } },
  { ok, detail }: Verdict,
): unknown {
  return reply.code(ok ? 200 : 503).send(`${detail}\n`);
}
