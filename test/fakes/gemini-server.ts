/**
 * A scripted HTTP server that speaks the Gemini API at its wire, as strictly as the service.
 *
 *     await using server = await startGeminiServer({ script: [{ calls: [{ name: "f", args: {} }] }, { text: "Done." }] });
 *     // AUTOAI_GEMINI_BASE_URL=server.url GEMINI_API_KEY=anything
 *     expect(server.complaints).toEqual([]);
 *
 * Alone: `node test/fakes/gemini-server.ts --script steps.json` (or `--use success`) prints its URL on the first line;
 * `GET /requests` there tells what it was asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { complaintAbout } from "./gemini-check.ts";
import { answerBody, errorBody, isAnswer, type Step } from "./gemini-steps.ts";

export type { ScriptedCall, Step } from "./gemini-steps.ts";

export type RecordedRequest = {
  readonly model: string;
  readonly apiKey: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into it; its shape was checked
  readonly body: any;
  /** Replies of the model that the conversation holds so far. */
  readonly turn: number;
  /** The newest turn as JSON: what tools answered, or what the user said. */
  readonly newest: string;
};

/**
 * Steps, taken in order; after the last one `afterwards`, again and again (a closing text where absent). Or a function of the
 * request.
 *
 * Steps belong to the conversation, not to the clock: an answer is given again when the same conversation asks again, as
 * after a crash of the client. Faults are given once.
 */
export type Script =
  | readonly Step[]
  | { readonly steps: readonly Step[]; readonly afterwards?: Step }
  | ((request: RecordedRequest) => Step | Promise<Step>);

export type GeminiServer = AsyncDisposable & {
  /** For AUTOAI_GEMINI_BASE_URL. */
  readonly url: string;
  /** Every request with a well-formed body, in order of arrival. */
  readonly requests: readonly RecordedRequest[];
  /** Why requests were answered 400, where no script asked for it. Empty when the client speaks well. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
};

export type GeminiServerOptions = {
  readonly script: Script;
  /** The only key that is accepted; any where absent. */
  readonly apiKey?: string;
  readonly host?: string;
  readonly port?: number;
};

const CLOSING: Step = { text: "I see no worthwhile improvement and stop here." };
const MAX_REQUEST_BYTES = 20 * 1024 * 1024;

export async function startGeminiServer(options: GeminiServerOptions): Promise<GeminiServer> {
  const requests: RecordedRequest[] = [];
  const complaints: string[] = [];
  /** Parts with calls, as they were sent. */
  const issued: unknown[] = [];
  const next = stepper(options.script);

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (incoming.method === "GET" && incoming.url === "/requests") return sendJson(response, 200, requests);
    const refuse = (status: number, message: string, details: unknown[] = []) => {
      complaints.push(message);
      sendJson(response, status, errorBody({ status, message, details }));
    };
    const match = /^\/v1beta\/((?:models|tunedModels)\/[^/:?]+):generateContent$/.exec(incoming.url ?? "");
    if (incoming.method !== "POST" || !match)
      return refuse(404, `no such method: ${incoming.method} ${incoming.url}`);
    const apiKey = String(incoming.headers["x-goog-api-key"] ?? "");
    if (!apiKey) return refuse(403, "Method doesn't allow unregistered callers. Please use API Key.");
    if (options.apiKey !== undefined && apiKey !== options.apiKey) {
      const invalid = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" };
      return refuse(400, "API key not valid. Please pass a valid API key.", [invalid]);
    }
    const text = await readText(incoming);
    const body = parsed(text);
    const complaint = complaintAbout(body, issued);
    if (complaint) return refuse(400, complaint);

    const request = recorded(body, match[1]?.replace(/^models\//, "") ?? "", apiKey);
    requests.push(request);
    const step = await next(request);
    if (step.expect !== undefined && !new RegExp(step.expect).test(request.newest)) {
      return refuse(
        400,
        `expected the newest turn to match ${step.expect}, got ${request.newest.slice(0, 2000)}`,
      );
    }
    const spoken = JSON.parse(JSON.stringify(step).replaceAll("{{key}}", apiKey)) as Step;
    await play(spoken, request, response, text.length, issued);
  };

  const server = createServer((incoming, response) => {
    handle(incoming, response).catch((error: unknown) => {
      complaints.push(String(error));
      response.destroy();
    });
  });
  await new Promise<void>((resolve) =>
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve),
  );
  const { address, port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://${address}:${port}`, requests, complaints, close, [Symbol.asyncDispose]: close };
}

/** Which step a request gets. */
function stepper(script: Script): (request: RecordedRequest) => Step | Promise<Step> {
  if (typeof script === "function") return script;
  const { steps, afterwards } = "steps" in script ? script : { steps: script, afterwards: undefined };
  const given = new Map<string, Step>();
  let position = 0;
  return (request) => {
    const conversation = conversationOf(request);
    const before = given.get(conversation);
    if (before) return before;
    const step = steps[position] ?? afterwards ?? CLOSING;
    if (step.expect === undefined || new RegExp(step.expect).test(request.newest)) position++;
    if (isAnswer(step)) given.set(conversation, step);
    return step;
  };
}

/** What the model said so far: it stays the same when the same question is put again with another remaining budget. */
function conversationOf({ body }: RecordedRequest): string {
  return JSON.stringify(body.contents.filter((content: { role: string }) => content.role === "model"));
}

// biome-ignore lint/suspicious/noExplicitAny: checked by complaintAbout
function recorded(body: any, model: string, apiKey: string): RecordedRequest {
  const turn = body.contents.filter((content: { role: string }) => content.role === "model").length;
  return { model, apiKey, body, turn, newest: JSON.stringify(body.contents.at(-1)) };
}

async function play(
  step: Step,
  request: RecordedRequest,
  response: ServerResponse,
  characters: number,
  issued: unknown[],
): Promise<void> {
  if (step.hang) return;
  if (step.reset) {
    response.socket?.resetAndDestroy();
    return;
  }
  if (step.retryAfter !== undefined) response.setHeader("retry-after", String(step.retryAfter));
  if (step.redirectTo !== undefined) {
    response.writeHead(307, { location: step.redirectTo }).end();
    return;
  }
  if (step.html) {
    response.writeHead(step.status ?? 200, { "content-type": "text/html; charset=utf-8" });
    response.end(
      `<!doctype html><html><head><title>${step.message ?? "Sign in to the network"}</title></head></html>`,
    );
    return;
  }
  if (step.hugeBytes !== undefined) return sendMany(response, step.hugeBytes);
  if (step.status !== undefined)
    return sendJson(response, step.status, errorBody({ ...step, status: step.status }));

  const answer = answerBody(step, { model: request.model, turn: request.turn, characters });
  const body = Buffer.from(JSON.stringify(answer));
  if (step.malformed || step.cut) {
    // Cut: the length was promised, and the connection ends before it. Malformed: half of it is all there is.
    const half = body.subarray(0, body.length >> 1);
    const length = step.cut ? body.length : half.length;
    response.writeHead(200, { "content-type": "application/json", "content-length": length });
    response.write(half, () => (step.cut ? response.destroy() : response.end()));
    return;
  }
  const { candidates } = answer as { candidates?: { content?: { parts: { functionCall?: unknown }[] } }[] };
  issued.push(...(candidates?.[0]?.content?.parts ?? []).filter((part) => part?.functionCall));
  sendJson(response, 200, answer);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));
}

/** More than anyone reads: a client hangs up before the end. */
async function sendMany(response: ServerResponse, bytes: number): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  await pipeline(spaces(bytes), response).catch(() => undefined);
}

function* spaces(bytes: number): Generator<Buffer> {
  const chunk = Buffer.alloc(1024 * 1024, " ");
  for (let sent = 0; sent < bytes; sent += chunk.length) yield chunk;
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > MAX_REQUEST_BYTES) throw new Error(`request larger than ${MAX_REQUEST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({
    options: {
      script: { type: "string" },
      use: { type: "string" },
      port: { type: "string", default: "0" },
      host: { type: "string", default: "127.0.0.1" },
      key: { type: "string" },
    },
  });
  const { loadScript } = await import("./scripts.ts");
  const server = await startGeminiServer({
    script: await loadScript(values),
    port: Number(values.port),
    host: values.host,
    ...(values.key === undefined ? {} : { apiKey: values.key }),
  });
  console.log(server.url);
}
