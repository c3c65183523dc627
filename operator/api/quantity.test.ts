import { describe, expect, test } from "vitest";
import { parseQuantity, quantity } from "./quantity.ts";

describe("parseQuantity", () => {
  test.each([
    ["500m", 0.5],
    ["2", 2],
    ["1.5", 1.5],
    ["2k", 2000],
    ["4Gi", 4 * 1024 ** 3],
    ["1M", 1_000_000],
  ])("%s is %d", (text, value) => expect(parseQuantity(text)).toBe(value));

  test.each(["", "Gi", "4GB", "-1", "1e3", "4 Gi", "1.", "0x10"])("%j is refused", (text) => {
    expect(() => parseQuantity(text)).toThrow(RangeError);
  });
});

test("a whole number is read as the text that Kubernetes would make of it", () => {
  expect(quantity("1", "4").parse(2)).toBe("2");
});
