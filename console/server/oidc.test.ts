/** Signing in at a real OpenID provider, over TLS: what a sign-in has to bring, and what of it is checked. */
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CLIENT, type OpenIdProvider, signInAt, startProvider } from "../../test/console/provider.ts";
import { consoleApp } from "./app.ts";
import { endOf } from "./cluster/user-api.ts";
import { ConsoleError } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import { Provider, TRY_SECONDS } from "./oidc.ts";
import { Sessions } from "./session.ts";

const ORIGIN = "http://127.0.0.1:8790";
const SECRET = "a secret of the console";
const HEADERS = { host: "127.0.0.1:8790", origin: ORIGIN, "x-autoai-console": "1" };
const key = new Uint8Array(32).fill(7);
const trusted = getCACertificates();

let there: OpenIdProvider;
let now: number;
let app: Awaited<ReturnType<typeof consoleApp>>;
/** Whether the API server takes the provider's tokens. */
let taken: boolean;
let faults: unknown[];

beforeAll(async () => {
  there = await startProvider({ origins: [ORIGIN], secret: SECRET });
  setDefaultCACertificates([...trusted, there.ca]);
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await there.close();
});
beforeEach(async () => {
  now = Date.now();
  taken = true;
  faults = [];
  app = await made();
});

function made(more: { issuer?: string; clientSecret?: string } = {}) {
  return consoleApp({
    sessions: new Sessions({ key, seconds: 36_000, now: () => now }),
    async signIn(token) {
      if (!taken) throw new ConsoleError("Unauthenticated", "the API server does not take this token");
      const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
      expect(claims).toMatchObject({ iss: there.issuer, aud: CLIENT });
      return { user: claims.email, token, until: endOf(token) ?? 0 };
    },
    gatewayOf: () => ({ about: {} }) as unknown as Gateway,
    origins: () => [ORIGIN],
    cookieName: "__Host-autoai-console",
    secure: true,
    how: "Token",
    provider: new Provider({
      issuer: there.issuer,
      clientId: CLIENT,
      clientSecret: SECRET,
      scopes: "openid email",
      label: "the test's people",
      key,
      now: () => now,
      ...more,
    }),
    onFault: (_, error) => faults.push(error),
  });
}

async function begun() {
  const { statusCode, headers, body } = await app.inject({
    method: "POST",
    url: "/api/sign-in/begin",
    headers: HEADERS,
    payload: {},
  });
  expect(statusCode, body).toBe(200);
  const set = String(headers["set-cookie"]);
  return { url: new URL(JSON.parse(body).url), set, cookie: set.split(";")[0] ?? "" };
}

const finish = (query: string, cookie: string) =>
  app.inject({
    method: "POST",
    url: "/api/sign-in/finish",
    headers: { ...HEADERS, ...(cookie ? { cookie } : {}) },
    payload: { query },
  });

const me = (cookie: string) =>
  app.inject({
    method: "POST",
    url: "/api/trpc/me",
    headers: { ...HEADERS, cookie, "content-type": "application/json" },
  });

test("the page is told by what name to offer the provider", async () => {
  const { body } = await app.inject({ method: "GET", url: "/api/sign-in", headers: HEADERS });
  expect(JSON.parse(body)).toEqual({ how: "Token", provider: "the test's people" });
});

test("who signs in at the provider has a session that ends with the token", async () => {
  const { url, set, cookie } = await begun();
  expect(set).toMatch(/HttpOnly/);
  expect(set).toMatch(/Secure/);
  expect(set).toMatch(/SameSite=Strict/);
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    response_type: "code",
    code_challenge_method: "S256",
    redirect_uri: `${ORIGIN}/sign-in/callback`,
  });
  for (const secret of ["state", "nonce", "code_challenge"]) {
    expect(set).not.toContain(url.searchParams.get(secret));
  }
  const back = await signInAt(url.href, "ada");
  expect(back.origin + back.pathname).toBe(`${ORIGIN}/sign-in/callback`);
  const { statusCode, headers, body } = await finish(back.search, cookie);
  expect(statusCode, body).toBe(200);
  const [gone, session = ""] = ([] as string[]).concat(headers["set-cookie"] ?? []);
  expect(gone).toMatch(/^__Host-autoai-console-try=;/);
  const { expires, user } = JSON.parse(body);
  expect(user).toBe("ada@people.test");
  // Of the provider's ten minutes, not of the console's ten hours.
  expect(expires - now / 1000).toBeLessThan(660);
  const mine = session.split(";")[0] ?? "";
  expect((await me(mine)).statusCode).toBe(200);
  now = (expires + 1) * 1000;
  expect((await me(mine)).statusCode).toBe(401);
});

describe("nobody is signed in by", () => {
  /** The provider's answer to a request that was changed on the way. */
  async function changed(change: (asked: URLSearchParams) => void) {
    const { url, cookie } = await begun();
    change(url.searchParams);
    return { query: (await signInAt(url.href, "eve")).search, cookie };
  }
  const refused = async (query: string, cookie: string, why: RegExp) => {
    const { statusCode, headers, body } = await finish(query, cookie);
    expect([statusCode, JSON.parse(body).error]).toEqual([401, expect.stringMatching(why)]);
    expect(String(headers["set-cookie"])).not.toMatch(/__Host-autoai-console=/);
  };

  test("an answer that another browser asked for", async () => {
    const { url } = await begun();
    await refused((await signInAt(url.href, "eve")).search, "", /begun in another browser/);
  });

  test("an answer to another try of the same browser", async () => {
    const { url } = await begun();
    const { cookie } = await begun();
    await refused((await signInAt(url.href, "eve")).search, cookie, /not as expected/);
  });

  test("a token that was made for another try", async () => {
    const { query, cookie } = await changed((asked) => asked.set("nonce", "another"));
    await refused(query, cookie, /not as expected/);
  });

  test("a token that was changed after it was signed", async () => {
    const { query, cookie } = await changed(() => undefined);
    there.forges = true;
    await refused(query, cookie, /not as expected/).finally(() => {
      there.forges = false;
    });
  });

  test("a code that another program asked for", async () => {
    const { query, cookie } = await changed((asked) => asked.set("code_challenge", "A".repeat(43)));
    await refused(query, cookie, /the provider said invalid_grant/);
  });

  test("a code that was used before", async () => {
    const { query, cookie } = await changed(() => undefined);
    expect((await finish(query, cookie)).statusCode).toBe(200);
    await refused(query, cookie, /the provider said invalid_grant/);
  });

  test("an answer that comes too late", async () => {
    const { query, cookie } = await changed(() => undefined);
    now += (TRY_SECONDS + 1) * 1000;
    await refused(query, cookie, /too long ago/);
  });

  test("an answer of another provider", async () => {
    const { query, cookie } = await changed(() => undefined);
    const answer = new URLSearchParams(query);
    answer.set("iss", "https://elsewhere.test");
    await refused(`?${answer}`, cookie, /not as expected/);
  });

  test("the cookie of a try, in place of that of a session", async () => {
    const { cookie } = await begun();
    expect((await me(cookie.replace("-try=", "="))).statusCode).toBe(401);
  });

  test("a refusal, of which the code alone is told", async () => {
    const { url, cookie } = await begun();
    const answer = new URLSearchParams({
      error: "access_denied",
      error_description: "<b>call 0800</b>",
      state: url.searchParams.get("state") ?? "",
      iss: there.issuer,
    });
    await refused(`?${answer}`, cookie, /^signing in did not work: the provider said access_denied\. Begin/);
  });

  test("a token that the API server does not take", async () => {
    const { query, cookie } = await changed(() => undefined);
    taken = false;
    await refused(query, cookie, /signed you in, but the cluster does not take its word/);
  });
});

test("a console whose secret the provider does not know tells so in its log", async () => {
  app = await made({ clientSecret: "another" });
  const { url, cookie } = await begun();
  const { statusCode, body } = await finish((await signInAt(url.href, "ada")).search, cookie);
  expect([statusCode, JSON.parse(body).error]).toEqual([503, expect.stringMatching(/client id and secret/)]);
  expect(faults).toHaveLength(1);
});

test("beginning is for the console's own pages, and limited", async () => {
  const foreign = { ...HEADERS, origin: "http://attacker.example" };
  const url = "/api/sign-in/begin";
  expect((await app.inject({ method: "POST", url, headers: foreign, payload: {} })).statusCode).toBe(403);
  const ask = () => app.inject({ method: "POST", url, headers: HEADERS, payload: {} });
  for (let count = 0; count < 10; count++) expect((await ask()).statusCode).toBe(200);
  expect((await ask()).statusCode).toBe(429);
});

test("a provider that is away is told of, and asked again the next time", async () => {
  const gone = await startProvider({ origins: [ORIGIN] });
  await gone.close();
  app = await made({ issuer: gone.issuer });
  const ask = () => app.inject({ method: "POST", url: "/api/sign-in/begin", headers: HEADERS, payload: {} });
  const away = await ask();
  expect([away.statusCode, away.json().error]).toEqual([
    503,
    "the test's people does not answer: try again in a moment",
  ]);
  const again = await startProvider({ origins: [ORIGIN], port: Number(new URL(gone.issuer).port) });
  setDefaultCACertificates([...trusted, there.ca, again.ca]);
  expect((await ask()).statusCode).toBe(200);
  await again.close();
});
