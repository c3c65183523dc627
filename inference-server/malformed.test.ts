/** Whatever comes in, one clear error goes out, and the next request is answered as before. */
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Malformed, malformedBodies } from "../test/builders/malformed-bodies.ts";
import { type BuiltPackage, modelPackage, ROW } from "../test/builders/model-package.ts";
import { modelServer, type TestServer } from "../test/builders/model-server.ts";

const COUNT = 10_000;
const SEED = 20_261_125;
const REASONS: Readonly<Record<number, readonly string[]>> = {
  400: ["InvalidRequest", "UnknownOutput"],
  413: ["BodyTooLarge", "TooManyRows"],
  415: ["NotJson", "EncodedBody", "BinaryTensors"],
  422: ["InvalidRows"],
};

let model: BuiltPackage;
let server: TestServer;
beforeAll(async () => {
  model = await modelPackage("logistic");
  server = await modelServer(model.directory, { limits: { requestRows: 50, bodyBytes: 256 * 1024 } });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  model?.[Symbol.dispose]();
});

const predict = async () => (await server.post("/predict", { rows: [ROW] })).body.probabilities;

/** What is wrong with the answer to a malformed body; undefined where it is one clear error. */
function fault(status: number, text: string, header: unknown): string | undefined {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text);
  } catch {
    return "no JSON";
  }
  const { error, reason, requestId, problems } = body;
  if (!REASONS[status]?.includes(String(reason))) return `status ${status} with reason ${reason}`;
  if (typeof error !== "string" || error === "" || error.length > 2000) return "no sentence";
  if (/\n|node_modules|\.ts:|\bat .*:\d+/.test(error)) return "a stack";
  if (typeof requestId !== "string" || (header !== undefined && requestId !== header)) return "no request id";
  if (status === 422) {
    const named = problems as { expected?: unknown; found?: unknown }[];
    if (!Array.isArray(named) || named.length === 0 || named.length > 100) return "no problems";
    if (!named.every(({ expected, found }) => typeof expected === "string" && typeof found === "string")) {
      return "a problem that says nothing";
    }
  }
  const known = new Set(["error", "reason", "requestId", "problems"]);
  const strange = Object.keys(body).find((key) => !known.has(key));
  return strange === undefined ? undefined : `a field ${strange}`;
}

const show = ({ what, url, headers, body }: Malformed) =>
  `${what}: ${url} ${JSON.stringify(headers)} ${body.toString("latin1").slice(0, 300)}`;

test(`${COUNT} malformed bodies get one clear error each, and a right one its answer after them`, async () => {
  const before = await predict();
  const bodies = malformedBodies(COUNT, SEED);
  const faults: string[] = [];
  const kinds = new Map<string, number>();
  for (const [index, one] of bodies.entries()) {
    const reply = await server.fastify.inject({
      method: "POST",
      url: one.url,
      headers: one.headers,
      payload: one.body,
    });
    const wrong = fault(reply.statusCode, reply.body, reply.headers["x-request-id"]);
    if (wrong !== undefined) faults.push(`${wrong}, where ${show(one)} got ${reply.body.slice(0, 200)}`);
    kinds.set(`${reply.statusCode}`, (kinds.get(`${reply.statusCode}`) ?? 0) + 1);
    if (index % 1000 === 0) expect(await predict()).toEqual(before);
  }
  expect(faults.slice(0, 5)).toEqual([]);
  // Of each kind some: else the bodies are not what they are thought to be.
  expect([...kinds.keys()].sort()).toEqual(["400", "413", "415", "422"]);
  expect(await predict()).toEqual(before);
  expect(server.runtime.status()).toMatchObject({ ready: true, restarts: 0 });
}, 120_000);

const BODY = JSON.stringify({ rows: [ROW] });
const HEAD = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

test.each([
  ["a body longer than its length", `${HEAD}content-length: 20\r\n\r\n${BODY}`, 400],
  ["a body shorter than its length", `${HEAD}content-length: 5000\r\n\r\n${BODY}`, 400],
  ["a length that is no number", `${HEAD}content-length: many\r\n\r\n${BODY}`, 400],
  ["a negative length", `${HEAD}content-length: -5\r\n\r\n${BODY}`, 400],
  ["two lengths", `${HEAD}content-length: 5\r\ncontent-length: 6\r\n\r\n${BODY}`, 400],
  ["a length and chunks", `${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ["chunks that are none", `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`, 400],
  ["chunks that end early", `${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"row`, 400],
  ["an encoding that is none", `${HEAD}transfer-encoding: gzip\r\n\r\n${BODY}`, 400],
  ["a header that is none", `${HEAD}no header\r\n\r\n${BODY}`, 400],
  ["no HTTP at all", "\u0000\u0001\u0002 hello\r\n\r\n", 400],
  ["headers without end", `${HEAD}x: ${"y".repeat(40_000)}\r\n\r\n`, 431],
])("over a socket, %s gets one clear error, and the server goes on", async (_, bytes, status) => {
  if (!server.fastify.server.listening) await server.listen({ port: 0, host: "127.0.0.1" });
  const { port } = server.fastify.server.address() as { port: number };
  const replies = await new Promise<string>((resolve) => {
    let said = "";
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.end(bytes));
    socket.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(said));
    socket.once("end", () => socket.destroy());
  });
  const [head = "", text = ""] = replies.split("\r\n\r\n");
  expect(Number(head.split(" ")[1]), replies).toBe(status);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
  const body = JSON.parse(text.slice(0, length));
  expect(body).toMatchObject({ error: expect.any(String), requestId: expect.any(String) });
  expect(body.reason).toBe(status === 431 ? "HeadersTooLarge" : "InvalidRequest");
  const reply = await fetch(`http://127.0.0.1:${port}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: BODY,
  });
  expect(reply.status).toBe(200);
});

test("of a column that is given twice, the last counts", async () => {
  const ask = async (payload: string) =>
    (
      await server.fastify.inject({
        method: "POST",
        url: "/predict",
        headers: { "content-type": "application/json" },
        payload,
      })
    ).json().probabilities;
  const other = { ...ROW, age: 18 };
  const twice = JSON.stringify({ rows: [ROW] }).replace("}]}", ',"age":18}]}');
  expect(await ask(twice)).toEqual(await ask(JSON.stringify({ rows: [other] })));
});
