/** Who asks the operator's HTTP for something of an object, and how that is refused. */
import type { FastifyRequest } from "fastify";
import { NAME_PATTERN } from "../api/meta.ts";

/** Why a caller may not read something: Denied 403, Unauthenticated 401, Unavailable 503, Missing 404, Busy 429. */
export type Refusal = {
  readonly outcome: "Denied" | "Unauthenticated" | "Unavailable" | "Missing" | "Busy";
  readonly message: string;
};

export const CODES = {
  ...{ Found: 200, Denied: 403, Unauthenticated: 401, Unavailable: 503, Missing: 404 },
  Busy: 429,
} as const;

/** The API server's proxy takes Authorization away: it is meant for itself. */
const TOKEN_HEADER = "x-autoai-token";

export const NO_TOKEN: Refusal = {
  outcome: "Unauthenticated",
  message: `give a bearer token in ${TOKEN_HEADER}`,
};

/** The bearer token of a request; empty where it has none. */
export function tokenOf({ headers }: Pick<FastifyRequest, "headers">): string {
  return String(headers[TOKEN_HEADER] ?? headers.authorization ?? "").replace(/^Bearer /, "");
}

export type Named = { namespace: string; name: string };

const NAME = NAME_PATTERN.source;
/** JSON schema of the names in a path: nothing that could lead out of it. */
export const NAMED = {
  type: "object",
  properties: {
    namespace: { type: "string", maxLength: 63, pattern: NAME },
    name: { type: "string", maxLength: 63, pattern: NAME },
  },
};
