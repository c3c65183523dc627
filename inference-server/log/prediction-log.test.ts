import { execFile, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { modelPackage, ROW } from "../../test/builders/model-package.ts";
import { modelServer } from "../../test/builders/model-server.ts";
import { PredictionLog, type PredictionLogOptions } from "./prediction-log.ts";
import { type LogEntry, readLog, segmentName } from "./segments.ts";

let folder: string;
let dropped: [number, string][];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "log-"));
  dropped = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const logOf = (options: Partial<PredictionLogOptions> = {}) =>
  new PredictionLog({
    folder,
    mode: "Strict",
    sample: 0.5,
    observer: {
      logged: () => undefined,
      dropped: (entries, reason) => dropped.push([entries, reason]),
      lag: () => undefined,
    },
    clock: { now: () => 1_800_000_000_000 },
    random: Math.random,
    ...options,
  });
const entry = (requestId: string) => () => ({
  requestId,
  model: "m",
  milliseconds: 1,
  inputs: {},
  predictions: [1],
});
const idsOf = async (since = 0) => {
  const lines: string[] = [];
  for await (const line of readLog(folder, since)) lines.push(line);
  return lines.map((line) => (JSON.parse(line) as LogEntry).requestId);
};

describe("mode", () => {
  test("Strict: what is acknowledged can be read at once, in the order in which it came", async () => {
    const log = logOf();
    const ids = Array.from({ length: 50 }, (_, index) => `r${index}`);
    await Promise.all(ids.map((id) => log.record(entry(id))));
    expect(await idsOf()).toEqual(ids);
    await log.close();
  });

  test("Background: acknowledged at once, and on disk when the log is closed", async () => {
    const log = logOf({ mode: "Background" });
    await log.record(entry("r"));
    expect(readdirSync(folder)).toEqual([]);
    await log.close();
    expect(await idsOf()).toEqual(["r"]);
  });

  test("Sampled: the share of the requests; Off: none, and no folder is touched", async () => {
    let drawn = 0;
    const sampled = logOf({ mode: "Sampled", random: () => (drawn++ % 2 === 0 ? 0.4 : 0.6) });
    for (const id of ["a", "b", "c", "d"]) await sampled.record(entry(id));
    await sampled.close();
    expect(await idsOf()).toEqual(["a", "c"]);
    const off = logOf({ mode: "Off", folder: join(folder, "none") });
    await off.record(entry("x"));
    await off.close();
    expect(existsSync(join(folder, "none"))).toBe(false);
  });
});

test("segments are closed at their size, and the oldest make room: counted as dropped", async () => {
  const size = JSON.stringify({ time: new Date(0).toISOString(), ...entry("r00")() }).length + 1;
  const log = logOf({ limits: { segmentBytes: 2 * size, totalBytes: 5 * size } });
  for (let index = 10; index < 20; index++) await log.record(entry(`r${index}`));
  await log.close();
  const ids = await idsOf();
  expect(ids.at(-1)).toBe("r19");
  expect(ids.length).toBeLessThanOrEqual(5);
  const gone = dropped.reduce((sum, [entries]) => sum + entries, 0);
  expect(gone + ids.length).toBe(10);
  expect(new Set(dropped.map(([, reason]) => reason))).toEqual(new Set(["space"]));
});

test("closing closes the open segment, though the clock was set back meanwhile", async () => {
  let now = 1_800_000_000_000;
  const log = logOf({ clock: { now: () => now } });
  await log.record(entry("r"));
  now -= 3_600_000;
  await log.close();
  expect(log.folder?.waiting.segments).toBe(1);
});

test("what cannot be written is refused in mode Strict, and counted in mode Background; both tell it, and its end", async () => {
  const said: string[] = [];
  const say = (message: string) => said.push(message);
  const strict = logOf({ log: { warn: say, info: say } });
  const background = logOf({ mode: "Background", log: { warn: say, info: say } });
  rmSync(folder, { recursive: true });
  const refused = await strict.record(entry("a")).catch((error) => error);
  expect(refused).toMatchObject({ statusCode: 503, reason: "NotLogged" });
  // Where the log is, is no business of the caller's.
  expect(refused.message).not.toContain(folder);
  await background.record(entry("b"));
  await background.close();
  mkdirSync(folder);
  await strict.record(entry("c"));
  expect(said).toEqual([
    expect.stringMatching(/^the prediction log cannot be written, and no prediction is given: .*ENOENT/),
    expect.stringMatching(/^the prediction log cannot be written, and predictions are given .*ENOENT/),
    "the prediction log is written again, after 1 failures",
  ]);
  await strict.close();
  expect(dropped).toEqual([
    [1, "error"],
    [1, "error"],
  ]);
});

test("a disk that takes no bytes is told once, and gets no file for each refused prediction", async () => {
  const program = join(import.meta.dirname, "..", "..", "test", "faults", "unwritable-log.ts");
  const { stdout } = await promisify(execFile)("/bin/sh", [
    ...["-c", 'ulimit -f 0; exec "$@"', "sh", process.execPath, program, folder, "20"],
  ]);
  const { said, refused, ...left } = JSON.parse(stdout);
  expect(left).toEqual({ dropped: 20, files: [], waiting: { segments: 0, bytes: 0 } });
  expect(said).toEqual([
    expect.stringMatching(
      /^the prediction log cannot be written, and no prediction is given: .*EFBIG: file too large/,
    ),
  ]);
  expect(refused).toHaveLength(20);
  expect(refused[0]).toMatch(/could not be logged: its folder cannot be written \(EFBIG\)$/);
});

test("more than may wait is not kept in memory", async () => {
  const log = logOf({ mode: "Background", limits: { waitingBytes: 250 } });
  for (const id of ["a", "b", "c", "d", "e"]) await log.record(entry(id));
  await log.close();
  expect((await idsOf()).length + dropped.length).toBe(5);
  expect(dropped.length).toBeGreaterThan(0);
});

test("reading leaves out what is older, and a line that a crash cut short", async () => {
  const at = (ms: number) => JSON.stringify({ ...entry(`t${ms}`)(), time: new Date(ms).toISOString() });
  const file = join(folder, segmentName(1000, "00000000"));
  writeFileSync(file, `${at(1000)}\n${at(2000)}\n`);
  appendFileSync(file, at(3000).slice(0, 20));
  writeFileSync(join(folder, segmentName(4000, "00000000")), `${at(4000)}\n`);
  writeFileSync(join(folder, "else.txt"), "no segment");
  expect(await idsOf(2000)).toEqual(["t2000", "t4000"]);
});

test("killed at any moment, every acknowledged prediction is in the log, once", async () => {
  const acknowledged: string[] = [];
  const program = join(import.meta.dirname, "..", "..", "test", "faults", "logging-process.ts");
  for (const [run, after] of [40, 300, 700].entries()) {
    const child = spawn(process.execPath, [program, folder, String(run)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.split("\n").length > after) child.kill("SIGKILL");
    });
    await new Promise((resolve) => child.once("close", resolve));
    // The last line may have been cut by the kill.
    acknowledged.push(...said.split("\n").slice(0, -1));
  }
  const ids = await idsOf();
  expect(new Set(ids).size).toBe(ids.length);
  const found = new Set(ids);
  expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(1000);
});

test("a served model logs what it was asked and what it answered, under the request's id", async () => {
  using model = await modelPackage("faulty");
  {
    await using server = await modelServer(model.directory, { log: { folder, mode: "Strict" } });
    const { body } = await server.post("/predict", { rows: [ROW] });
    expect((await server.post("/predict", { rows: [{}] })).status).toBe(422);
    const lines = readdirSync(folder).flatMap((name) =>
      readFileSync(join(folder, name), "utf8").trim().split("\n"),
    );
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      requestId: body.requestId,
      model: model.digest,
      inputs: { rows: [ROW] },
      predictions: ["yes"],
    });
  }
});
