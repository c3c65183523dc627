import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findMinio, freePort, type Minio, startMinio } from "../../test/minio.ts";
import { NotFoundError, StoreError } from "./artifact-store.ts";
import { S3Store } from "./minio.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);
const OPTIONS = {
  bucket: "autoai",
  region: "us-east-1",
  accessKey: "the-access-key",
  secretKey: "the-secret-key",
  retryAfterMs: [1, 1],
};

const program = findMinio();
describe.runIf(program !== undefined)("S3Store on MinIO", () => {
  let minio: Minio;
  beforeAll(async () => {
    minio = await startMinio(program ?? "");
  });
  afterAll(() => minio.close());

  it("lists and deletes more keys than one page holds, and keys of any letters", async () => {
    const { store } = minio;
    const keys = Array.from({ length: 1100 }, (_, number) => `many/${String(number).padStart(4, "0")} é+&`);
    for (let start = 0; start < keys.length; start += 50)
      await Promise.all(keys.slice(start, start + 50).map((key) => store.put(key, bytes(""))));
    expect(await store.list("many/")).toEqual(keys);
    await store.deletePrefix("many/");
    expect(await store.list("many/")).toEqual([]);
  });

  it("grants reading one object, and no other, to who has no credentials", async () => {
    const { store } = minio;
    await store.put("granted/one", bytes("1"));
    await store.put("granted/two", bytes("2"));
    const url = await store.grantGet("granted/one", 60);
    expect(await (await fetch(url)).text()).toBe("1");
    expect((await fetch(url.replace("one", "two"))).status).toBe(403);
    expect((await fetch(url, { method: "PUT", body: "x" })).status).toBe(403);
    expect((await fetch(`${minio.options.endpoint}/autoai/granted/one`)).status).toBe(403);
  });

  it("grants writing one object, conditionally where the holder says so", async () => {
    const { store } = minio;
    const url = await store.grantPut("granted/result", 60);
    const once = { method: "PUT", headers: { "if-none-match": "*" } };
    expect((await fetch(url, { ...once, body: "first" })).status).toBe(200);
    expect((await fetch(url, { ...once, body: "second" })).status).toBe(412);
    expect(text(await store.get("granted/result"))).toBe("first");
    expect((await fetch(url)).status).toBe(403);
  });

  it("grants writing below a prefix, up to a size, and nowhere else", async () => {
    const { store } = minio;
    const grant = await store.grantPost("below/", 60, 5);
    const post = (key: string, content: string) => {
      const form = new FormData();
      for (const [name, value] of Object.entries({ ...grant.fields, key })) form.append(name, value);
      form.append("file", new Blob([content]));
      return fetch(grant.url, { method: "POST", body: form });
    };
    expect((await post("below/a.tar", "12345")).status).toBe(204);
    expect((await post("below/b.tar", "123456")).status).toBe(400);
    expect((await post("beside/a.tar", "1")).status).toBe(403);
    expect(await store.list("be")).toEqual(["below/a.tar"]);
  });

  it("holds no object in memory that somebody with a grant made larger than what is held", async () => {
    const { store } = minio;
    const url = await store.grantPut("granted/huge", 60);
    const huge = new Blob(Array.from({ length: 129 }, () => new Uint8Array(1024 ** 2)));
    expect((await fetch(url, { method: "PUT", body: huge })).status).toBe(200);
    await expect(store.get("granted/huge")).rejects.toThrow(
      /has 135266304 bytes; expected at most 134217728/,
    );
    expect((await store.digest("granted/huge")).size).toBe(129 * 1024 ** 2);
  });

  it("lets no grant outlast its time", async () => {
    const url = await minio.store.grantGet("granted/one", 1);
    const status = async () => (await fetch(url)).status;
    while ((await status()) !== 403) await new Promise((resolve) => setTimeout(resolve, 100));
  });

  it("tells wrong credentials and a missing bucket from a store that is away, without naming a secret", async () => {
    const secretKey = "not-the-secret-key";
    const wrong = new S3Store({ ...minio.options, secretKey });
    const refused = await wrong.get("a").catch((error) => error);
    expect(refused).toBeInstanceOf(StoreError);
    expect(refused).toMatchObject({ reason: "StoreRefused", message: /check bucket, credentials/ });
    expect(refused.message).not.toContain(secretKey);
    expect(refused.message).not.toContain(minio.options.accessKey);
    const elsewhere = new S3Store({ ...minio.options, bucket: "nowhere" });
    await expect(elsewhere.put("a", bytes(""))).rejects.toMatchObject({
      reason: "StoreRefused",
      message: /NoSuchBucket/,
    });
    await expect(minio.store.get("absent")).rejects.toBeInstanceOf(NotFoundError);
  });

  it("goes on where MinIO was away for a moment", async () => {
    const store = new S3Store({ ...minio.options, retryAfterMs: Array(400).fill(20) });
    await store.put("kept", bytes("x"));
    await minio.stop();
    const reading = store.get("kept");
    await minio.start();
    expect(text(await reading)).toBe("x");
  });
});

describe("S3Store on a store that fails", () => {
  const open: (Server | ReturnType<typeof createTcpServer>)[] = [];
  const sockets = new Set<Socket>();
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of open.splice(0)) server.close();
  });

  async function answering(statuses: number[]): Promise<{ endpoint: string; asked: () => number }> {
    let asked = 0;
    const server = createServer((_, response) => {
      const status = statuses[asked++] ?? 200;
      response.writeHead(status, { "content-type": "application/xml" });
      response.end(status === 200 ? "content" : "<Error><Code>SlowDown</Code></Error>");
    });
    open.push(server);
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return { endpoint: `http://127.0.0.1:${port}`, asked: () => asked };
  }

  it("asks again after 503 and 500, and gives the answer", async () => {
    const { endpoint, asked } = await answering([503, 500, 200]);
    expect(text(await new S3Store({ ...OPTIONS, endpoint }).get("a"))).toBe("content");
    expect(asked()).toBe(3);
  });

  it("gives up after a bounded number of tries, and says that the store is unavailable", async () => {
    const { endpoint, asked } = await answering(Array(99).fill(503));
    await expect(new S3Store({ ...OPTIONS, endpoint }).put("a", bytes("x"))).rejects.toMatchObject({
      name: "StoreError",
      reason: "StoreUnavailable",
      message: /is it running, and reachable/,
    });
    expect(asked()).toBe(3);
  });

  it("says so where nobody listens, and where the store never answers", async () => {
    const nobody = new S3Store({ ...OPTIONS, endpoint: `http://127.0.0.1:${await freePort()}` });
    await expect(nobody.exists("a")).rejects.toMatchObject({ reason: "StoreUnavailable" });
    const silent = createTcpServer((socket) => {
      sockets.add(socket);
      socket.resume();
    });
    open.push(silent);
    const port = await freePort();
    await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
    const store = new S3Store({ ...OPTIONS, endpoint: `http://127.0.0.1:${port}`, silenceMs: 50 });
    await expect(store.list("a")).rejects.toMatchObject({ reason: "StoreUnavailable", message: /no answer/ });
  });
});
