import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { type GeminiServer, type Script, startGeminiServer } from "./gemini-server.ts";

type Content = { role: string; parts: object[] };
const user = (text: string): Content => ({ role: "user", parts: [{ text }] });
const model = (...parts: object[]): Content => ({ role: "model", parts });

async function post(
  server: GeminiServer,
  body: object,
  headers: Record<string, string> = { "x-goog-api-key": "k" },
) {
  const url = `${server.url}/v1beta/models/gemini-x:generateContent`;
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
  return { status: response.status, body: (await response.json()) as any };
}

const parts = (answer: Awaited<ReturnType<typeof post>>) => answer.body.candidates[0].content.parts;
const start = (script: Script, apiKey?: string) =>
  startGeminiServer({ script, ...(apiKey ? { apiKey } : {}) });

describe("the script", () => {
  test("is followed step by step, then closed with a text", async () => {
    await using server = await start([{ calls: [{ name: "f", args: { a: 1 } }] }]);
    const first = await post(server, { contents: [user("Go.")] });
    expect(parts(first)).toEqual([
      { functionCall: { id: "call-0-0", name: "f", args: { a: 1 } }, thoughtSignature: expect.any(String) },
    ]);
    const functionResponse = { id: "call-0-0", name: "f", response: { ok: true } };
    const contents = [user("Go."), model(...parts(first)), { role: "user", parts: [{ functionResponse }] }];
    expect(parts(await post(server, { contents }))).toEqual([{ text: expect.stringContaining("stop here") }]);
    expect(server.complaints).toEqual([]);
    expect(server.requests.map(({ turn }) => turn)).toEqual([0, 1]);
  });

  test("gives the same answer to the same conversation, and a fault only once", async () => {
    await using server = await start([{ status: 503 }, { text: "one" }, { text: "two" }]);
    expect((await post(server, { contents: [user("99 s left")] })).status).toBe(503);
    expect(parts(await post(server, { contents: [user("98 s left")] }))).toEqual([{ text: "one" }]);
    expect(parts(await post(server, { contents: [user("42 s left")] }))).toEqual([{ text: "one" }]);
    const contents = [user("42 s left"), model({ text: "one" }), user("41 s left")];
    expect(parts(await post(server, { contents }))).toEqual([{ text: "two" }]);
  });

  test("waits until the newest turn is what it expects", async () => {
    await using server = await start([{ expect: "KeyError", text: "I see." }]);
    expect((await post(server, { contents: [user("ValueError")] })).status).toBe(400);
    expect(server.complaints[0]).toContain("expected the newest turn to match KeyError");
    expect(parts(await post(server, { contents: [user("KeyError")] }))).toEqual([{ text: "I see." }]);
  });
});

describe("what the service refuses", () => {
  const call = { functionCall: { name: "f", args: {} } };
  const answer = (name: string) => ({ functionResponse: { name, response: { ok: true } } });
  const declared = (parameters: object) => ({
    contents: [user("Go.")],
    tools: [{ functionDeclarations: [{ name: "f", description: "d", parameters }] }],
  });
  const it = (schema: object) => declared({ type: "OBJECT", properties: { it: schema } });

  test.each<[string, object, RegExp]>([
    ["no contents", { contents: [] }, /contents/],
    ["an unknown field", { contents: [user("Go.")], temperature: 1 }, /temperature/],
    [
      "a turn of the model at the start",
      { contents: [model({ text: "Hi" }), user("Go.")] },
      /begin with a user turn/,
    ],
    [
      "a turn of the model at the end",
      { contents: [user("Go."), model({ text: "Hi" })] },
      /end with a user turn/,
    ],
    ["two user turns", { contents: [user("Go."), user("Go.")] }, /alternate/],
    ["a part with nothing in it", { contents: [{ role: "user", parts: [{}] }] }, /exactly one/],
    ["a turn without parts", { contents: [{ role: "user", parts: [] }] }, /parts/],
    [
      "a call without an answer",
      { contents: [user("Go."), model(call), user("Well?")] },
      /immediately followed/,
    ],
    [
      "fewer answers than calls",
      { contents: [user("Go."), model(call, call), { role: "user", parts: [answer("f")] }] },
      /number of function response/,
    ],
    [
      "an answer to another call",
      { contents: [user("Go."), model(call), { role: "user", parts: [answer("g")] }] },
      /does not answer/,
    ],
    [
      "an answer mixed with text",
      { contents: [user("Go."), model(call), { role: "user", parts: [answer("f"), { text: "x" }] }] },
      /mixed/,
    ],
    [
      "an answer to nothing",
      { contents: [{ role: "user", parts: [answer("f")] }] },
      /number of function response/,
    ],
    [
      "$schema",
      declared({ type: "OBJECT", properties: { it: { type: "STRING" } }, $schema: "x" }),
      /\$schema/,
    ],
    ["additionalProperties", it({ type: "OBJECT", additionalProperties: false }), /additionalProperties/],
    ["const", it({ const: 1 }), /const/],
    ["types in small letters with null", it({ type: ["string", "null"] }), /type/],
    ["an object without properties", declared({ type: "OBJECT", properties: {} }), /non-empty for OBJECT/],
    ["an array without items", it({ type: "ARRAY" }), /items/],
    ["an enum of numbers", it({ type: "INTEGER", enum: ["1"] }), /STRING/],
    [
      "a required property that is none",
      declared({ type: "OBJECT", properties: { it: { type: "STRING" } }, required: ["x"] }),
      /not defined/,
    ],
  ])("%s", async (_, body, message) => {
    await using server = await start([{ text: "never" }]);
    const { status, body: refusal } = await post(server, body);
    expect(status).toBe(400);
    expect(refusal.error).toMatchObject({
      code: 400,
      status: "INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
    expect(server.requests).toEqual([]);
  });

  test("a call that lost its signature", async () => {
    await using server = await start([{ calls: [{ name: "f", args: {} }] }]);
    const [sent] = parts(await post(server, { contents: [user("Go.")] }));
    const functionResponse = { id: "call-0-0", name: "f", response: {} };
    const back = { functionCall: sent.functionCall };
    const { body } = await post(server, {
      contents: [user("Go."), model(back), { role: "user", parts: [{ functionResponse }] }],
    });
    expect(body.error.message).toContain("missing a thought_signature");
  });

  test("no key, or another one than asked for", async () => {
    await using server = await start([], "right");
    expect((await post(server, { contents: [user("Go.")] }, {})).status).toBe(403);
    expect(
      (await post(server, { contents: [user("Go.")] }, { "x-goog-api-key": "wrong" })).body.error,
    ).toMatchObject({
      code: 400,
      details: [{ reason: "API_KEY_INVALID" }],
    });
  });
});

test("alone, it prints its URL, follows a script file and tells what it was asked", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gemini-"));
  const file = join(folder, "steps.json");
  await writeFile(file, JSON.stringify([{ text: "from the file" }]));
  const program = new URL("./gemini-server.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, "--script", file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [url] = (await once(createInterface(child.stdout), "line")) as [string];
    const server = { url } as GeminiServer;
    expect(parts(await post(server, { contents: [user("Go.")] }))).toEqual([{ text: "from the file" }]);
    expect(await (await fetch(`${url}/requests`)).json()).toMatchObject([{ model: "gemini-x", turn: 0 }]);
  } finally {
    child.kill();
    await rm(folder, { recursive: true });
  }
});
