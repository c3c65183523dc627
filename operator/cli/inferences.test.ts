/** The prediction log of a deployment, from the store to the command line: in frames, through the operator and a proxy. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { predictionLogPrefix, segmentKey } from "../api/prediction-log.ts";
import { httpServer, type PredictionsRequest } from "../observability/http.ts";
import { segmentFrames } from "../serving/segments.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { inferenceText } from "./inference-text.ts";
import { CutShortError, linesOf, segmentsOfPart } from "./segment-frames.ts";

const PREFIX = predictionLogPrefix("team", "churn");
const at = (time: string) => Date.parse(time);
const entry = (time: string, requestId: string) => ({
  ...{ time, requestId, model: "m", milliseconds: 1.5 },
  inputs: { rows: [{ tenure: 3, plan: "basic" }] },
  predictions: ["yes"],
  probabilities: [{ no: 0.2, yes: 0.8 }],
});
let store: MemoryStore;
beforeEach(() => {
  store = new MemoryStore();
});

async function put(last: string, ids: readonly string[], server = "pod-a"): Promise<string> {
  const key = segmentKey(PREFIX, at(last), server, "1770000000000-0a1b2c3d");
  const lines = ids.map((id) => JSON.stringify(entry(last, id)));
  await store.put(key, gzipSync(`${lines.join("\n")}\n`));
  return key;
}

/** As read, part by part; how many there were. */
async function read(since: string, partBytes?: number): Promise<{ ids: string[]; parts: number }> {
  const ids: string[] = [];
  let after: string | undefined;
  for (let parts = 1; ; parts++) {
    const range = { prefix: PREFIX, since: at(since), ...(after === undefined ? {} : { after }) };
    const part = segmentsOfPart(segmentFrames(store, range, partBytes));
    for (;;) {
      const { done, value } = await part.next();
      if (done && !value) return { ids, parts };
      if (done) break;
      after = (value as { name: string }).name;
      for await (const line of linesOf(value as { name: string; body: Uint8Array }))
        ids.push(JSON.parse(line).requestId);
    }
  }
}

describe("segments", () => {
  beforeEach(async () => {
    await put("2026-01-30T10:00:00Z", ["a"]);
    await put("2026-01-31T10:00:00Z", ["b", "c"]);
    await put("2026-01-31T10:00:00Z", ["d"], "pod-b");
    await put("2026-02-01T00:00:00Z", ["e"]);
    await store.put(`${PREFIX}2026-01-31/junk`, new Uint8Array(3));
    await store.put(
      segmentKey(predictionLogPrefix("team", "churn-2"), at("2026-01-31T10:00:00Z"), "p", "x"),
      gzipSync("{}\n"),
    );
  });

  test("come in the order of time, of all servers, from a moment on", async () => {
    expect((await read("2026-01-01T00:00:00Z")).ids).toEqual(["a", "b", "c", "d", "e"]);
    expect((await read("2026-01-31T09:00:00Z")).ids).toEqual(["b", "c", "d", "e"]);
    expect((await read("2026-02-01T00:00:00Z")).ids).toEqual(["e"]);
    expect((await read("2027-01-01T00:00:00Z")).ids).toEqual([]);
  });

  test("come in parts of a bounded size, each going on where the one before ended", async () => {
    expect(await read("2026-01-01T00:00:00Z", 1)).toEqual({ ids: ["a", "b", "c", "d", "e"], parts: 4 });
    const nothing = gzipSync("");
    for (let number = 0; number < 1100; number++) {
      await store.put(
        segmentKey(PREFIX, at("2026-03-01T00:00:00Z") + number, "pod", "1770000000000-0a1b2c3d"),
        nothing,
      );
    }
    expect((await read("2026-02-15T00:00:00Z")).parts).toBe(2);
  });

  test("that are cut short anywhere are never taken for the whole", async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of segmentFrames(store, { prefix: PREFIX, since: 0 })) pieces.push(piece);
    const whole = Buffer.concat(pieces);
    for (let length = 0; length < whole.length; length += 7) {
      const part = segmentsOfPart(inPieces(whole.subarray(0, length)));
      await expect(
        (async () => {
          for await (const _ of part);
        })(),
        `${length} of ${whole.length} bytes`,
      ).rejects.toBeInstanceOf(CutShortError);
    }
  });

  async function* inPieces(bytes: Buffer) {
    for (let start = 0; start < bytes.length; start += 5) yield bytes.subarray(start, start + 5);
  }
});

test("a segment that is no gzip, or that holds a line without end, is refused", async () => {
  const collect = async (body: Uint8Array) => {
    const lines: string[] = [];
    for await (const line of linesOf({ name: "n", body }, 1000)) lines.push(line);
    return lines;
  };
  expect(await collect(gzipSync("one\ntwo\nthree without an end"))).toEqual(["one", "two"]);
  await expect(collect(Buffer.from("no gzip"))).rejects.toThrow(/header/);
  await expect(collect(gzipSync(Buffer.alloc(1 << 22, "x")))).rejects.toThrow(
    "a line of more than 1000 bytes",
  );
});

test("an entry as text: a line a row, cut, and without what a terminal would obey", () => {
  const { probabilities: _, ...regression } = entry("2026-01-31T12:00:00.000Z", "3f2a8c11-aaaa");
  expect(inferenceText(entry("2026-01-31T12:00:00.000Z", "3f2a8c11-aaaa"))).toBe(
    "2026-01-31T12:00:00.000Z  3f2a8c11  yes (0.800)  tenure=3 plan=basic",
  );
  const columns = { columns: { a: [1, null], "b c": ["\u001b[31mred\n", "x".repeat(50)] } };
  expect(inferenceText({ ...regression, inputs: columns, predictions: [1.5, 2] })).toBe(
    [
      '2026-01-31T12:00:00.000Z  3f2a8c11  1.5  a=1 "b c"="\\u001b[31mred\\n"',
      `2026-01-31T12:00:00.000Z  3f2a8c11  2  a=- "b c"=${"x".repeat(40)}…`,
    ].join("\n"),
  );
});

describe("autoai inferences -n", () => {
  let folder: string;
  let proxy: Server;
  let operator: ReturnType<typeof httpServer>;
  const asked: PredictionsRequest[] = [];
  let failures = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "inferences-"));
    operator = httpServer({
      health: () => ({ ok: true, detail: "" }),
      readiness: () => ({ ok: true, detail: "" }),
      metrics: async () => ({ contentType: "", text: "" }),
      journal: async () => ({ outcome: "Missing", message: "" }),
      artifact: async () => ({ outcome: "Missing", message: "" }),
      predictions: async (request) => {
        asked.push(request);
        if (request.token !== "reader")
          return { outcome: "Denied", message: "you may not get modeldeployments" };
        const range = { prefix: PREFIX, since: request.since };
        const { after } = request;
        return {
          outcome: "Found",
          frames: segmentFrames(store, after === undefined ? range : { ...range, after }),
        };
      },
    });
    const upstream = await operator.listen({ port: 0, host: "127.0.0.1" });
    // What the API server does with a request to a Service's proxy; cut off in the middle as often as told.
    proxy = createServer((incoming, outgoing) => {
      const path = incoming.url?.replace(
        /^\/api\/v1\/namespaces\/autoai-system\/services\/http:autoai:8080\/proxy/,
        "",
      );
      request(
        `${upstream}${path}`,
        { headers: { "x-autoai-token": incoming.headers["x-autoai-token"] } },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 500, { "content-type": answer.headers["content-type"] });
          if (failures-- > 0) answer.once("data", (piece) => outgoing.write(piece, () => outgoing.destroy()));
          else answer.pipe(outgoing);
        },
      ).end();
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = proxy.address() as { port: number };
    for (const user of ["reader", "other"]) {
      const cluster = { server: `http://127.0.0.1:${address.port}`, "insecure-skip-tls-verify": true };
      writeFileSync(
        join(folder, user),
        JSON.stringify({
          ...{ apiVersion: "v1", kind: "Config", "current-context": "c" },
          clusters: [{ name: "c", cluster }],
          users: [{ name: "u", user: { token: user } }],
          contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        }),
      );
    }
  });
  afterAll(async () => {
    proxy?.close();
    await operator?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const PROGRAM = join(import.meta.dirname, "..", "cli.ts");
  const run = (user: string, ...args: string[]) =>
    ran(user, process.execPath, [PROGRAM, "inferences", "churn", "-n", "team", ...args]);
  const ran = (user: string, file: string, args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, KUBECONFIG: join(folder, user) };
      const child = execFile(file, args, { env }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      );
    });

  test("prints what was logged in the window, as text or as it was, also where the connection breaks meanwhile", async () => {
    await put("2026-01-31T09:00:00Z", ["early"]);
    for (let number = 0; number < 5; number++) await put(`2026-01-31T10:00:0${number}Z`, [`r${number}`]);
    failures = 2;
    const window = ["--since", "2026-01-31T10:00:00Z", "--until", "2026-01-31T10:00:03Z"];
    const all = await run("reader", ...window, "--json");
    expect(all.code, all.stderr).toBe(0);
    const ids = all.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).requestId);
    expect(ids).toEqual(["r0", "r1", "r2", "r3"]);
    const some = await run("reader", ...window, "--limit", "1");
    expect(some).toEqual({
      code: 0,
      stderr: "",
      stdout: "2026-01-31T10:00:00Z  r0  yes (0.800)  tenure=3 plan=basic\n",
    });
    expect(asked.at(-1)).toMatchObject({ token: "reader", namespace: "team", name: "churn" });
  });

  test("ends in silence where nobody reads on, and with one line where the disk is full", async () => {
    const ids = Array.from({ length: 20_000 }, (_, number) => `r${number}`);
    await put("2026-01-31T10:00:00Z", ids);
    const command = `"${process.execPath}" "${PROGRAM}" inferences churn -n team --since 2026-01-01T00:00:00Z`;
    const shell = (rest: string) => ran("reader", "bash", ["-c", `${command} ${rest}`]);
    const head = await shell("| head -n 1; echo $PIPESTATUS");
    expect([head.stderr, head.stdout.split("\n")]).toEqual([
      "",
      [expect.stringContaining("  r0  "), "0", ""],
    ]);
    expect(await shell("> /dev/full")).toEqual({
      code: 1,
      stdout: "",
      stderr: "autoai: ENOSPC: no space left on device, write\n",
    });
  });

  test("says why not, and names a segment that cannot be read beside those that can", async () => {
    const denied = await run("other");
    expect([denied.code, denied.stderr]).toEqual([2, "you may not get modeldeployments\n"]);
    const broken = await put("2026-01-31T09:00:00Z", ["a"]);
    await store.put(broken, new Uint8Array(100));
    await put("2026-01-31T10:00:00Z", ["b"]);
    const read = await run("reader", "--since", "2026-01-01T00:00:00Z", "--json");
    expect([read.code, JSON.parse(read.stdout).requestId]).toEqual([1, "b"]);
    expect(read.stderr).toContain(`the segment ${broken.slice(PREFIX.length)} cannot be read`);
  });
});
