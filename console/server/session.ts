/** Sessions: who is signed in, in a cookie that only this server can read, until it expires or is revoked. */
import { randomUUID } from "node:crypto";
import { EncryptJWT, type JWTPayload, jwtDecrypt } from "jose";
import { z } from "zod";

const SEAL = { alg: "dir", enc: "A256GCM" } as const;

/** Claims that only who has the key can read, until a moment (seconds since 1970). */
export function seal(key: Uint8Array, until: number, claims: JWTPayload): Promise<string> {
  return new EncryptJWT(claims).setProtectedHeader(SEAL).setExpirationTime(until).encrypt(key);
}

/** What was sealed; undefined where it is nothing of the kind, of another key, or over. */
export async function openSealed(
  key: Uint8Array,
  sealed: string | undefined,
  now: number,
): Promise<JWTPayload | undefined> {
  if (sealed === undefined || sealed === "") return undefined;
  try {
    const { payload } = await jwtDecrypt(sealed, key, {
      keyManagementAlgorithms: [SEAL.alg],
      contentEncryptionAlgorithms: [SEAL.enc],
      currentDate: new Date(now),
    });
    return payload;
  } catch {
    return undefined;
  }
}

/** Browsers take 4096 bytes for a cookie, name and attributes included. */
export const MAX_TOKEN_BYTES = 2600;

const Claims = z.object({
  jti: z.string().max(64),
  sub: z.string().max(512),
  exp: z.number(),
  token: z.string().max(MAX_TOKEN_BYTES).optional(),
});

export type Session = {
  readonly id: string;
  readonly user: string;
  /** Seconds since 1970. */
  readonly expires: number;
  /** In a cluster: what the API server is asked with. Never sent to the browser but inside the encrypted cookie. */
  readonly token?: string | undefined;
};

export type SessionOptions = {
  /** 32 bytes. Made anew, it ends every session. */
  readonly key: Uint8Array;
  readonly seconds: number;
  readonly now: () => number;
};

const MAX_REVOKED = 10_000;

export class Sessions {
  readonly #options: SessionOptions;
  /** Ids that were signed out, with the moment from which their cookie counts for nothing anyway. */
  readonly #revoked = new Map<string, number>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** @param until seconds since 1970 at which the credential itself ends, where that is sooner */
  begin(user: string, token?: string, until = Number.POSITIVE_INFINITY): Session {
    const expires = Math.floor(Math.min(this.#seconds() + this.#options.seconds, until));
    return { id: randomUUID(), user, expires, ...(token === undefined ? {} : { token }) };
  }

  seal({ id, user, expires, token }: Session): Promise<string> {
    const claims = { jti: id, sub: user, ...(token === undefined ? {} : { token }) };
    return seal(this.#options.key, expires, claims);
  }

  /** The session, or undefined where the cookie is none, is over, or was signed out. */
  async open(cookie: string | undefined): Promise<Session | undefined> {
    const read = Claims.safeParse(await openSealed(this.#options.key, cookie, this.#options.now()));
    if (!read.success || this.#revoked.has(read.data.jti)) return undefined;
    const { jti, sub, exp, token } = read.data;
    return { id: jti, user: sub, expires: exp, token };
  }

  revoke({ id, expires }: Session): void {
    for (const [old, end] of this.#revoked) if (end < this.#seconds()) this.#revoked.delete(old);
    // Bounded: signing in is limited, so that this many cannot be signed out within the life of one.
    if (this.#revoked.size >= MAX_REVOKED) this.#revoked.delete([...this.#revoked.keys()][0] ?? "");
    this.#revoked.set(id, expires);
  }

  /** Milliseconds until the session is over. */
  left({ expires }: Session): number {
    return Math.max(0, expires * 1000 - this.#options.now());
  }

  #seconds(): number {
    return this.#options.now() / 1000;
  }
}
