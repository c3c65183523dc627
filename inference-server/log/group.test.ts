import { expect, test } from "vitest";
import { Group } from "./group.ts";

test("what goes in comes out, in its order, in every script and of any length", () => {
  const lengths = [0, 1, 100, 16_383, 16_384, 16_385, 40_000, 3, 1_100_000, 7, 700_000, 700_000, 2];
  for (const sign of ["a", "é", "語", "🙂"]) {
    const group = new Group();
    const lines = lengths.map((length, at) => `${at}${sign.repeat(length)}\n`);
    for (const line of lines) group.add(line);
    const whole = Buffer.concat(group.content);
    expect(whole.toString("utf8") === lines.join(""), sign).toBe(true);
    expect(group.bytes).toBe(whole.length);
    expect(group.entries).toBe(lines.length);
  }
});

test("what is small takes little, and what is large few pieces", () => {
  const small = new Group();
  small.add("one line\n");
  expect(small.content[0]?.buffer.byteLength).toBeLessThanOrEqual(16 * 1024);
  const large = new Group();
  for (let count = 0; count < 16 * 1024; count++) large.add(`${"x".repeat(1023)}\n`);
  expect(large.content.length).toBeLessThanOrEqual(24);
});
