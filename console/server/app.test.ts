/** What stands between the network and the gateway: sessions, origins, policies, limits. */
import { beforeEach, describe, expect, test } from "vitest";
import { StoreError } from "../../operator/storage/artifact-store.ts";
import { memoryGateway, ORIGIN, PAGE } from "../../test/builders/console-gateway.ts";
import { type ConsoleOptions, consoleApp } from "./app.ts";
import { ConsoleError } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import { Sessions } from "./session.ts";

const HOUR = 3600;

let now = 0;
let faults: unknown[] = [];
beforeEach(() => {
  now = Date.parse("2026-05-01T12:00:00Z");
  faults = [];
});

function gateway(): Gateway {
  const inMemory = memoryGateway();
  return {
    ...inMemory,
    async get(kind, place) {
      if (place.name === "broken") throw new Error("a path of this machine: /secret");
      if (place.name === "away")
        throw new StoreError("StoreUnavailable", "connect ECONNREFUSED 10.0.0.7:9000");
      return inMemory.get(kind, place);
    },
  };
}

async function made(more: Partial<ConsoleOptions> = {}) {
  const world = gateway();
  return consoleApp({
    sessions: new Sessions({ key: new Uint8Array(32).fill(7), seconds: HOUR, now: () => now }),
    async signIn(credential) {
      if (credential !== "good") throw new ConsoleError("Unauthenticated", "no such credential");
      return { user: "ada" };
    },
    gatewayOf: () => world,
    origins: () => [ORIGIN],
    cookieName: "autoai-console",
    secure: false,
    how: "Address",
    onFault: (_, error) => faults.push(error),
    ...more,
  });
}

const signIn = (credential: string, headers: Record<string, string> = PAGE) =>
  ({ method: "POST", url: "/api/sign-in", headers, payload: { credential } }) as const;
const me = (cookie: string | undefined, headers: Record<string, string> = PAGE) =>
  ({
    method: "POST",
    url: "/api/trpc/me",
    headers: { ...headers, "content-type": "application/json", ...(cookie ? { cookie } : {}) },
  }) as const;

async function signedIn(app: Awaited<ReturnType<typeof made>>): Promise<string> {
  const { statusCode, headers } = await app.inject(signIn("good"));
  expect(statusCode).toBe(200);
  return String(headers["set-cookie"]).split(";")[0] ?? "";
}

describe("a session", () => {
  test("is begun by a good credential, in a cookie that scripts and other sites do not get", async () => {
    const app = await made();
    const { headers } = await app.inject(signIn("good"));
    const cookie = String(headers["set-cookie"]);
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect(cookie).toMatch(/Max-Age=3600/);
    expect(cookie).not.toMatch(/ada/);
    const answer = await app.inject(me(cookie.split(";")[0]));
    expect(answer.json().result.data).toMatchObject({ user: "ada", mode: "Embedded" });
  });

  test("reached over https, is Secure", async () => {
    const app = await made({ secure: true });
    const { headers } = await app.inject(signIn("good"));
    expect(String(headers["set-cookie"])).toMatch(/Secure/);
    expect(headers["strict-transport-security"]).toBeDefined();
  });

  test("is not begun by another credential", async () => {
    const app = await made();
    const { statusCode, headers } = await app.inject(signIn("bad"));
    expect(statusCode).toBe(401);
    expect(headers["set-cookie"]).toBeUndefined();
  });

  test("without one nothing is told", async () => {
    const app = await made();
    const nothing = await app.inject(me(undefined));
    expect(nothing.statusCode).toBe(401);
    for (const url of ["/api/uploads/default/x", "/api/reports/default/x", "/api/predictions/default/x"]) {
      expect((await app.inject({ method: "GET", url, headers: PAGE })).statusCode, url).toBe(401);
    }
  });

  test("is over when its time is", async () => {
    const app = await made();
    const cookie = await signedIn(app);
    now += (HOUR - 1) * 1000;
    expect((await app.inject(me(cookie))).statusCode).toBe(200);
    now += 2000;
    expect((await app.inject(me(cookie))).statusCode).toBe(401);
  });

  test("is over when it is signed out, whoever kept the cookie", async () => {
    const app = await made();
    const cookie = await signedIn(app);
    const out = await app.inject({ method: "POST", url: "/api/sign-out", headers: { ...PAGE, cookie } });
    expect(out.statusCode).toBe(204);
    expect((await app.inject(me(cookie))).statusCode).toBe(401);
  });

  test("of another server's key, or changed, is none", async () => {
    const app = await made();
    const cookie = await signedIn(app);
    const other = await made({
      sessions: new Sessions({ key: new Uint8Array(32).fill(8), seconds: HOUR, now: () => now }),
    });
    expect((await other.inject(me(cookie))).statusCode).toBe(401);
    expect((await app.inject(me(`${cookie.slice(0, -2)}xx`))).statusCode).toBe(401);
  });

  test("is over when what was signed in with is taken no more, and who asks is told to sign in", async () => {
    let taken = true;
    const confirm = async () => {
      if (!taken) throw new ConsoleError("Unauthenticated", "the API server does not take this token");
    };
    const app = await made({ gatewayOf: () => ({ ...gateway(), confirm }) });
    const cookie = await signedIn(app);
    expect((await app.inject(me(cookie))).statusCode).toBe(200);
    taken = false;
    expect((await app.inject(me(cookie))).statusCode).toBe(401);
  });

  test("signing in is limited", async () => {
    const app = await made({ signInsPerMinute: 3 });
    for (let count = 0; count < 3; count++) {
      expect((await app.inject(signIn("bad"))).statusCode).toBe(401);
    }
    const answer = await app.inject(signIn("good"));
    expect(answer.statusCode).toBe(429);
    expect(answer.json()).toMatchObject({ reason: "TooMany", error: "too many tries: wait a minute" });
  });
});

describe("a request", () => {
  test.each([
    ["for another host", { ...PAGE, host: "attacker.example:8790" }],
    ["from another origin", { ...PAGE, origin: "http://attacker.example" }],
    ["from another port of this machine", { ...PAGE, origin: "http://127.0.0.1:9999" }],
    ["from another site", { ...PAGE, "sec-fetch-site": "cross-site" }],
    ["from another port, as the browser tells", { ...PAGE, "sec-fetch-site": "same-site" }],
    ["of a form, without the console's header", { host: PAGE.host, origin: ORIGIN }],
    ["without an origin", { host: PAGE.host, "x-autoai-console": "1" }],
  ])("%s is refused, signed in or not", async (_, headers) => {
    const app = await made();
    const cookie = await signedIn(app);
    expect((await app.inject(me(cookie, headers as Record<string, string>))).statusCode).toBe(403);
    expect((await app.inject(signIn("good", headers as Record<string, string>))).statusCode).toBe(403);
  });

  test("for a stream from another site is refused, though it only reads", async () => {
    const app = await made();
    const cookie = await signedIn(app);
    const headers = { ...PAGE, "sec-fetch-site": "cross-site", cookie };
    const { statusCode } = await app.inject({ method: "GET", url: "/api/trpc/resources.changes", headers });
    expect(statusCode).toBe(403);
  });

  test("is answered with a policy that lets nothing load, and is kept nowhere", async () => {
    const app = await made();
    const { headers } = await app.inject(me(undefined));
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
  });

  test("that meets a fault of ours is told nothing of it; the console's log is", async () => {
    const app = await made();
    const cookie = await signedIn(app);
    const { statusCode, body } = await app.inject({
      method: "POST",
      url: "/api/trpc/jobs.get",
      headers: { ...PAGE, cookie, "content-type": "application/json" },
      payload: { namespace: "default", name: "broken" },
    });
    expect(statusCode).toBe(500);
    expect(body).not.toMatch(/secret|stack/);
    expect(String(faults[0])).toMatch(/secret/);
  });

  test("that meets a store that is away is told so, and to try again", async () => {
    const app = await made();
    const cookie = await signedIn(app);
    const { statusCode, body } = await app.inject({
      method: "POST",
      url: "/api/trpc/jobs.get",
      headers: { ...PAGE, cookie, "content-type": "application/json" },
      payload: { namespace: "default", name: "away" },
    });
    expect(statusCode).toBe(503);
    expect(body).toContain("the store does not answer: try again in a moment");
    expect(body).not.toContain("10.0.0.7");
    const report = await app.inject({
      method: "GET",
      url: "/api/reports/default/away",
      headers: { ...PAGE, cookie },
    });
    expect([report.statusCode, report.json().error]).toEqual([503, expect.stringContaining("try again")]);
  });

  test.each([
    ["no name", { namespace: "default" }, /^name: /],
    ["a path for a name", { namespace: "default", name: "../../etc" }, /^name: .*lower case letters/],
    ["more than asked for", { namespace: "default", name: "x", more: 1 }, /more/],
    ["something else", "x", /^the request: /],
  ])("with %s is not looked at, and is told what is wrong", async (_, payload, sentence) => {
    const app = await made();
    const cookie = await signedIn(app);
    const headers = { ...PAGE, cookie, "content-type": "application/json" };
    const url = "/api/trpc/jobs.get";
    const answer = await app.inject({ method: "POST", url, headers, payload: JSON.stringify(payload) });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.message).toMatch(sentence);
  });

  test("with a body beyond its bound is refused", async () => {
    const app = await made();
    const cookie = await signedIn(app);
    const { statusCode } = await app.inject({
      method: "PUT",
      url: "/api/uploads/default/x?offset=0",
      headers: { ...PAGE, cookie, "content-type": "application/octet-stream" },
      payload: Buffer.alloc(9 * 1024 ** 2),
    });
    expect(statusCode).toBe(413);
  });
});
