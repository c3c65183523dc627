/** What is asked of every request before anything reads it, and what every answer carries. */
import { randomBytes } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ConsoleError } from "./errors.ts";

/** A header that no form and no page of another origin can send without being asked for it first. */
export const CONSOLE_HEADER = "x-autoai-console";

/** Origins such as http://127.0.0.1:8790 under which the console is known; others are another site, or rebound DNS. */
export type Origins = () => readonly string[];

export const API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The report brings its styles and pictures along; it runs nothing, and cannot reach the page around it. */
export const REPORT_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    // Attributes are set by scripts through the DOM, which no policy forbids; the library's style elements have the nonce.
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "frame-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

export const newNonce = (): string => randomBytes(18).toString("base64url");

/** @throws ConsoleError where the request does not come from a page of this console */
export function checkOrigin(request: FastifyRequest, origins: Origins): void {
  // Asked by whoever runs the process, by whatever address it has for it; it says nothing but that it is there.
  if (request.url === "/healthz") return;
  const known = origins();
  const hosts = known.map((origin) => new URL(origin).host);
  if (!hosts.includes(request.headers.host ?? "")) {
    throw new ConsoleError("Denied", `this console answers at ${known.join(" and ")} alone`);
  }
  if (!request.url.startsWith("/api/")) return;
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin") throw foreign();
  if (request.method === "GET" || request.method === "HEAD") return;
  const { origin } = request.headers;
  if (origin === undefined || !known.includes(origin)) throw foreign();
  if (request.headers[CONSOLE_HEADER] !== "1") throw foreign();
}

function foreign(): ConsoleError {
  return new ConsoleError("Denied", "the request does not come from a page of this console");
}

export function protect(reply: FastifyReply): void {
  if (!reply.hasHeader("content-security-policy")) reply.header("content-security-policy", API_POLICY);
  if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
}
