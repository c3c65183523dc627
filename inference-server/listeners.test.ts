import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { afterEach, expect, test } from "vitest";
import { Listeners } from "./listeners.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const MANY = 64;

const open: Listeners[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function made() {
  const fastify = Fastify();
  const listeners = new Listeners(fastify);
  open.push(listeners);
  return { fastify, listeners };
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

test("all who are connected are counted, and whoever was taken is answered before it has closed", async () => {
  const { fastify, listeners } = made();
  let asked = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  fastify.get("/", async () => {
    asked++;
    await released;
    return "answered";
  });
  const url = await listeners.listen(LOOPBACK);
  const answers = Array.from({ length: MANY }, async () => (await fetch(url)).text());
  while (asked < MANY) await sleep(1);
  expect(await listeners.connections()).toBe(MANY);
  let isClosed = false;
  const closed = listeners.close().then(() => {
    isClosed = true;
  });
  while (fastify.server.listening) await sleep(1);
  const late = connect(portOf(url), LOOPBACK.host);
  await expect(once(late, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(isClosed).toBe(false);
  release();
  expect(new Set(await Promise.all(answers))).toEqual(new Set(["answered"]));
  await closed;
  expect(await listeners.connections()).toBe(0);
});
