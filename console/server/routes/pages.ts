/** The built pages: one document for every address, and files whose names change with their content. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyPluginAsync } from "fastify";
import { ConsoleError } from "../errors.ts";
import { newNonce, pagePolicy } from "../security.ts";

/** Stands in the built document where the nonce of an answer goes. */
const PLACEHOLDER = "__CSP_NONCE__";

export const pageRoutes: FastifyPluginAsync<{ readonly pages: string }> = async (app, { pages }) => {
  const document = readFileSync(join(pages, "index.html"), "utf8");
  await app.register(fastifyStatic, {
    root: join(pages, "assets"),
    prefix: "/assets/",
    preCompressed: true,
    wildcard: true,
    index: false,
    cacheControl: false,
    setHeaders: (reply) => void reply.header("cache-control", "public, max-age=31536000, immutable"),
  });
  app.get("/*", async (request, reply) => {
    const path = request.url.split("?")[0] ?? "";
    if (path.startsWith("/api/")) throw new ConsoleError("Missing", "there is nothing at this address");
    const nonce = newNonce();
    return reply
      .header("content-security-policy", pagePolicy(nonce))
      .type("text/html; charset=utf-8")
      .send(document.replaceAll(PLACEHOLDER, nonce));
  });
};
