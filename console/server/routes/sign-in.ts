/** Signing in and out. */
import type { FastifyPluginAsync } from "fastify";
import { z } from "zod";
import type { Served } from "../app.ts";
import { ConsoleError } from "../errors.ts";

const Credential = z.strictObject({ credential: z.string().min(1).max(8192) });

export const signInRoutes: FastifyPluginAsync<Served> = async (app, served) => {
  const { sessions, cookie, signIn } = served;
  app.get("/api/sign-in", async () => ({ how: served.how }));
  app.post(
    "/api/sign-in",
    { bodyLimit: 16_384, config: { rateLimit: { max: served.signInsPerMinute, timeWindow: "1 minute" } } },
    async (request, reply) => {
      const { success, data } = Credential.safeParse(request.body);
      if (!success) throw new ConsoleError("Invalid", "expected a credential");
      const { user, token, until } = await signIn(data.credential);
      const session = sessions.begin(user, token, until);
      reply.setCookie(cookie.name, await sessions.seal(session), {
        ...cookie.attributes,
        maxAge: Math.floor(sessions.left(session) / 1000),
      });
      return { user: session.user, expires: session.expires };
    },
  );
  app.post("/api/sign-out", { bodyLimit: 1024 }, async (request, reply) => {
    const session = await sessions.open(request.cookies[cookie.name]);
    if (session) sessions.revoke(session);
    reply.clearCookie(cookie.name, cookie.attributes);
    return reply.code(204).send();
  });
};
