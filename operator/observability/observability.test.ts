import { describe, expect, test } from "vitest";
import { type HttpSources, httpServer } from "./http.ts";
import { createLog } from "./log.ts";
import { Metrics } from "./metrics.ts";

describe("logs", () => {
  const lines = (write: (log: ReturnType<typeof createLog>) => void, secrets: string[] = []) => {
    const written: string[] = [];
    write(createLog("info", secrets, { write: (line) => void written.push(line) }));
    return written;
  };

  test("are one JSON object a line, with what the line is about", () => {
    const [line = ""] = lines((log) => log.info({ job: "team/churn", step: 3 }, "journal"));
    expect(JSON.parse(line)).toMatchObject({ level: "info", job: "team/churn", step: 3, msg: "journal" });
  });

  test.each([
    ["a secret of the configuration", { error: new Error("refused key hunter2-hunter2") }, "hunter2"],
    ["a field that is one", { request: { headers: { authorization: "Basic abc123" } } }, "abc123"],
    ["a signed URL", { url: "http://s/k?X-Amz-Signature=deadbeef&x=1" }, "deadbeef"],
    ["a bearer token", { error: new Error("sent Bearer eyJhbGciOi.x.y") }, "eyJhbGciOi"],
    ["a Gemini key", { error: new Error("key AIzaSyA1234567890abcdefghijk is wrong") }, "AIzaSyA"],
    ["a password in an address", { url: "https://user:word123@host/" }, "word123"],
    ["a secret in a cause", { error: new Error("x", { cause: new Error("hunter2-hunter2") }) }, "hunter2"],
  ])("do not hold %s", (_what, fields, secret) => {
    const text = lines((log) => log.error(fields, "failed"), ["hunter2-hunter2"]).join();
    expect(text).toContain("[redacted]");
    expect(text).not.toContain(secret);
    expect(() => JSON.parse(text)).not.toThrow();
  });
});

describe("metrics", () => {
  test("say what was told, under labels of few values", async () => {
    const metrics = new Metrics({
      queueDepths: () => ({ TrainingJob: 7 }),
      jobs: () => ({ TRAINING: 1, READY: 2, ERROR: 3, Suspended: 4 }),
      leads: () => true,
    });
    metrics.reconciled("TrainingJob", "done", 0.2);
    metrics.toolFinished("execute_python_file", true, 3);
    metrics.toolFinished("rm -rf /", false, 1);
    metrics.tokens(100, 20);
    metrics.podStarted("install", 2);
    const text = await metrics.registry.metrics();
    for (const line of [
      'autoai_reconciles_total{kind="TrainingJob",result="done"} 1',
      'autoai_queue_depth{kind="TrainingJob"} 7',
      'autoai_steps_total{tool="execute_python_file",result="ok"} 1',
      'autoai_steps_total{tool="unknown",result="failed"} 1',
      'autoai_tokens_total{direction="input"} 100',
      'autoai_jobs{state="Suspended"} 4',
      "autoai_leader 1",
      'autoai_pod_start_seconds_count{role="install"} 1',
    ])
      expect(text).toContain(line);
    expect(text).not.toContain("rm -rf");
  });
});

describe("the operator's HTTP", () => {
  const asked: unknown[] = [];
  const state = { ok: true };
  const sources: HttpSources = {
    health: () => ({ ok: state.ok, detail: "well" }),
    readiness: () => ({ ok: state.ok, detail: "ready" }),
    metrics: async () => ({ contentType: "text/plain", text: "a 1\n" }),
    journal: async (request) => {
      asked.push(request);
      return request.token === "good"
        ? { outcome: "Found", job: {}, entries: [] }
        : { outcome: "Denied", message: "no" };
    },
    predictions: async (request) => {
      asked.push(request);
      return request.token === "good"
        ? { outcome: "Found", frames: frames(request.name) }
        : { outcome: "Denied", message: "no" };
    },
    artifact: async () => ({ outcome: "Missing", message: "none" }),
  };
  const opened: string[] = [];
  const ended: string[] = [];
  async function* frames(name: string) {
    opened.push(name);
    try {
      yield Buffer.from(`${name}:`);
      // More than a socket and a stream hold, for a reader that does not read.
      if (name === "long") for (let part = 0; part < 1000; part++) yield Buffer.alloc(1 << 20);
      yield Buffer.from("end");
    } finally {
      ended.push(name);
    }
  }
  const get = (url: string, headers: Record<string, string> = {}) =>
    httpServer(sources).inject({ url, headers });

  test("tells whether it is well and ready by its status code", async () => {
    expect((await get("/healthz")).statusCode).toBe(200);
    state.ok = false;
    expect((await get("/healthz")).statusCode).toBe(503);
    expect((await get("/readyz")).statusCode).toBe(503);
    state.ok = true;
    expect((await get("/metrics")).body).toBe("a 1\n");
  });

  test("hands a journal to nobody without a token, and passes on who asks", async () => {
    expect((await get("/journals/team/churn")).statusCode).toBe(401);
    expect(asked).toEqual([]);
    expect((await get("/journals/team/churn?after=4", { "x-autoai-token": "good" })).statusCode).toBe(200);
    expect(asked).toEqual([{ token: "good", namespace: "team", name: "churn", after: 4 }]);
    expect((await get("/journals/team/churn", { authorization: "Bearer bad" })).statusCode).toBe(403);
  });

  test("hands a prediction log, as it comes, to whom its source lets have it", async () => {
    asked.length = 0;
    expect((await get("/predictions/team/churn")).statusCode).toBe(401);
    expect(asked).toEqual([]);
    const after = "2026-01-31/1770000000000-pod-1770000000000-0a1b2c3d.ndjson.gz";
    const url = `/predictions/team/churn?since=5&after=${encodeURIComponent(after)}`;
    const found = await get(url, { "x-autoai-token": "good" });
    expect([found.statusCode, found.body]).toEqual([200, "churn:end"]);
    expect(asked).toEqual([{ token: "good", namespace: "team", name: "churn", since: 5, after }]);
    const denied = await get("/predictions/team/churn", { "x-autoai-token": "bad" });
    expect([denied.statusCode, denied.json().message]).toEqual([403, "no"]);
  });

  test("lets four read prediction logs at once, and ends a log whose reader went away", async () => {
    const app = httpServer(sources);
    const address = await app.listen({ port: 0, host: "127.0.0.1" });
    const read = async () => {
      const abort = new AbortController();
      const headers = { "x-autoai-token": "good" };
      const reply = await fetch(`${address}/predictions/team/long`, { headers, signal: abort.signal });
      return { status: reply.status, abort };
    };
    try {
      const readers = await Promise.all([read(), read(), read(), read()]);
      expect(readers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect((await read()).status).toBe(429);
      readers[0]?.abort.abort();
      while (!ended.includes("long")) await new Promise((resolve) => setTimeout(resolve, 10));
      expect((await read()).status).toBe(200);
    } finally {
      await app.close();
    }
  });

  test.each([
    ...["/journals/team/..%2Fother", "/journals/Team/churn", "/journals/team/churn?after=x"],
    ...[
      "/predictions/team/..%2Fother",
      "/predictions/team/churn?since=-1",
      "/predictions/team/churn?after=../other/x",
    ],
  ])("refuses %s before anybody is asked", async (url) => {
    const before = asked.length;
    expect((await get(url, { "x-autoai-token": "good" })).statusCode).toBe(400);
    expect(asked).toHaveLength(before);
  });
});
