/** The procedures' common ground: who asks, what is answered when it fails, and the heartbeat of streams. */
import { initTRPC, TRPCError } from "@trpc/server";
import { z } from "zod";
import { ResourceName } from "../../../operator/api/meta.ts";
import { ConsoleError, type Refusal, refusalOf } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import { problemOf } from "../routes/parsed.ts";
import type { Session } from "../session.ts";

export type Context = {
  readonly session: Session | undefined;
  /** The world, with the rights of the session. */
  readonly gateway: Gateway | undefined;
  /** Milliseconds until the session is over: a stream does not outlive it. */
  readonly left: number;
};

const CODES: Readonly<Record<Refusal, TRPCError["code"]>> = {
  Unauthenticated: "UNAUTHORIZED",
  Denied: "FORBIDDEN",
  Missing: "NOT_FOUND",
  Conflict: "CONFLICT",
  Invalid: "BAD_REQUEST",
  TooLarge: "PAYLOAD_TOO_LARGE",
  TooMany: "TOO_MANY_REQUESTS",
  Unavailable: "SERVICE_UNAVAILABLE",
};

const t = initTRPC.context<Context>().create({
  sse: { ping: { enabled: true, intervalMs: 10_000 }, client: { reconnectAfterInactivityMs: 30_000 } },
  errorFormatter({ shape, error }) {
    const { cause } = error;
    const known = cause instanceof ConsoleError;
    // What was not foreseen is in the server's log, and no business of the page.
    const message =
      known || error.code !== "INTERNAL_SERVER_ERROR"
        ? shape.message
        : "something failed that should not; the console's log has it";
    return {
      ...shape,
      message: cause instanceof z.ZodError ? problemOf(cause) : message,
      data: {
        code: shape.data.code,
        httpStatus: shape.data.httpStatus,
        detail: known ? cause.detail : undefined,
      },
    };
  },
});

export const { router } = t;

/** For who is signed in; with the gateway of that session. */
export const procedure = t.procedure.use(async ({ ctx, next }) => {
  const { session, gateway } = ctx;
  if (!session || !gateway) {
    throw new TRPCError({ code: "UNAUTHORIZED", message: "sign in: the session is over, or there was none" });
  }
  const result = await next({ ctx: { ...ctx, session, gateway } });
  if (!result.ok) throw refusedBy(result.error.cause) ?? result.error;
  return result;
});

/** A stream that is refused after it began, told as a procedure's refusal is. */
export async function* refusing<T>(stream: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* stream;
  } catch (error) {
    throw refusedBy(error) ?? error;
  }
}

function refusedBy(error: unknown): TRPCError | undefined {
  const cause = refusalOf(error);
  return cause && new TRPCError({ code: CODES[cause.refusal], message: cause.message, cause });
}

export const PlaceInput = z.strictObject({ namespace: ResourceName, name: ResourceName });
export const NamespaceInput = z.strictObject({ namespace: ResourceName.optional() });
export const LastEventId = z.string().max(64).nullish();

/** Ends a stream with its reader or with the session, whichever comes first. */
export function until(signal: AbortSignal | undefined, left: number): AbortSignal {
  // Timers take 2^31 ms at most.
  const over = AbortSignal.timeout(Math.min(left, 2_000_000_000));
  return signal ? AbortSignal.any([signal, over]) : over;
}
