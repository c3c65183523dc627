import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fc } from "../../test/properties.ts";
import { PlatformError } from "./executor.ts";
import { readDelivery } from "./frames.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "frames-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const result = {
  ended: "Completed",
  exitCode: 0,
  signal: null,
  seconds: 1,
  peakMemoryBytes: 1,
  output: { head: "hi", tail: "", truncated: 0 },
  notKept: [],
};
function frame(kind: string, payload: string | object = ""): Buffer {
  const body = Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
  const header = Buffer.alloc(5);
  header.write(kind, "latin1");
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
}
async function* split(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < data.length; start += size) yield data.subarray(start, start + size);
}
const read = (data: Buffer, size = 7, totalBytes = 10_000) =>
  readDelivery(split(data, size), directory, { outputs: new Set(["m"]), totalBytes });

const whole = [
  frame("R", result),
  frame("F", { path: "m", size: 6 }),
  frame("D", "abc"),
  frame("D", "def"),
  frame("T", "tar"),
  frame("E"),
];

it("reads a delivery, however its bytes arrive", async () => {
  const delivery = await read(Buffer.concat(whole), 3);
  expect(delivery.result).toEqual(result);
  expect(readFileSync(delivery.outputs.get("m") ?? "", "utf8")).toBe("abcdef");
  expect(readFileSync(delivery.snapshot?.file ?? "", "utf8")).toBe("tar");
});

it("takes no part of a delivery that was cut anywhere", async () => {
  const data = Buffer.concat(whole);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: data.length - 1 }), async (end) => {
      rmSync(directory, { recursive: true });
      directory = mkdtempSync(join(tmpdir(), "frames-"));
      await expect(read(data.subarray(0, end))).rejects.toBeInstanceOf(PlatformError);
    }),
    { numRuns: 60 },
  );
});

it.each([
  [
    "an output that was not asked for",
    [frame("R", result), frame("F", { path: "../x", size: 0 }), frame("E")],
  ],
  [
    "more of an output than it announced",
    [frame("R", result), frame("F", { path: "m", size: 1 }), frame("D", "ab"), frame("E")],
  ],
  [
    "less of an output than it announced",
    [frame("R", result), frame("F", { path: "m", size: 9 }), frame("D", "ab"), frame("E")],
  ],
  ["content without an output", [frame("R", result), frame("D", "ab"), frame("E")]],
  ["a result of another form", [frame("R", { ...result, environment: "x" }), frame("E")]],
  ["a result that is no JSON", [frame("R", "{"), frame("E")]],
  ["anything after the end", [frame("R", result), frame("E"), frame("T", "x")]],
  ["an unknown kind", [frame("Q")]],
  ["a frame of 4 GB", [Buffer.from("T\xff\xff\xff\xff", "latin1")]],
])("refuses %s", async (_, frames) => {
  await expect(read(Buffer.concat(frames))).rejects.toMatchObject({ reason: "SandboxBroken" });
});

it("bounds what is sent in all", async () => {
  const frames = [
    frame("R", result),
    ...Array.from({ length: 50 }, () => frame("T", "x".repeat(100))),
    frame("E"),
  ];
  await expect(read(Buffer.concat(frames), 1000, 2000)).rejects.toMatchObject({ reason: "SandboxBroken" });
});

it("tells what the supervisor says of its own failure", async () => {
  await expect(read(frame("X", "no space"))).rejects.toMatchObject({
    reason: "SandboxFailed",
    message: /no space/,
  });
});
