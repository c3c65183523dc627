/** Datatypes of the Open Inference Protocol V2, as their values stand in JSON. */
import { isUtf8 } from "node:buffer";

export type Datatype = {
  /** What a value is to be, for a person. */
  readonly expected: string;
  /** The cell of a value; undefined where it is none of the type. */
  readonly read: (value: unknown) => string | number | boolean | null | undefined;
};

const FLOATS = ["FP64", "FP32", "FP16"];
const integer = (low: number, high: number): Datatype["read"] => {
  return (value) =>
    value === null || value === "NaN"
      ? null
      : Number.isInteger(value) && (value as number) >= low && (value as number) <= high
        ? (value as number)
        : undefined;
};

const integers = [8, 16, 32, 64].flatMap((bits): [string, Datatype][] => [
  [
    `INT${bits}`,
    {
      expected: `a whole number of ${bits} bits, or null`,
      read: integer(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
    },
  ],
  [
    `UINT${bits}`,
    { expected: `a whole number of ${bits} bits, not below 0, or null`, read: integer(0, 2 ** bits - 1) },
  ],
]);

/** By name. Some clients write NaN as a text, since JSON has none. */
export const DATATYPES: ReadonlyMap<string, Datatype> = new Map<string, Datatype>([
  ...FLOATS.map((name): [string, Datatype] => [
    name,
    {
      expected: "a number, or null",
      read: (value) =>
        value === null || value === "NaN" ? null : Number.isFinite(value) ? (value as number) : undefined,
    },
  ]),
  ...integers,
  [
    "BOOL",
    {
      expected: "true or false, or null",
      read: (value) =>
        value === null || typeof value === "boolean"
          ? value
          : value === 0 || value === 1
            ? value === 1
            : undefined,
    },
  ],
  [
    "BYTES",
    {
      expected: "text, or null",
      read: (value) => (value === null || typeof value === "string" ? value : undefined),
    },
  ],
]);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** BYTES whose content type is base64. */
export const ENCODED: Datatype = {
  expected: "text in base64 of UTF-8, or null",
  read: (value) => {
    if (value === null) return null;
    if (typeof value !== "string" || !BASE64.test(value)) return undefined;
    const bytes = Buffer.from(value, "base64");
    return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
  },
};
