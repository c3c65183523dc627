/** The server, as the pages ask it. */
import { createTRPCClient, httpLink, httpSubscriptionLink, splitLink, TRPCClientError } from "@trpc/client";
import type { AppRouter } from "../../server/router/index.ts";

const HEADERS = { "x-autoai-console": "1" };
const url = "/api/trpc";

export const api = createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: ({ type }) => type === "subscription",
      true: httpSubscriptionLink({ url }),
      false: httpLink({ url, methodOverride: "POST", headers: HEADERS }),
    }),
  ],
});

export type Refused = "UNAUTHORIZED" | "FORBIDDEN" | "NOT_FOUND" | "OTHER";

export class RequestError extends Error {
  readonly status: number;
  readonly detail: Readonly<Record<string, unknown>>;
  constructor(status: number, message: string, detail: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.status = status;
    this.detail = detail;
  }
}

/** A route that is no procedure. Throws RequestError with the server's sentence. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(path, { ...init, headers: { ...HEADERS, ...init.headers } });
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as {
    error?: string;
    detail?: Record<string, unknown>;
  };
  throw new RequestError(
    response.status,
    body.error ?? `the server answered ${response.status}`,
    body.detail,
  );
}

export function refusalOf(error: unknown): Refused {
  const status =
    error instanceof RequestError
      ? error.status
      : error instanceof TRPCClientError
        ? ((error.data as { httpStatus?: number } | undefined)?.httpStatus ?? 0)
        : 0;
  if (status === 401) return "UNAUTHORIZED";
  if (status === 403) return "FORBIDDEN";
  return status === 404 ? "NOT_FOUND" : "OTHER";
}

/** A sentence for people, whatever failed. */
export function sentenceOf(error: unknown): string {
  if (error instanceof TRPCClientError && error.data === undefined) {
    return "The console does not answer. Is it still running?";
  }
  if (error instanceof TypeError) return "The console does not answer. Is it still running?";
  return error instanceof Error ? error.message : String(error);
}
