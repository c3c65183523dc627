import { createServer } from "node:net";
import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import {
  type GeminiServer,
  type Script,
  type Step,
  startGeminiServer,
} from "../../test/fakes/gemini-server.ts";
import { GeminiModel, type GeminiOptions, geminiSettings } from "./gemini.ts";
import {
  functionCalls,
  LlmRefusedError,
  type LlmReply,
  type LlmRequest,
  LlmUnavailableError,
  type Turn,
} from "./language-model.ts";

const KEY = "AIzaSyTestKeyTestKeyTestKeyTestKey12345";
const NOON_PACIFIC = Date.parse("2026-11-24T20:00:00Z");

let server: GeminiServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const tools = [
  {
    name: "execute_python_file",
    description: "Runs a file.",
    parameters: {
      type: "object",
      properties: { path: { type: "string" } },
      required: ["path"],
      additionalProperties: false,
    },
  },
];

function request(...turns: Turn[]): LlmRequest {
  const rest = { briefing: {} as LlmRequest["briefing"], remaining: { steps: 9, seconds: 99, tokens: 9999 } };
  return {
    system: "You build models.",
    turns: [{ role: "user", text: "Go." }, ...turns],
    tools,
    maxOutputTokens: 1000,
    ...rest,
  };
}

async function model(script: Script, options: GeminiOptions = {}): Promise<GeminiModel> {
  server = await startGeminiServer({ script });
  const settings = geminiSettings({ GEMINI_API_KEY: KEY, AUTOAI_GEMINI_BASE_URL: server.url });
  return new GeminiModel(settings, { clock: { now: () => NOON_PACIFIC }, ...options });
}

const live = () => new AbortController().signal;
const ask = async (step: Step, options?: GeminiOptions): Promise<LlmReply> =>
  (await model([step], options)).reply(request(), live());

async function failing(step: Step, options?: GeminiOptions): Promise<LlmUnavailableError | LlmRefusedError> {
  const error = await ask(step, options).then(
    (reply) => expect.fail(`replied ${inspect(reply)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof LlmUnavailableError || error instanceof LlmRefusedError) return error;
  throw error;
}

const call = { name: "execute_python_file", args: { path: "train.py" } };

describe("a conversation", () => {
  test("sends system instruction, tools, length limit and the key as a header", async () => {
    await ask({ text: "Hello." });
    expect(server?.complaints).toEqual([]);
    expect(server?.requests[0]).toMatchObject({
      model: "gemini-3.8-flash",
      apiKey: KEY,
      body: {
        systemInstruction: { parts: [{ text: "You build models." }] },
        contents: [{ role: "user", parts: [{ text: "Go." }] }],
        tools: [
          {
            functionDeclarations: [
              { name: "execute_python_file", parameters: { type: "OBJECT", required: ["path"] } },
            ],
          },
        ],
        generationConfig: { maxOutputTokens: 1000 },
      },
    });
  });

  test("keeps reply parts verbatim, and sends thoughts, signatures and unknown fields back as they came", async () => {
    const parts = [
      { text: "Hm.", thought: true, thoughtSignature: "dGhpbms=" },
      {
        functionCall: {
          id: "a",
          name: "execute_python_file",
          args: { path: "a.py", deep: { list: [1, null, "é"] } },
        },
        thoughtSignature: "c2ln",
      },
    ];
    const gemini = await model([{ parts }, { text: "Done." }]);
    const first = await gemini.reply(request(), live());
    expect(first).toMatchObject({ finish: "Stop", parts });
    const responses = [{ id: "a", name: "execute_python_file", response: { ok: true } }];
    await gemini.reply(request({ role: "model", parts: first.parts }, { role: "tools", responses }), live());
    expect(server?.complaints).toEqual([]);
    expect(server?.requests[1]?.body.contents[1]).toEqual({ role: "model", parts });
  });

  test("answers parallel calls in one turn, in order and by id, with the note in the last answer", async () => {
    const gemini = await model([{ calls: [call, { ...call, args: { path: "b.py" } }] }, { text: "Done." }]);
    const { parts } = await gemini.reply(request(), live());
    const [one, two] = functionCalls(parts);
    const answer = (of: typeof one, ok: boolean) => ({ id: of?.id ?? "", name: call.name, response: { ok } });
    // Handed over in the wrong order: the ids say which belongs where.
    const responses = [answer(two, false), answer(one, true)];
    await gemini.reply(
      request({ role: "model", parts }, { role: "tools", responses, note: "3 steps left." }),
      live(),
    );
    expect(server?.complaints).toEqual([]);
    expect(server?.requests[1]?.body.contents[2].parts).toEqual([
      { functionResponse: { id: one?.id, name: call.name, response: { ok: true } } },
      {
        functionResponse: {
          id: two?.id,
          name: call.name,
          response: { ok: false, operatorNote: "3 steps left." },
        },
      },
    ]);
  });

  test("leaves the global fetch as it was, even while a request is under way", async () => {
    const before = globalThis.fetch;
    const reply = ask({ text: "Hello." });
    expect(globalThis.fetch).toBe(before);
    await reply;
    expect(globalThis.fetch).toBe(before);
  });
});

describe("how a reply ends", () => {
  test.each<[string, Step, LlmReply["finish"], RegExp]>([
    ["a safety block of the prompt", { blockReason: "SAFETY" }, "Blocked", /blocked the prompt \(SAFETY\)/],
    ["SAFETY", { text: "I", finishReason: "SAFETY" }, "Blocked", /safety filter/],
    ["RECITATION", { finishReason: "RECITATION" }, "Blocked", /published text/],
    ["PROHIBITED_CONTENT", { finishReason: "PROHIBITED_CONTENT" }, "Blocked", /prohibited/],
    ["SPII", { finishReason: "SPII" }, "Blocked", /personal data/],
    ["BLOCKLIST", { finishReason: "BLOCKLIST" }, "Blocked", /forbidden term/],
    [
      "MAX_TOKENS",
      { text: "import", finishReason: "MAX_TOKENS" },
      "MaxTokens",
      /maximum length \(MAX_TOKENS\)/,
    ],
    ["MAX_TOKENS while thinking", { finishReason: "MAX_TOKENS" }, "MaxTokens", /spent on thinking/],
    [
      "a malformed call",
      { finishReason: "MALFORMED_FUNCTION_CALL", finishMessage: "print(default_api" },
      "Malformed",
      /print\(default_api/,
    ],
    ["a tool that was not declared", { finishReason: "UNEXPECTED_TOOL_CALL" }, "Malformed", /not declared/],
    ["no candidates", { empty: true }, "Empty", /neither text nor a call/],
    ["no parts", {}, "Empty", /neither/],
    ["an empty object", { raw: {} }, "Empty", /neither/],
    ["thoughts alone", { thought: "Hm." }, "Empty", /neither/],
    [
      "arguments that are text",
      { calls: [{ ...call, args: "path" }] },
      "Malformed",
      /execute_python_file are no JSON object/,
    ],
    ["arguments that are a list", { calls: [{ ...call, args: ["path"] }] }, "Malformed", /no JSON object/],
    ["a call without a name", { parts: [{ functionCall: { args: {} } }] }, "Malformed", /no name/],
    ["parts that are no objects", { parts: ["text", null, 7] }, "Empty", /neither/],
    ["candidates that are no list", { raw: { candidates: "none" } }, "Empty", /neither/],
    [
      "a reason yet unknown, with a call",
      { calls: [call], finishReason: "NEW_REASON" },
      "Stop",
      /unusual way \(NEW_REASON\)/,
    ],
    ["OTHER with nothing", { finishReason: "OTHER" }, "Empty", /OTHER/],
  ])("%s", async (_, step, finish, detail) => {
    const reply = await ask(step);
    expect(reply.finish).toBe(finish);
    expect(reply.detail).toMatch(detail);
  });

  test("a call of an unknown tool is passed on: the tools say that it does not exist", async () => {
    const reply = await ask({ calls: [{ name: "rm_rf", args: {} }] });
    expect(reply.finish).toBe("Stop");
    expect(functionCalls(reply.parts)).toMatchObject([{ name: "rm_rf" }]);
  });
});

describe("token usage", () => {
  test("counts thinking as output", async () => {
    const { usage, detail } = await ask({ text: "Hello.", usage: { prompt: 100, output: 10, thoughts: 30 } });
    expect(usage).toEqual({ promptTokens: 100, outputTokens: 40, totalTokens: 140 });
    expect(detail).toBeUndefined();
  });

  test("is estimated, and said to be, where the service reports none", async () => {
    const { usage, detail } = await ask({ text: "x".repeat(4000), usage: null });
    expect(usage.outputTokens).toBeGreaterThanOrEqual(1000);
    expect(usage.promptTokens).toBeGreaterThan(10);
    expect(usage.totalTokens).toBe(usage.promptTokens + usage.outputTokens);
    expect(detail).toMatch(/reported no token usage/);
  });

  test.each([{ promptTokenCount: -5 }, { totalTokenCount: 1e300 }, { promptTokenCount: "many" }, []])(
    "nonsense (%j) does not count",
    async (usageMetadata) => {
      const { usage } = await ask({
        raw: { candidates: [{ content: { parts: [{ text: "Hi" }] } }], usageMetadata },
      });
      expect(Object.values(usage).every((number) => Number.isSafeInteger(number) && number > 0)).toBe(true);
    },
  );
});

describe("when the service cannot answer now", () => {
  test.each<[string, Step, number | undefined]>([
    ["Retry-After in seconds", { status: 429, retryAfter: 7 }, 7],
    ["Retry-After as a date", { status: 429, retryAfter: "Tue, 24 Nov 2026 20:01:30 GMT" }, 90],
    ["Retry-After in the past", { status: 503, retryAfter: "Tue, 24 Nov 2020 20:01:30 GMT" }, 0],
    ["Retry-After that is neither", { status: 429, retryAfter: "soon" }, undefined],
    ["google.rpc.RetryInfo", { status: 429, retryDelay: "12.3s" }, 13],
    ["the header before RetryInfo", { status: 429, retryAfter: 2, retryDelay: "40s" }, 2],
    [
      "a day's quota, which RetryInfo ignores",
      { status: 429, retryDelay: "5s", quotaId: "GenerateRequestsPerDayPerProject" },
      12 * 3600,
    ],
    ["a minute's quota", { status: 429, retryDelay: "5s", quotaId: "GenerateRequestsPerMinute" }, 5],
    ["an endless Retry-After", { status: 429, retryAfter: "99999999999" }, 86_400],
    ["503", { status: 503 }, undefined],
    ["500 with a page for people", { status: 500, html: true, message: "Server Error" }, undefined],
    ["504", { status: 504 }, undefined],
    ["408", { status: 408 }, undefined],
  ])("%s", async (_, step, seconds) => {
    const error = await failing(step);
    expect(error).toBeInstanceOf(LlmUnavailableError);
    expect((error as LlmUnavailableError).retryAfterSeconds).toBe(seconds);
    expect(error.message).toContain(`Gemini answered ${step.status}`);
  });

  test.each<[string, Step, RegExp]>([
    ["a body cut in the middle", { text: "x".repeat(100_000), cut: true }, /broke off .* in the middle/],
    ["a reset connection", { reset: true }, /could not be reached .* connection was/],
    ["half a JSON body", { text: "Hello.", malformed: true }, /no Gemini reply/],
    [
      "a page instead of JSON",
      { html: true },
      /no Gemini reply \(Sign in to the network\), content type text\/html/,
    ],
    ["JSON that is no object", { raw: [1, 2] }, /no Gemini reply/],
    ["an error with status 200", { raw: { error: { code: 503, message: "overloaded" } } }, /overloaded/],
    ["a body without end", { hugeBytes: 64 * 1024 * 1024 }, /larger than 16 MiB/],
  ])("%s", async (_, step, message) => {
    const error = await failing(step);
    expect(error).toBeInstanceOf(LlmUnavailableError);
    expect(error.message).toMatch(message);
  });

  test("no answer within the deadline", async () => {
    const error = await failing({ hang: true }, { deadlineSeconds: 0.1 });
    expect(error).toBeInstanceOf(LlmUnavailableError);
    expect(error.message).toContain("did not answer within 0.1 s");
  });

  test("nothing listens at the address", async () => {
    const socket = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => socket.once("listening", resolve));
    const { port } = socket.address() as { port: number };
    await new Promise((resolve) => socket.close(resolve));
    const settings = geminiSettings({
      GEMINI_API_KEY: KEY,
      AUTOAI_GEMINI_BASE_URL: `http://127.0.0.1:${port}`,
    });
    await expect(new GeminiModel(settings).reply(request(), live())).rejects.toThrow(/connection refused/);
  });

  test("an abort by the caller ends the request with the caller's reason", async () => {
    const gemini = await model([{ hang: true }]);
    const controller = new AbortController();
    const reply = gemini.reply(request(), controller.signal);
    const reason = new Error("the operator stops");
    controller.abort(reason);
    await expect(reply).rejects.toBe(reason);
  });
});

describe("when no retry will help", () => {
  test.each<[string, Step, RegExp]>([
    [
      "an invalid key",
      {
        status: 400,
        message: "API key not valid.",
        details: [{ "@type": "x/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }],
      },
      /check GEMINI_API_KEY or the Secret/,
    ],
    ["401", { status: 401 }, /API key was not accepted/],
    ["403", { status: 403, message: "denied" }, /denied .* may not use gemini-3.8-flash/],
    ["an unknown model", { status: 404 }, /no model gemini-3.8-flash at .* spec.llm.name/],
    [
      "a request that is too long",
      { status: 400, message: "The input token count (9) exceeds the maximum number of tokens allowed (8)." },
      /too long for the model/,
    ],
    ["a bad request", { status: 400, message: "Invalid JSON" }, /Invalid JSON .* trying again will not help/],
    [
      "a plan that does not hold the model",
      { status: 429, quotaId: "GenerateRequestsPerDay", quotaValue: "0" },
      /plan of this API key allows no requests/,
    ],
    [
      "a redirect, which would take the key elsewhere",
      { redirectTo: "http://127.0.0.1:9/x" },
      /points to http:\/\/127.0.0.1:9, where the API key is not sent/,
    ],
  ])("%s", async (_, step, message) => {
    const error = await failing(step);
    expect(error).toBeInstanceOf(LlmRefusedError);
    expect(error.message).toMatch(message);
  });
});

describe("the key", () => {
  test.each<[string, Step]>([
    ["an error", { status: 400, message: "key {{key}} is bad", details: [{ key: "{{key}}" }] }],
    ["a page", { status: 502, html: true, message: "GET /?key={{key}}" }],
    ["a body that is no JSON", { raw: ["{{key}}"] }],
    ["a redirect", { redirectTo: "https://elsewhere.example/?key={{key}}" }],
  ])("is not repeated when %s echoes it", async (_, step) => {
    const error = await failing(step);
    expect(inspect(error, { depth: 20 })).not.toContain(KEY);
  });

  test("is taken out of a reply that echoes it, wherever it stands", async () => {
    const reply = await ask({
      text: "Your key is {{key}}.",
      calls: [{ name: "write_python_file", args: { "{{key}}": "{{key}}" }, thoughtSignature: "{{key}}" }],
    });
    expect(JSON.stringify(reply)).not.toContain(KEY);
    expect(reply.parts[0]).toEqual({ text: "Your key is [redacted]." });
  });

  test("is not shown by logging the model", async () => {
    const gemini = await model([]);
    expect(inspect(gemini, { depth: 20, showHidden: true })).not.toContain(KEY);
    expect(JSON.stringify(gemini)).not.toContain(KEY);
  });
});
