/** Signing in, by a credential or at an OpenID provider, and out. */
import type { FastifyPluginAsync, FastifyReply } from "fastify";
import { z } from "zod";
import type { Served, SignedIn } from "../app.ts";
import { ConsoleError } from "../errors.ts";
import { TRY_SECONDS } from "../oidc.ts";
import { parsed } from "./parsed.ts";

const Credential = z.strictObject({ credential: z.string().min(1).max(8192) });
const Returned = z.strictObject({ query: z.string().max(8192) });

export const signInRoutes: FastifyPluginAsync<Served> = async (app, served) => {
  const { sessions, cookie, signIn, provider } = served;
  const limited = {
    bodyLimit: 16_384,
    config: { rateLimit: { max: served.signInsPerMinute, timeWindow: "1 minute" } },
  };
  // What a browser keeps while it is at the provider.
  const tryCookie = `${cookie.name}-try`;

  async function begun(reply: FastifyReply, { user, token, until }: SignedIn): Promise<object> {
    const session = sessions.begin(user, token, until);
    reply.setCookie(cookie.name, await sessions.seal(session), {
      ...cookie.attributes,
      maxAge: Math.floor(sessions.left(session) / 1000),
    });
    return { user: session.user, expires: session.expires };
  }

  app.get("/api/sign-in", async () => ({
    how: served.how,
    ...(provider ? { provider: provider.label } : {}),
  }));
  app.post("/api/sign-in", limited, async (request, reply) => {
    const { success, data } = Credential.safeParse(request.body);
    if (!success) throw new ConsoleError("Invalid", "expected a credential");
    return begun(reply, await signIn(data.credential));
  });
  if (provider) {
    app.post("/api/sign-in/begin", limited, async (request, reply) => {
      // Known to be one of the console's own, or the request would have been refused (security.ts).
      const { url, kept } = await provider.begin(request.headers.origin ?? "");
      reply.setCookie(tryCookie, kept, { ...cookie.attributes, maxAge: TRY_SECONDS });
      return { url };
    });
    app.post("/api/sign-in/finish", limited, async (request, reply) => {
      const { query } = parsed(Returned, request.body);
      reply.clearCookie(tryCookie, cookie.attributes);
      const token = await provider.finish(query, request.cookies[tryCookie]);
      return begun(reply, await signIn(token).catch((error: unknown) => Promise.reject(untrusted(error))));
    });
  }
  app.post("/api/sign-out", { bodyLimit: 1024 }, async (request, reply) => {
    const session = await sessions.open(request.cookies[cookie.name]);
    if (session) sessions.revoke(session);
    reply.clearCookie(cookie.name, cookie.attributes);
    return reply.code(204).send();
  });
};

/** Who did sign in is not asked to try another token: it is for whoever runs the cluster to have it trust the provider. */
function untrusted(error: unknown): unknown {
  if (!(error instanceof ConsoleError) || error.refusal !== "Unauthenticated") return error;
  return new ConsoleError(
    "Unauthenticated",
    `the provider signed you in, but the cluster does not take its word: ${error.message}`,
  );
}
