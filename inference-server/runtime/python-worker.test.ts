/** What the server sends a worker, and when: the worker is the test's own, and answers when it is told. */
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { modelManifest } from "../../test/builders/model-manifest.ts";
import { schemaOf } from "../schema/columns.ts";
import { checkBody } from "../schema/rows.ts";
import { DEFAULT_LIMITS } from "../serve.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";
import { PythonWorker } from "./python-worker.ts";

const schema = schemaOf(modelManifest());
const rowsOf = (count: number) =>
  checkBody(schema, { rows: Array.from({ length: count }, () => ({ x: 1 })) }, count).rows;

/** A server whose batches take so long, by its clock; and the requests of each batch, as they are sent. */
async function server(batchMilliseconds: number) {
  const folder = mkdtempSync(join(tmpdir(), "worker-"));
  const socketPath = join(folder, "worker.sock");
  let now = 0;
  const frames: Frame[] = [];
  const heard = new Set<() => void>();
  const next = async () => {
    while (frames.length === 0) await new Promise<void>((resolve) => heard.add(resolve));
    return frames.shift()?.json as { kind: string; rows: number };
  };
  const runtime = new PythonWorker({
    schema,
    reference: { rows: rowsOf(1), expected: { values: Float64Array.of(1) } },
    socketPath,
    limits: DEFAULT_LIMITS,
    clock: { now: () => now },
    observer: {
      batch: () => undefined,
      waiting: () => undefined,
      workerReady: () => undefined,
      workerEnded: () => undefined,
    },
  });
  const started = runtime.start();
  while (!existsSync(socketPath)) await new Promise(setImmediate);
  const socket = connect(socketPath);
  const reader = new FrameReader(() => 2 ** 20);
  socket.on("data", (chunk) => {
    frames.push(...reader.push(chunk));
    for (const look of heard) look();
    heard.clear();
  });
  const answer = (count: number) =>
    socket.write(encodeFrame({ kind: "predictions", probabilities: false }, new Float64Array(count).fill(1)));
  expect((await next()).kind).toBe("load");
  expect((await next()).kind).toBe("reference");
  socket.write(encodeFrame({ kind: "ready", engine: "DataFrame", refused: null }));
  answer((await next()).rows);
  await started;
  return {
    runtime,
    /** Rows of the next batch that is sent. */
    batch: async () => (await next()).rows,
    /** Answers the batch in flight, which took its time. */
    answer: (count: number) => {
      now += batchMilliseconds;
      answer(count);
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      await runtime.close(0);
      rmSync(folder, { recursive: true });
    },
  };
}

/** A connection whose other end is read here. */
async function loopback(read: () => void): Promise<Socket> {
  const listener = createServer((socket) => socket.once("data", read).resume()).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const socket = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  await Promise.all([once(socket, "connect"), once(listener, "connection")]);
  listener.close();
  return socket;
}

test("whom a small batch that took long has answered goes with those who waited for it, if he asks again at once", async () => {
  await using here = await server(40);
  const first = here.runtime.predict(rowsOf(1));
  expect(await here.batch()).toBe(1);
  void here.runtime.predict(rowsOf(1)).catch(() => undefined);
  const again = first.then(() => void here.runtime.predict(rowsOf(1)).catch(() => undefined));
  here.answer(1);
  await again;
  expect(await here.batch()).toBe(2);
});

test("who has asked again by the end of that moment goes with them, though the server was too busy to read it", async () => {
  await using here = await server(40);
  // What is written here has arrived, but is not read before the event loop is free.
  const arrival = await loopback(() => void here.runtime.predict(rowsOf(1)).catch(() => undefined));
  try {
    const first = here.runtime.predict(rowsOf(1));
    expect(await here.batch()).toBe(1);
    void here.runtime.predict(rowsOf(1)).catch(() => undefined);
    const again = first.then(() => {
      arrival.write("x");
      const end = performance.now() + 100;
      while (performance.now() < end);
    });
    here.answer(1);
    await again;
    expect(await here.batch()).toBe(2);
  } finally {
    arrival.destroy();
  }
});

test("nobody waits for long for those who do not ask again", async () => {
  await using here = await server(40);
  const first = here.runtime.predict(rowsOf(1));
  expect(await here.batch()).toBe(1);
  void here.runtime.predict(rowsOf(1)).catch(() => undefined);
  here.answer(1);
  await first;
  expect(await here.batch()).toBe(1);
});

test.each([
  ["was over at once", 1, 1],
  ["was of many rows", 40, 40],
])(
  "those who waited for a batch that %s are not kept waiting for those whom it answered",
  async (_, took, rows) => {
    await using here = await server(took);
    const first = here.runtime.predict(rowsOf(rows));
    expect(await here.batch()).toBe(rows);
    void here.runtime.predict(rowsOf(1)).catch(() => undefined);
    const again = first.then(() => void here.runtime.predict(rowsOf(1)).catch(() => undefined));
    here.answer(rows);
    await again;
    expect(await here.batch()).toBe(1);
  },
);
