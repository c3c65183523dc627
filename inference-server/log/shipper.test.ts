/** The prediction log on its way to the store: nothing is lost while there is room, and nothing is there twice. */
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type LogGrant, predictionLogPrefix, segmentOf } from "../../operator/api/prediction-log.ts";
import { logGrant } from "../../operator/serving/log-grant.ts";
import { modelPackage, ROW } from "../../test/builders/model-package.ts";
import { modelServer, type TestServer } from "../../test/builders/model-server.ts";
import { findMinio, freePort, type Minio, startMinio } from "../../test/minio.ts";
import { type LogLimits, PredictionLog } from "./prediction-log.ts";
import { type LogEntry, segmentName } from "./segments.ts";
import { Shipper } from "./shipper.ts";

const PREFIX = predictionLogPrefix("team", "churn");
let folder: string;
let grantFile: string;
let seen: { shipped: number; failed: string[]; dropped: [number, string][]; said: string[] };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ship-"));
  grantFile = `${folder}.grant.json`;
  seen = { shipped: 0, failed: [], dropped: [], said: [] };
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(grantFile, { force: true });
});

function started({
  segmentSeconds = 0.02,
  ...limits
}: Partial<LogLimits> & { segmentSeconds?: number } = {}) {
  const observer = {
    logged: () => undefined,
    lag: () => undefined,
    dropped: (entries: number, reason: string) => seen.dropped.push([entries, reason]),
    shipped: () => seen.shipped++,
    shipFailed: (reason: string) => seen.failed.push(reason),
  };
  const say = (message: string) => seen.said.push(message);
  const log = new PredictionLog({
    ...{ folder, mode: "Strict", sample: 1, observer, clock: Date, random: Math.random, limits },
  });
  if (!log.folder) throw new Error("no folder");
  const shipper = new Shipper({
    ...{ folder: log.folder, grantFile, server: "churn-5d7-x2z", segmentSeconds, observer },
    log: { warn: say, info: say },
    clock: Date,
    random: Math.random,
    retrySeconds: [0.02, 0.05],
  });
  return { log, shipper };
}

const record = (log: PredictionLog, requestId: string) =>
  log.record(() => ({
    requestId,
    model: "m",
    milliseconds: 1,
    inputs: { rows: [{ a: "x".repeat(100) }] },
    predictions: ["yes"],
  }));
const metricsOf = async ({ fastify }: TestServer) => ({ body: (await fastify.inject("/metrics")).body });
const files = () => readdirSync(folder);
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    if (tries > 1000) throw new Error(`waited in vain for ${what}: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const program = findMinio();
describe.runIf(program !== undefined)("to MinIO", () => {
  let minio: Minio;
  beforeAll(async () => {
    minio = await startMinio(program ?? "");
  });
  afterAll(() => minio.close());
  beforeEach(async () => {
    await minio.store.deletePrefix("predictions/");
    await grant();
  });

  const grant = async () =>
    writeFileSync(
      grantFile,
      JSON.stringify(await logGrant(minio.store, { namespace: "team", name: "churn" }, Date.now())),
    );
  /** Ids of the entries in the store, in the order of its keys. */
  const arrived = async () => {
    const ids: string[] = [];
    for (const key of await minio.store.list(PREFIX)) {
      expect(segmentOf(PREFIX, key), key).toBeDefined();
      const lines = gunzipSync(await minio.store.get(key))
        .toString("utf8")
        .split("\n");
      expect(lines.pop()).toBe("");
      ids.push(...lines.map((line) => (JSON.parse(line) as LogEntry).requestId));
    }
    return ids;
  };

  test("an idle server's entries arrive by the age of their segment, a busy one's by its size; what arrived is removed", async () => {
    const { log, shipper } = started({ segmentBytes: 1000 });
    const ids = Array.from({ length: 40 }, (_, index) => `r${index}`);
    for (const id of ids) await record(log, id);
    await until("all to arrive", async () => (await arrived()).length === 40);
    // One alone fills no segment.
    await record(log, "last");
    await until("the last to arrive", async () => (await arrived()).length === 41);
    expect(await arrived()).toEqual([...ids, "last"]);
    expect((await minio.store.list(PREFIX)).length).toBeGreaterThan(5);
    await until("the folder to be empty", () => files().length === 0);
    expect(shipper.lagSeconds).toBe(0);
    expect(seen).toMatchObject({ failed: [], dropped: [], said: [] });
    await log.close();
    await shipper.finish(1000);
  });

  test("a server that ends sends its log whatever a request hangs in, and tells that request", async () => {
    using model = await modelPackage("faulty");
    const log = {
      ...{ folder, mode: "Background" as const },
      ship: { grantFile, server: "churn-5d7-x2z", segmentSeconds: 3600 },
    };
    await using server = await modelServer(model.directory, { log });
    const answered = await server.post("/predict", { rows: [ROW] });
    const hanging = server.post("/predict", { rows: [{ ...ROW, plan: "sleep" }] });
    await until("the model to be asked", async () => {
      const { body } = await metricsOf(server);
      return /^autoai_inference_in_flight_requests\{[^}]*\} 1$/m.test(body);
    });
    await server.close({ answeringMilliseconds: 200, sendingMilliseconds: 20_000 });
    expect((await hanging).body).toMatchObject({ reason: "WorkerUnavailable" });
    expect(await arrived()).toEqual([answered.body.requestId]);
  });

  test("at its end the open segment is closed and sent", async () => {
    const { log, shipper } = started({ segmentSeconds: 3600 });
    await record(log, "a");
    await record(log, "b");
    expect(shipper.lagSeconds).toBeGreaterThan(0);
    expect(await arrived()).toEqual([]);
    await log.close();
    await shipper.finish(20_000);
    expect(await arrived()).toEqual(["a", "b"]);
    expect(files()).toEqual([]);
  });

  test("what an earlier process left is sent first, without the line that its end cut short, and twice is once", async () => {
    const line = (id: string) => `${JSON.stringify({ requestId: id, time: "2026-01-31T12:00:00Z" })}\n`;
    const left = join(folder, segmentName(1_770_000_000_000, "0a1b2c3d"));
    writeFileSync(left, `${line("left")}${line("torn").slice(0, 20)}`);
    utimesSync(left, 1_770_000_060, 1_770_000_060);
    const copy = `${folder}.copy`;
    copyFileSync(left, copy);
    writeFileSync(join(folder, segmentName(1_770_000_000_001, "0a1b2c3d")), "");
    for (const time of [1, 2]) {
      const { log, shipper } = started();
      await record(log, `new${time}`);
      await log.close();
      await shipper.finish(20_000);
      expect(files()).toEqual([]);
      // The process was killed after the segment had arrived and before it was removed.
      copyFileSync(copy, left);
      utimesSync(left, statSync(copy).atime, new Date(1_770_000_060_000));
    }
    rmSync(copy);
    expect(await arrived()).toEqual(["left", "new1", "new2"]);
    expect((await minio.store.list(PREFIX))[0]).toBe(
      `${PREFIX}2026-02-02/1770000060000-churn-5d7-x2z-1770000000000-0a1b2c3d.ndjson.gz`,
    );
  });

  test("a store that is away loses nothing: kept, tried again, told once", async () => {
    const { log, shipper } = started({ segmentBytes: 500 });
    await record(log, "before");
    await until("the first", async () => (await arrived()).length === 1);
    await minio.stop();
    const ids = Array.from({ length: 20 }, (_, index) => `r${index}`);
    for (const id of ids) await record(log, id);
    await until("failures", () => seen.failed.length > 3);
    expect(new Set(seen.failed)).toEqual(new Set(["Unreachable"]));
    expect(shipper.lagSeconds).toBeGreaterThan(0);
    await minio.start();
    await until("all to arrive", async () => (await arrived()).length === 21);
    expect(await arrived()).toEqual(["before", ...ids]);
    await log.close();
    await shipper.finish(20_000);
    expect(seen.dropped).toEqual([]);
    expect(seen.said).toEqual([
      expect.stringMatching(/not sent, and kept meanwhile: .*(ECONNREFUSED|hang up|ECONNRESET)/),
      expect.stringMatching(/sent again, after \d+ failures/),
    ]);
  });

  test("without room the oldest are dropped and counted, and the rest arrives", async () => {
    rmSync(grantFile);
    const { log, shipper } = started({ segmentBytes: 500, totalBytes: 2500 });
    const ids = Array.from({ length: 50 }, (_, index) => `r${index}`);
    for (const id of ids) await record(log, id);
    await grant();
    await log.close();
    await shipper.finish(20_000);
    const there = await arrived();
    const gone = seen.dropped.reduce((sum, [entries]) => sum + entries, 0);
    expect(gone).toBeGreaterThan(30);
    expect(there).toEqual(ids.slice(gone));
    expect(new Set(seen.dropped.map(([, reason]) => reason))).toEqual(new Set(["space"]));
    expect(new Set(seen.failed)).toEqual(new Set(["NoGrant"]));
  });

  test("a grant that has ended, or that is none, is waited out; the next one is taken up without a restart", async () => {
    const good = JSON.parse(readFileSync(grantFile, "utf8")) as LogGrant;
    const { log, shipper } = started();
    const refused: [string, object | string][] = [
      // Told once for each reason: the two that must not be repeated are the first of theirs.
      ["NoGrant", "not json with a secret"],
      ["NoGrant", { ...good, expires: "2026-01-01T00:00:00Z" }],
      ["NoGrant", { ...good, url: "file:///etc/passwd" }],
      ["NoGrant", { ...good, prefix: "models/team/churn/" }],
      ["Refused", { ...good, fields: { ...good.fields, "x-amz-signature": "0".repeat(64) } }],
      ["Refused", { ...good, prefix: predictionLogPrefix("team", "other") }],
    ];
    for (const [reason, content] of refused) {
      writeFileSync(grantFile, typeof content === "string" ? content : JSON.stringify(content));
      seen.failed = [];
      await record(log, "r");
      await until(reason, () => seen.failed.length > 1);
      expect(seen.failed.at(-1)).toBe(reason);
    }
    writeFileSync(grantFile, JSON.stringify(good));
    await until("all to arrive", async () => (await arrived()).length === refused.length);
    await log.close();
    await shipper.finish(20_000);
    for (const secret of [...Object.values(good.fields), "secret"])
      expect(seen.said.join()).not.toContain(secret);
    expect(seen.said).toEqual([
      expect.stringMatching(/cannot be read from .*: the operator writes it there; look whether it runs$/),
      expect.stringMatching(/the store at http:\S+ answered 403 \(SignatureDoesNotMatch\)$/),
      expect.stringMatching(/sent again, after \d+ failures/),
    ]);
    expect(seen.dropped).toEqual([]);
  });

  test("a segment that is too large for the grant is given up and counted; the next one arrives", async () => {
    const { url, fields } = await minio.store.grantPost(PREFIX, 60, 500);
    delete (fields as Record<string, string>).key;
    writeFileSync(
      grantFile,
      JSON.stringify({
        ...{ url, fields },
        prefix: PREFIX,
        expires: new Date(Date.now() + 60_000).toISOString(),
      }),
    );
    const { log, shipper } = started({ segmentBytes: 100 });
    const noise = Array.from({ length: 600 }, () => Math.floor(Math.random() * 36).toString(36)).join("");
    await record(log, noise);
    await record(log, "small");
    await until("the small one", async () => (await arrived()).includes("small"));
    expect(seen.dropped).toEqual([[1, "refused"]]);
    await log.close();
    await shipper.finish(1000);
  });
});

describe("to a store that fails", () => {
  let server: Server;
  afterEach(() => server.close());

  test("what it says is never repeated, and a redirect is not followed", async () => {
    const port = await freePort();
    const grant: LogGrant = {
      url: `http://127.0.0.1:${port}/autoai`,
      fields: { policy: "the-policy", "x-amz-signature": "the-signature" },
      prefix: PREFIX,
      expires: new Date(Date.now() + 60_000).toISOString(),
    };
    let asked = 0;
    server = createServer((request, response) => {
      request.resume().on("end", () => {
        const status = [503, 307, 403][asked++ % 3] ?? 500;
        response.writeHead(status, { location: "/elsewhere" });
        response.end(`<Error><Code>No${status}</Code><Message>the-policy the-signature</Message></Error>`);
      });
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    writeFileSync(grantFile, JSON.stringify(grant));
    const { log, shipper } = started();
    await record(log, "a");
    await until("three answers", () => seen.failed.length >= 3);
    expect(seen.failed.slice(0, 3)).toEqual(["Unreachable", "Refused", "Refused"]);
    await log.close();
    await shipper.finish(100);
    expect(seen.said.join()).toContain("answered 503 (No503)");
    expect(seen.said.join()).not.toMatch(/the-policy|the-signature/);
    expect(seen.said.at(-1)).toMatch(/1 segments .* were not sent: they stay on the disk/);
    expect(files()).toHaveLength(1);
  });
});

test("a segment that is gone is no sign that the store takes the next one", async () => {
  const { log, shipper } = started({ segmentBytes: 100 });
  await record(log, "gone");
  const [gone = ""] = files();
  await record(log, "left");
  await until("failures", () => seen.failed.length > 1);
  rmSync(join(folder, gone));
  await until("the next one's turn", () => log.folder?.waiting.segments === 1);
  const before = seen.failed.length;
  await until("its failures", () => seen.failed.length > before + 1);
  expect(new Set(seen.failed)).toEqual(new Set(["NoGrant"]));
  expect(seen.said).toEqual([expect.stringMatching(/not sent, and kept meanwhile: .* \(ENOENT\)/)]);
  await log.close();
  await shipper.finish(100);
});

test("what made room while it was being sent is counted only where it was not sent", async () => {
  const dropped: number[] = [];
  const log = new PredictionLog({
    ...{ folder, mode: "Strict", sample: 1, clock: Date, random: Math.random },
    observer: { logged: () => undefined, lag: () => undefined, dropped: (entries) => dropped.push(entries) },
    limits: { segmentBytes: 100, totalBytes: 900 },
  });
  const segments = log.folder;
  if (!segments) throw new Error("no folder");
  const takeAndPressOut = async (name: string) => {
    const taken = segments.take();
    if (!taken) throw new Error("no segment");
    for (let number = 0; files().includes(basename(taken.path)); number++)
      await record(log, `${name}${number}`);
    return taken;
  };
  await record(log, "first");
  const unsent = await takeAndPressOut("a");
  expect(dropped).toEqual([]);
  segments.kept(unsent);
  expect(dropped).toEqual([1]);
  await segments.sent(await takeAndPressOut("b"));
  expect(dropped).toEqual([1]);
  await log.close();
});
