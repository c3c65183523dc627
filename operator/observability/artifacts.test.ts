import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import fastify from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import { type ArtifactAnswer, type ArtifactRequest, artifactRoutes } from "./artifacts.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function served(answer: (request: ArtifactRequest) => ArtifactAnswer, streams = 16, seconds = 900) {
  const asked: ArtifactRequest[] = [];
  const app = fastify({ forceCloseConnections: true });
  closing.push(() => app.close());
  artifactRoutes(
    app,
    async (request) => {
      asked.push(request);
      return answer(request);
    },
    { streams, seconds },
  );
  const get = (url: string, headers: Record<string, string> = { "x-autoai-token": "good" }) =>
    app.inject({ url, headers });
  return { app, asked, get };
}
const text = (content: string): ArtifactAnswer => ({
  outcome: "Found",
  file: {
    name: "churn.html",
    contentType: "text/html; charset=utf-8",
    size: content.length,
    body: Readable.from([Buffer.from(content)]),
  },
});

test("an artifact comes whole, named, and as nothing that a browser would run", async () => {
  const { get, asked } = served(() => text("<p>report</p>"));
  const reply = await get("/artifacts/trainingjobs/team/churn/report");
  expect(reply.statusCode).toBe(200);
  expect(reply.body).toBe("<p>report</p>");
  expect(reply.headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "content-length": "13",
    "content-disposition": 'attachment; filename="churn.html"',
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
  expect(reply.headers["content-security-policy"]).toContain("sandbox");
  expect(asked).toEqual([
    { token: "good", resource: "trainingjobs", namespace: "team", name: "churn", artifact: "report" },
  ]);
});

test("nobody without a token is answered, and a refusal is passed on with its code", async () => {
  const refusal = { outcome: "Denied", message: "you may not" } as const;
  const { get, asked } = served(() => refusal);
  expect((await get("/artifacts/trainingjobs/team/churn/model", {})).statusCode).toBe(401);
  expect(asked).toEqual([]);
  const reply = await get("/artifacts/datasets/team/rows/preview");
  expect([reply.statusCode, reply.json()]).toEqual([403, refusal]);
});

test.each([
  "/artifacts/trainingjobs/team/churn/journal",
  "/artifacts/secrets/team/churn/report",
  "/artifacts/trainingjobs/team/..%2F..%2Fother/report",
  "/artifacts/trainingjobs/team/churn/..%2Fmodel",
  "/artifacts/trainingjobs/Team/churn/report",
])("%s is refused before anybody is asked", async (url) => {
  const { get, asked } = served(() => text("x"));
  expect((await get(url)).statusCode).toBe(400);
  expect(asked).toEqual([]);
});

test.each(["HEAD", "POST", "PUT", "DELETE"] as const)("%s is not there", async (method) => {
  const { app } = served(() => text("x"));
  const reply = await app.inject({
    method,
    url: "/artifacts/trainingjobs/team/churn/report",
    headers: { "x-autoai-token": "good" },
  });
  expect(reply.statusCode).toBe(404);
});

describe("bounds", () => {
  const PATH = "/artifacts/trainingjobs/team/churn/model";
  /** A file that has no end until its reader leaves. */
  const endless = (): ArtifactAnswer => {
    const body = Readable.from(
      (async function* () {
        for (;;) {
          yield Buffer.alloc(64_000);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })(),
    );
    return { outcome: "Found", file: { name: "churn.tar", contentType: "application/x-tar", body } };
  };

  /** Asks, and stops reading after the first bytes. */
  async function reader(port: number) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`GET ${PATH} HTTP/1.1\r\nhost: x\r\nx-autoai-token: good\r\n\r\n`);
    const [head] = (await once(socket, "data")) as [Buffer];
    socket.pause();
    return { head: head.toString("latin1"), socket };
  }
  async function listening(app: ReturnType<typeof served>["app"]): Promise<number> {
    await app.listen({ host: "127.0.0.1", port: 0 });
    return (app.server.address() as AddressInfo).port;
  }

  test("one reader more than there may be is told to come back, until one leaves", async () => {
    const { app, get } = served((request) => (request.token === "good" ? endless() : text("x")), 2);
    const port = await listening(app);
    const readers = [await reader(port), await reader(port)];
    for (const { head } of readers) expect(head).toContain("200 OK");
    const refused = await get(PATH, { "x-autoai-token": "other" });
    expect([refused.statusCode, refused.headers["retry-after"]]).toEqual([429, "5"]);
    readers[0]?.socket.destroy();
    let reply = refused;
    while (reply.statusCode === 429) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      reply = await get(PATH, { "x-autoai-token": "other" });
    }
    expect(reply.statusCode).toBe(200);
    readers[1]?.socket.destroy();
  });

  test("a refusal or a failure takes nobody's place", async () => {
    const answers: (() => ArtifactAnswer)[] = [
      () => ({ outcome: "Missing", message: "none" }),
      () => {
        throw new Error("the store went away");
      },
      () => text("x"),
    ];
    const { get } = served(() => (answers.shift() as () => ArtifactAnswer)(), 1);
    const codes = [];
    for (let number = 0; number < 3; number++) codes.push((await get(PATH)).statusCode);
    expect(codes).toEqual([404, 500, 200]);
  });

  test("who takes longer than anybody may is cut off", async () => {
    const { app } = served(endless, 1, 0.05);
    const { socket } = await reader(await listening(app));
    socket.resume();
    await once(socket, "close");
  });
});

test("what breaks off in the middle reaches nobody as if it were whole", async () => {
  const body = Readable.from(
    (async function* () {
      yield Buffer.from("half");
      throw new Error("changed since it was published");
    })(),
  );
  const { app } = served(() => ({
    outcome: "Found",
    file: { name: "churn.tar", contentType: "application/x-tar", body },
  }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const reading = fetch(`http://127.0.0.1:${port}/artifacts/trainingjobs/team/churn/model`, {
    headers: { "x-autoai-token": "good" },
  }).then((response) => response.text());
  await expect(reading).rejects.toThrow();
});
