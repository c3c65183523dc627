/**
 * One HTTP exchange under our rules: bounded, never redirected, and remembered.
 *
 * The SDK reads whole bodies without a bound, hides response headers (Retry-After), drops the cause of a network error
 * and would follow a redirect with the key in its headers. See docs/decisions/0007-gemini-sdk.md.
 */

/** A reply has at most some 65,000 tokens; whatever is larger than this is not one. */
export const MAX_REPLY_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BYTES = 256 * 1024;

export type Exchange = {
  /** Absent until the service answered with a status. */
  status?: number;
  headers?: Headers;
  /** The whole body; of an error the first 256 KiB. Absent where it did not arrive. */
  body?: string;
  /** What went wrong below HTTP. */
  failure?: unknown;
};

export class ReplyTooLargeError extends Error {
  override readonly name = "ReplyTooLargeError";
}

/** A `fetch` for a single request, and the record of what happened to it. */
export function recordedFetch(
  underlying: typeof fetch,
  signal: AbortSignal,
): { readonly fetch: typeof fetch; readonly exchange: Exchange } {
  const exchange: Exchange = {};
  return {
    exchange,
    fetch: async (input, init) => {
      try {
        const response = await underlying(input, { ...init, signal, redirect: "manual" });
        exchange.status = response.status;
        exchange.headers = response.headers;
        const body = await readBody(response);
        exchange.body = body;
        if (response.ok) return new Response(body, { headers: { "content-type": "application/json" } });
      } catch (failure) {
        exchange.failure = failure;
        throw failure;
      }
      throw new Error(`status ${exchange.status}`);
    },
  };
}

async function readBody(response: Response): Promise<string> {
  const limit = response.ok ? MAX_REPLY_BYTES : MAX_ERROR_BYTES;
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the stream and with it the connection.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) {
      if (response.ok) throw new ReplyTooLargeError(`more than ${limit} bytes`);
      break;
    }
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/**
 * Runs `start` with `replacement` in the place of the global fetch, which is put back before anything else can run.
 *
 * The SDK takes the global fetch as a default argument, synchronously, in the call that starts the request, and offers
 * no other way in.
 */
export function startWithFetch<T>(replacement: typeof fetch, start: () => T): T {
  const original = globalThis.fetch;
  globalThis.fetch = replacement;
  try {
    return start();
  } finally {
    globalThis.fetch = original;
  }
}
