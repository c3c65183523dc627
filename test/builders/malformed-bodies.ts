/** Bodies that are wrong, each in a way of its own, for the model of test/builders/model-package.ts. Seeded by fast-check. */
import { gzipSync } from "node:zlib";
import { fc } from "../properties.ts";
import { ROW } from "./model-package.ts";

export type Malformed = {
  /** What is wrong with it. */
  readonly what: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

const PREDICT = "/predict";
const INFER = "/v2/models/logistic/infer";
const JSON_TYPE = { "content-type": "application/json" };

/** A number that JSON.stringify would not write: it stands in a body as it is. */
const raw = (text: string) => `@@${text}@@`;
const write = (value: unknown): string => JSON.stringify(value).replace(/"@@(.*?)@@"/g, "$1");

const json = (what: string, url: string, text: string): Malformed => ({
  what,
  url,
  headers: JSON_TYPE,
  body: Buffer.from(text),
});
const predict = (what: string, value: unknown) => json(what, PREDICT, write(value));
const infer = (what: string, value: unknown) => json(what, INFER, write(value));

const DATATYPES: Readonly<Record<string, string>> = { age: "INT64", income: "FP64", active: "BOOL" };
type Tensor = Record<string, unknown>;
const tensors = (): Tensor[] =>
  Object.entries(ROW)
    .filter(([name]) => name !== "id")
    .map(([name, value]) => ({ name, datatype: DATATYPES[name] ?? "BYTES", shape: [1, 1], data: [value] }));

const GOOD: readonly (readonly [string, string])[] = [
  [PREDICT, write({ rows: [ROW, ROW] })],
  [
    PREDICT,
    write({ columns: Object.fromEntries(Object.entries(ROW).map(([name, cell]) => [name, [cell]])) }),
  ],
  [INFER, write({ parameters: { content_type: "pd" }, inputs: tensors() })],
];
const good = fc.constantFrom(...GOOD);
const unparsable = (text: string): boolean => {
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
};

const broken = fc
  .oneof(
    fc
      .tuple(good, fc.nat())
      .map(([[url, text], at]) => json("cut short", url, text.slice(0, at % text.length))),
    fc.tuple(good, fc.nat()).map(([[url, text], at]) => {
      const place = at % text.length;
      return json("a character is lacking", url, text.slice(0, place) + text.slice(place + 1));
    }),
    fc
      .tuple(
        good,
        fc.nat(),
        fc.constantFrom(
          "'",
          '"',
          ",",
          "}",
          "]",
          "{",
          "\\",
          "\u0000",
          "NaN",
          "//",
          "0x1F",
          "+1",
          "01",
          "undefined",
        ),
      )
      .map(([[url, text], at, more]) => {
        const place = at % text.length;
        return json(
          `${JSON.stringify(more)} is too much`,
          url,
          text.slice(0, place) + more + text.slice(place),
        );
      }),
    fc.tuple(good, good).map(([[url, text], [, other]]) => json("twice", url, text + other)),
    good.map(([url, text]) => json("single quotes", url, text.replaceAll('"', "'"))),
    fc
      .tuple(good, fc.constantFrom("NaN", "Infinity", "-Infinity", "undefined", "0x1F", ".5", "1.", "True"))
      .map(([[url, text], word]) => json(`${word} for a number`, url, text.replace(/\b42\b/, word))),
  )
  .filter(({ body }) => unparsable(body.toString()));

const LARGE = ["1e999", "-1e999", `1${"0".repeat(400)}`];
const structure = fc.oneof(fc.constant([]), fc.constant({}), fc.constant([1]), fc.constant({ a: 1 }));
const word = fc.string({ minLength: 3, maxLength: 20 }).map((text) => `~${text}`);
/** Values that a column does not take. */
const WRONG: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  id: fc.oneof(structure, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
  age: fc.oneof(
    structure,
    word,
    fc.boolean(),
    fc.double({ min: 0.1, max: 0.9, noNaN: true }),
    fc.constantFrom(2 ** 60, -(2 ** 60), 1e300, ...LARGE.map(raw)),
  ),
  income: fc.oneof(structure, word, fc.boolean(), fc.constantFrom(...LARGE.map(raw))),
  active: fc.oneof(structure, word, fc.integer(), fc.constantFrom(...LARGE.map(raw))),
  plan: fc.oneof(structure, fc.integer(), fc.boolean(), fc.constant("x".repeat(100_001))),
  city: fc.oneof(structure, fc.integer(), fc.boolean()),
  code: fc.oneof(structure, fc.boolean(), fc.constantFrom(...LARGE.map(raw))),
  since: fc.oneof(
    structure,
    word,
    fc.integer(),
    fc.constantFrom(
      "31.12.2020",
      "2020-02-31",
      "2020-13-01",
      "2020-1-1",
      "2020-01-01T25:00:00",
      "12020-01-01",
    ),
  ),
};
const wrongCell = fc
  .constantFrom(...Object.keys(WRONG))
  .chain((name) => (WRONG[name] ?? structure).map((value) => [name, value] as const));

const wrongRows = fc.oneof(
  wrongCell.map(([name, value]) => predict(`${name} is wrong`, { rows: [ROW, { ...ROW, [name]: value }] })),
  wrongCell.map(([name, value]) =>
    predict(`${name} is wrong`, {
      columns: Object.fromEntries(
        Object.entries({ ...ROW, [name]: value }).map(([key, cell]) => [key, [cell]]),
      ),
    }),
  ),
  wrongCell
    .filter(([name]) => name !== "id")
    .map(([name]) => predict(`${name} is lacking`, { rows: [{ ...ROW, [name]: undefined }] })),
  word.map((name) => predict("an unknown column", { rows: [{ ...ROW, [name]: 1 }] })),
  fc
    .constantFrom<unknown>(...[null, 1, "x", true, [], {}, [ROW], { rows: {} }, { rows: [] }, { rows: null }])
    .map((value) => predict("no rows", value)),
  fc
    .constantFrom<unknown>(
      ...[
        { rows: [1] },
        { rows: [[]] },
        { rows: [null, ROW] },
        { rows: "x" },
        { row: [ROW] },
        { columns: [] },
      ],
      ...[{ columns: {} }, { columns: { age: 1 } }, { columns: { age: [] } }, { rows: [ROW], columns: {} }],
      ...[{ rows: [ROW], more: 1 }, { columns: { age: [1], income: [1, 2] } }, { rows: Array(60).fill(ROW) }],
    )
    .map((value) => predict("of another form", value)),
);

const twice = wrongCell.map(([name, value]) => {
  const text = write({ rows: [ROW] });
  const more = `,${JSON.stringify(name)}:${write(value)}}]}`;
  return json(`${name} twice, the second one wrong`, PREDICT, text.slice(0, -3) + more);
});

const depth = fc.constantFrom(50, 1000, 20_000, 100_000);
const deep = fc.oneof(
  depth.map((count) => json("deep lists", PREDICT, "[".repeat(count) + "]".repeat(count))),
  depth.map((count) => json("deep lists, open", PREDICT, "[".repeat(count))),
  depth.map((count) => {
    const cell = `${'{"a":'.repeat(count / 10)}1${"}".repeat(count / 10)}`;
    return json(
      "a deep cell",
      PREDICT,
      write({ rows: [{ ...ROW, plan: raw("DEEP") }] }).replace("DEEP", cell),
    );
  }),
  depth.map((count) => {
    const data = "[".repeat(count) + "]".repeat(count);
    const inputs = tensors().map((one) => (one.name === "plan" ? { ...one, data: raw("DEEP") } : one));
    return json("deep data", INFER, write({ inputs }).replace("DEEP", data));
  }),
);

const otherType = fc
  .tuple(
    fc.constantFrom(...GOOD.slice(0, 2)),
    fc.constantFrom(
      ...["text/plain", "text/plain; charset=utf-8", "application/xml", "application/x-www-form-urlencoded"],
      ...[
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "text/json",
        "json",
        "application/*",
      ],
    ),
  )
  .map(([[url, text], type]): Malformed => {
    return { what: `of type ${type}`, url, headers: { "content-type": type }, body: Buffer.from(text) };
  });

const encoded = fc
  .tuple(good, fc.constantFrom("gzip", "br", "deflate", "zstd", "gzip, gzip", "x-nothing"), fc.boolean())
  .map(([[url, text], encoding, really]): Malformed => {
    const headers = { ...JSON_TYPE, "content-encoding": encoding };
    return { what: `encoded ${encoding}`, url, headers, body: really ? gzipSync(text) : Buffer.from(text) };
  });
const zipped = good.map(([url, text]): Malformed => {
  return { what: "gzip that does not say so", url, headers: JSON_TYPE, body: gzipSync(text) };
});

const notUtf8 = fc
  .tuple(good, fc.constantFrom("ff", "c080", "eda080", "e28", "f8888080", "80", "c3"), fc.nat())
  .map(([[url, text], hex, at]): Malformed => {
    const body = Buffer.from(text);
    // Within a text, so that all else is JSON.
    const places = [...text.matchAll(/(?:pro|Bern|00123)(?=")/g)].map(
      (found) => found.index + found[0].length,
    );
    const place = places[at % places.length] ?? 0;
    const wrong = Buffer.from(hex.padEnd(hex.length + (hex.length % 2), "2"), "hex");
    return {
      what: `the bytes ${hex}`,
      url,
      headers: JSON_TYPE,
      body: Buffer.concat([body.subarray(0, place), wrong, body.subarray(place)]),
    };
  });

const wrongLength = fc
  .tuple(
    good,
    fc.integer({ min: -40, max: 40 }).filter((off) => off !== 0),
  )
  .map(([[url, text], off]): Malformed => {
    const body = Buffer.from(text);
    const headers = { ...JSON_TYPE, "content-length": String(body.length + off) };
    return { what: `${off} bytes more than there are`, url, headers, body };
  });
const tooLarge = good.map(([url, text]) => json("too large", url, text + " ".repeat(300_000)));

/** One tensor of the request, changed. */
const changed = (what: string, name: string, more: Tensor) =>
  infer(`${name}: ${what}`, {
    inputs: tensors().map((one) => (one.name === name ? { ...one, ...more } : one)),
  });
const tensorName = fc.constantFrom(...tensors().map(({ name }) => String(name)));
const anything = fc.oneof(structure, fc.integer(), fc.boolean(), fc.constant(null), word);
const wrongTensors = fc.oneof(
  tensorName.chain((name) =>
    fc
      .oneof(
        fc.constantFrom([], [2], [0], [1, 2], [1, 1, 1], [-1], [1.5], ["1"], 1, null, raw("[1e999]"), [
          2 ** 60,
        ]),
        word,
      )
      .map((shape) => changed("shape", name, { shape })),
  ),
  tensorName.chain((name) =>
    fc
      .oneof(fc.constantFrom("", "fp64", "STRING", "FP65", null, 1, ["FP64"], "__proto__"), word)
      .map((datatype) => changed("datatype", name, { datatype })),
  ),
  tensorName.chain((name) =>
    fc
      .constantFrom<unknown>(...[[], [1, 2], [[]], [[[1]]], [{}], {}, "x", null, 1, [["a"], ["b"]], [[1, 2]]])
      .map((data) => changed("data", name, { data })),
  ),
  tensorName.chain((name) =>
    fc
      .constantFrom("name", "datatype", "shape", "data")
      .map((key) => changed(`without ${key}`, name, { [key]: undefined })),
  ),
  fc
    .constantFrom(
      ...[
        ["age", "INT8", 128],
        ["age", "UINT8", -1],
        ["age", "INT32", 2 ** 31],
        ["age", "INT64", 1.5],
        ["age", "FP64", 1.5],
        ["age", "BOOL", 2],
        ["age", "BYTES", 42],
        ["age", "INT64", raw("1e999")],
        ["income", "FP32", "12"],
        ["income", "FP64", true],
        ["income", "BYTES", "12"],
        ["income", "INT64", 12.5],
        ["active", "BOOL", 2],
        ["active", "FP64", 1],
        ["plan", "INT64", 1],
        ["plan", "BYTES", 1],
        ["since", "BYTES", "2020-02-31"],
        ["code", "BOOL", true],
      ],
    )
    .map(([name, datatype, value]) =>
      changed(`${datatype} ${String(value)}`, String(name), { datatype, data: [value] }),
    ),
  fc
    .constantFrom("!", "abc", "/w==", "YQ=", "Y Q=")
    .map((text) => changed("base64", "plan", { parameters: { content_type: "base64" }, data: [text] })),
  tensorName.map((name) =>
    infer(`${name} twice`, { inputs: [...tensors(), ...tensors().filter((one) => one.name === name)] }),
  ),
  tensorName.map((name) =>
    infer(`without ${name}`, { inputs: tensors().filter((one) => one.name !== name) }),
  ),
  word.map((name) =>
    infer("an unknown tensor", { inputs: [...tensors(), { name, datatype: "FP64", shape: [1], data: [1] }] }),
  ),
  word.map((name) => infer("an unknown output", { inputs: tensors(), outputs: [{ name }] })),
  anything.filter((one) => !Array.isArray(one)).map((inputs) => infer("inputs are no list", { inputs })),
  anything
    .filter((one) => typeof one !== "object" || one === null)
    .map((parameters) => infer("parameters", { inputs: tensors(), parameters })),
  fc
    .constantFrom<unknown>(1, {}, ["x"], [{}], null)
    .map((outputs) => infer("outputs", { inputs: tensors(), outputs })),
  fc.constantFrom<unknown>(1, {}, null, "x".repeat(300)).map((id) => infer("id", { inputs: tensors(), id })),
  fc
    .constantFrom<unknown>(null, 1, "x", [], {}, { inputs: [] }, { inputs: [1] })
    .map((value) => infer("no inputs", value)),
  fc.constantFrom("8", "20", "x", "-1").map((length): Malformed => {
    const [, , [url, text]] = GOOD as readonly [unknown, unknown, readonly [string, string]];
    const headers = { "inference-header-content-length": length };
    return { what: "tensors in binary", url, headers, body: Buffer.from(text) };
  }),
);

/** The same ones for the same seed. */
export function malformedBodies(count: number, seed: number): Malformed[] {
  const any = fc.oneof(
    { weight: 3, arbitrary: broken },
    { weight: 3, arbitrary: wrongRows },
    { weight: 4, arbitrary: wrongTensors },
    ...[twice, otherType, encoded, zipped, notUtf8, wrongLength].map((arbitrary) => ({
      weight: 1,
      arbitrary,
    })),
  );
  // Large ones are few: they are of few kinds.
  const large = fc.oneof(deep, tooLarge);
  const few = Math.ceil(count / 100);
  return [...fc.sample(any, { numRuns: count - few, seed }), ...fc.sample(large, { numRuns: few, seed })];
}
