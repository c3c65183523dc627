import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import Fastify from "fastify";
import { afterEach, expect, test } from "vitest";
import { Listeners } from "./listeners.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const MANY = 64;

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server that answers nobody before `release`. */
function made() {
  const fastify = Fastify();
  const listeners = new Listeners(fastify);
  const held = { asked: 0, release: () => {} };
  const released = new Promise<void>((resolve) => {
    held.release = resolve;
  });
  fastify.get("/", async () => {
    held.asked++;
    await released;
    return "answered";
  });
  ends.push(() => {
    held.release();
    return listeners.close();
  });
  return { fastify, listeners, held };
}
const portOf = (url: string) => Number(new URL(url).port);

test("those who connect while it is busy are taken many in a turn of its loop", async () => {
  const { fastify, listeners } = made();
  const port = portOf(await listeners.listen(LOOPBACK));
  let turn = 0;
  const turns = new Set<number>();
  let taken = 0;
  fastify.server.on("connection", () => {
    taken++;
    turns.add(turn);
  });
  const client = `
    let left = ${MANY};
    for (let count = left; count > 0; count--)
      require("node:net").connect(${port}, "127.0.0.1", () => --left === 0 && process.exit());`;
  // It can take nobody before this has ended.
  execFileSync(process.execPath, ["-e", client]);
  for (; taken < MANY; turn++) await new Promise(setImmediate);
  // 64 turns where one is taken in each.
  expect(turns.size).toBeLessThanOrEqual(MANY / 2);
});

test("a port that another server has is refused, though that one would share it", async () => {
  const port = portOf(await made().listeners.listen(LOOPBACK));
  await expect(made().listeners.listen({ ...LOOPBACK, port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("all who are connected are counted, whichever of its sockets took them", async () => {
  const { listeners, held } = made();
  const url = await listeners.listen(LOOPBACK);
  const answers = Array.from({ length: MANY }, () => fetch(url));
  while (held.asked < MANY) await sleep(1);
  expect(await listeners.connections()).toBe(MANY);
  held.release();
  await Promise.all(answers);
});

test("when it closes nobody is taken any more, and whoever was is answered first, and told to go", async () => {
  const { fastify, listeners, held } = made();
  const port = portOf(await listeners.listen(LOOPBACK));
  const ofFirst = promisify(fastify.server.getConnections.bind(fastify.server));
  let client: Socket;
  for (;;) {
    client = connect(port, LOOPBACK.host).setEncoding("utf8");
    client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    held.asked = 0;
    while (held.asked === 0) await sleep(1);
    // It is to be one of another socket than the first, which has nobody to wait for then.
    if ((await ofFirst()) === 0) break;
    client.destroy();
    while ((await listeners.connections()) > 0) await sleep(1);
  }
  let isClosed = false;
  const closed = listeners.close().then(() => {
    isClosed = true;
  });
  await fastify.close();
  await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  const late = connect(port, LOOPBACK.host);
  await expect(once(late, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const answer = text(client);
  held.release();
  expect(await answer).toMatch(/^HTTP\/1\.1 200 .*\r\nconnection: close\r\n.*answered$/s);
  await closed;
  expect(await listeners.connections()).toBe(0);
});
