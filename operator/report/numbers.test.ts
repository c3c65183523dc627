import { expect, test } from "vitest";
import { bytes, change, counted, duration, moment, percent, short, withError } from "./numbers.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

test.each([
  [0.85172, 0.0046, "0.8517 ± 0.0046"],
  [53.94, 1.43, "53.9 ± 1.4"],
  [1234.56, 120, "1,235 ± 120"],
  [-0.5, 0.1, "−0.50 ± 0.10"],
  [0.9, 0, "0.9"],
  [0.9, undefined, "0.9"],
  [4e12, 2e9, "4.00e+12 ± 2.00e+9"],
])("%d with error %s is %s", (value, error, text) => {
  expect(withError(value, error)).toBe(text);
});

test("numbers keep about four digits, and an exponent only where it is needed", () => {
  expect([0, 0.00123456, 12.3456, 123456.7, 1e-7, -2e12, Number.NaN].map(short)).toEqual([
    "0",
    "0.001235",
    "12.35",
    "123,457",
    "1.00e−7",
    "−2.00e+12",
    "–",
  ]);
});

test("a change has its sign", () => {
  expect(change(0.0123, 0.004)).toBe("+0.0123 ± 0.0040");
  expect(change(-0.0123, 0.004)).toBe("−0.0123 ± 0.0040");
});

test("a share that is not 0 is never called 0 %", () => {
  expect([0, 0.0004, 0.0123, 0.4567, 1].map((share) => plain(percent(share)))).toEqual([
    "0 %",
    "< 0.1 %",
    "1.2 %",
    "46 %",
    "100 %",
  ]);
});

test("durations, counts, sizes and moments read as people say them", () => {
  expect([0.04, 9.1, 48, 59.7, 60, 200, 3600, 3900].map((seconds) => plain(duration(seconds)))).toEqual([
    "0 s",
    "9.1 s",
    "48 s",
    "1 min",
    "1 min",
    "3 min 20 s",
    "1 h",
    "1 h 5 min",
  ]);
  expect([counted(1, "row"), counted(1200, "row"), counted(2, "entry", "entries")]).toEqual([
    "1 row",
    "1,200 rows",
    "2 entries",
  ]);
  expect([bytes(0), bytes(412_345), bytes(4_100_000)]).toEqual(["0 B", "412 kB", "4.1 MB"]);
  expect(moment("2026-03-01T12:00:05.123Z")).toBe("2026-03-01 12:00:05 UTC");
  expect(moment("soon")).toBe("soon");
});
