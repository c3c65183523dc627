/**
 * Signing in at an OpenID provider: the authorization code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0). What
 * comes of it is an ID token; whether that is worth anything is for the API server to say, which has to trust the same provider.
 */
import * as oidc from "openid-client";
import { z } from "zod";
import { ConsoleError } from "./errors.ts";
import { openSealed, seal } from "./session.ts";

export type ProviderOptions = {
  /** As the API server knows it (`--oidc-issuer-url`): where `/.well-known/openid-configuration` is below. */
  readonly issuer: string;
  /** The audience that the API server takes (`--oidc-client-id`). */
  readonly clientId: string;
  /** Absent: a public client, by PKCE alone. */
  readonly clientSecret?: string | undefined;
  readonly scopes: string;
  /** What people call it. */
  readonly label: string;
  /** 32 bytes, for what the browser keeps while it is at the provider. */
  readonly key: Uint8Array;
  readonly now: () => number;
};

/** Where browsers come back to, below the console's origin: a page, which hands what it was given on. */
export const CALLBACK = "/sign-in/callback";
/** How long somebody may be at the provider. */
export const TRY_SECONDS = 600;

/** What this try is known by, when the browser comes back. */
const Try = z.object({
  purpose: z.literal("sign-in"),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirect: z.string(),
});

const DISCOVERY_SECONDS = 10;

export class Provider {
  readonly #options: ProviderOptions;
  #known: Promise<oidc.Configuration> | undefined;

  constructor(options: ProviderOptions) {
    this.#options = options;
  }

  get label(): string {
    return this.#options.label;
  }

  /**
   * Where to send the browser, and what it keeps meanwhile (encrypted, for `TRY_SECONDS`).
   * @param origin of the console, as the browser has it
   */
  async begin(origin: string): Promise<{ readonly url: string; readonly kept: string }> {
    const configuration = await this.#configuration();
    const verifier = oidc.randomPKCECodeVerifier();
    const [state, nonce, redirect] = [oidc.randomState(), oidc.randomNonce(), `${origin}${CALLBACK}`];
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirect,
      scope: this.#options.scopes,
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    const kept = await seal(this.#options.key, this.#seconds() + TRY_SECONDS, {
      purpose: "sign-in",
      state,
      nonce,
      verifier,
      redirect,
    });
    return { url: url.href, kept };
  }

  /**
   * The ID token, by the code that the provider sent the browser back with. Throws ConsoleError where the answer does not belong to
   * this try, or the token's signature, issuer, audience, time or nonce is not as it should be.
   * @param query of the address at which the browser came back
   */
  async finish(query: string, kept: string | undefined): Promise<string> {
    const opened = Try.safeParse(await openSealed(this.#options.key, kept, this.#options.now()));
    if (!opened.success) {
      throw new ConsoleError(
        "Unauthenticated",
        "this sign-in was begun in another browser, or too long ago: begin it again",
      );
    }
    const { state, nonce, verifier, redirect } = opened.data;
    const back = new URL(redirect);
    back.search = query;
    const configuration = await this.#configuration();
    try {
      const tokens = await oidc.authorizationCodeGrant(configuration, back, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      return tokens.id_token ?? "";
    } catch (error) {
      throw refusedBy(error);
    }
  }

  /** Learned at the first sign-in: a provider that is away does not keep the console from starting. */
  #configuration(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret } = this.#options;
    this.#known ??= oidc
      .discovery(
        new URL(issuer),
        clientId,
        undefined,
        clientSecret === undefined ? oidc.None() : oidc.ClientSecretBasic(clientSecret),
        // The signature is checked here as well, so that what the API server says later is about trust, not about forgery.
        { execute: [oidc.enableNonRepudiationChecks], timeout: DISCOVERY_SECONDS },
      )
      .catch(() => {
        this.#known = undefined;
        throw new ConsoleError("Unavailable", `${this.label} does not answer: try again in a moment`);
      });
    return this.#known;
  }

  #seconds(): number {
    return Math.floor(this.#options.now() / 1000);
  }
}

/** In words, without what the provider or an address says in free text. */
function refusedBy(error: unknown): ConsoleError {
  if (error instanceof oidc.WWWAuthenticateChallengeError) {
    return new ConsoleError(
      "Unavailable",
      "the provider does not take this console's client id and secret: whoever runs the console has to set them right",
    );
  }
  const why =
    error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError
      ? `the provider said ${/^[\x21-\x7e]{1,64}$/.test(error.error) ? error.error : "no"}`
      : error instanceof oidc.ClientError
        ? `what came back is not as expected (${error.code ?? error.name})`
        : undefined;
  return why === undefined
    ? new ConsoleError("Unavailable", "the provider does not answer: try again in a moment")
    : new ConsoleError("Unauthenticated", `signing in did not work: ${why}. Begin it again`);
}
