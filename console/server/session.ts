/** Sessions: who is signed in, in a cookie that only this server can read, until it expires or is revoked. */
import { randomUUID } from "node:crypto";
import { EncryptJWT, jwtDecrypt } from "jose";
import { z } from "zod";

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
    return new EncryptJWT(token === undefined ? {} : { token })
      .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      .setJti(id)
      .setSubject(user)
      .setExpirationTime(expires)
      .encrypt(this.#options.key);
  }

  /** The session, or undefined where the cookie is none, is over, or was signed out. */
  async open(cookie: string | undefined): Promise<Session | undefined> {
    if (cookie === undefined || cookie === "") return undefined;
    try {
      const { payload } = await jwtDecrypt(cookie, this.#options.key, {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
        currentDate: new Date(this.#options.now()),
      });
      const { jti, sub, exp, token } = Claims.parse(payload);
      return this.#revoked.has(jti) ? undefined : { id: jti, user: sub, expires: exp, token };
    } catch {
      // Another key, another form, or over: in each case nobody is signed in.
      return undefined;
    }
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
