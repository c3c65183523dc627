/** The console's server, put together: it listens nowhere, and knows neither home nor cluster. */
import cookiePlugin, { type CookieSerializeOptions } from "@fastify/cookie";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import { fastifyTRPCPlugin } from "@trpc/server/adapters/fastify";
import Fastify, { type FastifyInstance, type FastifyRequest, LogController } from "fastify";
import { ConsoleError, refusalOf, STATUS } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import type { Provider } from "./oidc.ts";
import { appRouter } from "./router/index.ts";
import type { Context } from "./router/trpc.ts";
import { artifactRoutes } from "./routes/artifacts.ts";
import { pageRoutes } from "./routes/pages.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { uploadRoutes } from "./routes/uploads.ts";
import { checkOrigin, type Origins, protect } from "./security.ts";
import type { Session, Sessions } from "./session.ts";

export type SignedIn = {
  readonly user: string;
  /** What the cluster is asked with. */
  readonly token?: string;
  /** Seconds since 1970 at which the credential ends. */
  readonly until?: number;
};

export type ConsoleOptions = {
  readonly sessions: Sessions;
  /** Who the credential belongs to. Throws ConsoleError (Unauthenticated) where it is none. */
  readonly signIn: (credential: string) => Promise<SignedIn>;
  readonly gatewayOf: (session: Session) => Gateway;
  readonly origins: Origins;
  readonly cookieName: string;
  /** Whether it is reached over https. */
  readonly secure: boolean;
  /** What is asked for: the one-time address of the terminal, or a token. */
  readonly how: "Address" | "Token";
  /** Where people may sign in as well; its tokens go through `signIn`. */
  readonly provider?: Provider | undefined;
  /** Folder of the built pages; absent: the API alone. */
  readonly pages?: string;
  readonly signInsPerMinute?: number;
  /** Told of what failed and was not foreseen. */
  readonly onFault: (what: string, error: unknown) => void;
};

export type Served = {
  readonly sessions: Sessions;
  readonly signIn: ConsoleOptions["signIn"];
  readonly signInsPerMinute: number;
  readonly how: ConsoleOptions["how"];
  readonly provider: Provider | undefined;
  readonly cookie: { readonly name: string; readonly attributes: CookieSerializeOptions };
  /** Throws ConsoleError where nobody is signed in. */
  readonly signedIn: (request: FastifyRequest) => Promise<{ session: Session; gateway: Gateway }>;
};

const BODY_BYTES = 1024 ** 2;

export async function consoleApp(options: ConsoleOptions): Promise<FastifyInstance> {
  const { sessions, gatewayOf, origins } = options;
  const app = Fastify({
    logger: false,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES,
    routerOptions: { maxParamLength: 500 },
    forceCloseConnections: true,
    onProtoPoisoning: "remove",
    onConstructorPoisoning: "remove",
  });
  app.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook("onRequest", async (request) => checkOrigin(request, origins));
  app.addHook("onSend", async (_request, reply) => protect(reply));
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = answerOf(error);
    if (status >= 500) options.onFault(`${request.method} ${request.url.split("?")[0]}`, error);
    return reply.code(status).send(body);
  });
  await app.register(helmet, {
    contentSecurityPolicy: false,
    referrerPolicy: { policy: "no-referrer" },
    strictTransportSecurity: options.secure ? { maxAge: 31_536_000 } : false,
  });
  await app.register(cookiePlugin);
  await app.register(rateLimit, {
    global: false,
    errorResponseBuilder: () => new ConsoleError("TooMany", "too many tries: wait a minute"),
  });

  const signedIn: Served["signedIn"] = async (request) => {
    const session = await sessions.open(request.cookies[options.cookieName]);
    if (!session)
      throw new ConsoleError("Unauthenticated", "sign in: the session is over, or there was none");
    return { session, gateway: gatewayOf(session) };
  };
  const served: Served = {
    sessions,
    signIn: options.signIn,
    signInsPerMinute: options.signInsPerMinute ?? 10,
    how: options.how,
    provider: options.provider,
    cookie: {
      name: options.cookieName,
      attributes: { path: "/", httpOnly: true, sameSite: "strict", secure: options.secure },
    },
    signedIn,
  };
  await app.register(signInRoutes, served);
  await app.register(uploadRoutes, served);
  await app.register(artifactRoutes, served);
  await app.register(fastifyTRPCPlugin, {
    prefix: "/api/trpc",
    trpcOptions: {
      router: appRouter,
      allowMethodOverride: true,
      async createContext({ req }: { req: FastifyRequest }): Promise<Context> {
        const session = await sessions.open(req.cookies[options.cookieName]);
        return {
          session,
          gateway: session ? gatewayOf(session) : undefined,
          left: session ? sessions.left(session) : 0,
        };
      },
      onError({ path, error }: { path?: string | undefined; error: { code: string; cause?: unknown } }) {
        if (error.code === "INTERNAL_SERVER_ERROR") options.onFault(path ?? "", error.cause ?? error);
      },
    },
  });
  app.get("/healthz", async () => "ok\n");
  if (options.pages !== undefined) await app.register(pageRoutes, { pages: options.pages });
  return app;
}

/** One sentence and a word; never a stack. */
function answerOf(error: unknown): { status: number; body: object } {
  const told = refusalOf(error);
  if (told) {
    const { refusal, message, detail } = told;
    return {
      status: STATUS[refusal],
      body: { error: message, reason: refusal, ...(detail ? { detail } : {}) },
    };
  }
  const { statusCode = 500, message } = error as { statusCode?: number; message?: string };
  if (statusCode < 500) {
    return { status: statusCode, body: { error: String(message).slice(0, 300), reason: "Invalid" } };
  }
  return {
    status: 500,
    body: { error: "something failed that should not; the console's log has it", reason: "Fault" },
  };
}
