/** The server over a real worker: what is answered, what is refused, and what becomes of a worker that misbehaves. */
import { createHash } from "node:crypto";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltPackage, modelPackage, ROW } from "../test/builders/model-package.ts";
import { modelServer, type TestServer } from "../test/builders/model-server.ts";
import { schemaOf } from "./schema/columns.ts";
import { checkBody } from "./schema/rows.ts";
import { DEFAULT_LIMITS } from "./serve.ts";

const faultyRow = (plan: string) => ({ ...ROW, plan });

describe("a model of a recipe's own class", () => {
  let model: BuiltPackage;
  beforeAll(async () => {
    model = await modelPackage("faulty");
  });
  afterAll(() => model[Symbol.dispose]());

  test("is served by the pipeline as it was trained, and says so", async () => {
    await using server = await modelServer(model.directory, { digest: model.digest });
    const { status, body } = await server.post("/predict", { rows: [ROW, { ...ROW, age: 20 }] });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body.predictions).toEqual(["yes", "no"]);
    expect(body.probabilities).toBeUndefined();
    expect(body.model.digest).toBe(model.digest);
    const about = await server.get("/v1/model");
    expect(about.body.runtime).toMatchObject({ ready: true, engine: "DataFrame" });
    expect(about.body.runtime.refused).toContain("Faulty");
  });

  test("that raises fails the request that made it raise, and none that shared its batch", async () => {
    await using server = await modelServer(model.directory);
    const answers = await Promise.all(
      ["pro", "raise", "basic", "raise", "pro"].map((plan) =>
        server.post("/predict", { rows: [faultyRow(plan)] }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 500, 200, 500, 200]);
    const failed = answers[1]?.body;
    expect(failed).toMatchObject({ reason: "ModelFailed" });
    expect(failed.error).toContain("a row said raise");
    expect(JSON.stringify(failed)).not.toMatch(/Traceback|\.py|\n {4}at /);
    expect(server.runtime.status().restarts).toBe(0);
  });

  test("that answers fewer rows than it was asked is no answer", async () => {
    await using server = await modelServer(model.directory);
    const { status, body } = await server.post("/predict", { rows: [faultyRow("short"), ROW] });
    expect([status, body.reason]).toEqual([500, "ModelFailed"]);
  });

  test("that ends its process is started again; meanwhile 503 with Retry-After", async () => {
    await using server = await modelServer(model.directory);
    const died = await server.post("/predict", { rows: [faultyRow("die")] });
    expect([died.status, died.body.reason]).toEqual([503, "WorkerUnavailable"]);
    expect(died.headers["retry-after"]).toBe("1");
    expect((await server.get("/readyz")).status).toBe(503);
    expect((await server.get("/healthz")).status).toBe(200);
    const answer = await eventually(() => server.post("/predict", { rows: [ROW] }));
    expect(answer.body.predictions).toEqual(["yes"]);
    expect(server.workers.length).toBeGreaterThan(1);
    expect(server.runtime.status().restarts).toBeGreaterThan(0);
  });

  test("that ends its process fails the request in flight alone: who asks while it is replaced waits for the next one", async () => {
    const limits = { waitMilliseconds: 120_000 };
    await using server = await modelServer(model.directory, { limits });
    expect((await server.post("/predict", { rows: [faultyRow("die")] })).status).toBe(503);
    const asked = await Promise.all([1, 2, 3].map(() => server.post("/predict", { rows: [ROW] })));
    expect(asked.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(server.workers).toHaveLength(2);
  });

  test("that sleeps is taken for hung after its time, and started again", async () => {
    await using server = await modelServer(model.directory, { limits: { batchMilliseconds: 300 } });
    const slept = await server.post("/predict", { rows: [faultyRow("sleep")] });
    expect([slept.status, slept.body.reason]).toEqual([503, "TimedOut"]);
    expect((await eventually(() => server.post("/predict", { rows: [ROW] }))).status).toBe(200);
  });

  test("has at most so many rows waiting; more are answered 429 with Retry-After", async () => {
    await using server = await modelServer(model.directory, {
      limits: { waitingRows: 3, batchMilliseconds: 1000 },
    });
    const asleep = server.post("/predict", { rows: [faultyRow("sleep")] });
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => server.post("/predict", { rows: [ROW] })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.body.reason).toBe("Overloaded");
    expect(refused[0]?.headers["retry-after"]).toBe("1");
    expect((await asleep).status).toBe(503);
  });
});

describe("before anything is loaded", () => {
  let model: BuiltPackage;
  beforeAll(async () => {
    model = await modelPackage("faulty");
  });
  afterAll(() => model[Symbol.dispose]());

  const workersOf = async (options: Parameters<typeof modelServer>[1]) => {
    let started = 0;
    const launch = () => {
      started++;
      return { ended: new Promise<string>(() => undefined), kill: () => undefined };
    };
    const refused = await modelServer(model.directory, { ...options, launch }).then(
      async (server) => {
        await server.close();
        return "served";
      },
      (error: Error) => error.message,
    );
    expect(started).toBe(0);
    return refused;
  };

  test("a package of another digest is refused", async () => {
    const other = "a".repeat(64);
    const said = await workersOf({ digest: other });
    expect(said).toContain(other);
    expect(said).toContain(model.digest);
  });

  test("a file that was changed is refused by name, whatever its length", async () => {
    const file = join(model.directory, "trained_model.joblib");
    const whole = readFileSync(file);
    const poisoned = Buffer.from(whole);
    poisoned[10] = (poisoned[10] ?? 0) ^ 1;
    writeFileSync(file, poisoned);
    expect(await workersOf({ digest: model.digest })).toContain("trained_model.joblib was changed");
    writeFileSync(file, whole);
    appendFileSync(file, "x");
    expect(await workersOf({ digest: model.digest })).toContain("trained_model.joblib was changed");
    writeFileSync(file, whole);
  });
});

test("a worker that ends before it is ready, start after start, is given up", async () => {
  using model = await modelPackage("faulty");
  let starts = 0;
  const launch = () => {
    starts++;
    return { ended: Promise.resolve("it ran out of memory"), kill: () => undefined };
  };
  await expect(modelServer(model.directory, { launch })).rejects.toThrow(
    "the worker ended before the model was ready: it ran out of memory",
  );
  expect(starts).toBe(3);
});

test("a model that does not answer its reference rows as it did is refused", async () => {
  using model = await modelPackage("logistic");
  const file = join(model.directory, "reference-predictions.csv");
  const [head, first = "", ...rest] = readFileSync(file, "utf8").split("\n");
  const [prediction, ...numbers] = first.split(",");
  const moved = [prediction, ...numbers.map((number) => String(Number(number) * 0.999999))].join(",");
  writeFileSync(file, [head, moved, ...rest].join("\n"));
  // Its digests are right: it was published like this.
  const body = readFileSync(file);
  model.manifest.files["reference-predictions.csv"] = {
    sha256: createHash("sha256").update(body).digest("hex"),
    size: body.length,
  };
  writeFileSync(join(model.directory, "model.json"), JSON.stringify(model.manifest));
  await expect(modelServer(model.directory)).rejects.toThrow(
    /not the model that was published: .*reference row 1/,
  );
});

test("requests that come while the worker works are one batch, and no batch has more rows than its cap", async () => {
  using model = await modelPackage("logistic");
  await using server = await modelServer(model.directory, {
    engine: "DataFrame",
    limits: { batchRows: 20, largeBatchRows: 20 },
  });
  await Promise.all(Array.from({ length: 60 }, () => server.post("/predict", { rows: [ROW] })));
  const text = (await server.fastify.inject("/metrics")).body;
  const of = (name: string) => Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1]);
  expect(of("autoai_inference_batch_rows_sum")).toBe(60);
  expect(of("autoai_inference_batch_rows_count")).toBeLessThanOrEqual(10);
  const [, small] = /^autoai_inference_batch_rows_bucket\{le="32"[^}]*\} (\d+)$/m.exec(text) ?? [];
  expect(Number(small)).toBe(of("autoai_inference_batch_rows_count"));
  expect(DEFAULT_LIMITS.batchRows).toBe(512);
});

test("closing answers what is in flight, and takes nothing more", async () => {
  using model = await modelPackage("logistic");
  await using server = await modelServer(model.directory, { engine: "DataFrame" });
  const { rows } = checkBody(schemaOf(model.manifest), { rows: [ROW] }, 1);
  const asked = Array.from({ length: 20 }, () => server.runtime.predict(rows));
  // First it asks its clients to connect anew, to whoever takes its place.
  expect((await server.post("/predict", { rows: [ROW] })).headers.connection).not.toBe("close");
  await server.drain({ leastMilliseconds: 0, mostMilliseconds: 1000 });
  expect((await server.post("/predict", { rows: [ROW] })).headers.connection).toBe("close");
  const closed = server.close();
  const answers = await Promise.all(asked);
  expect(answers.map(({ values }) => values.length)).toEqual(Array.from({ length: 20 }, () => 1));
  await closed;
  await expect(server.runtime.predict(rows)).rejects.toThrow("stopped");
});

/** Asks until the answer is 200: a worker that starts takes what it takes. */
async function eventually(ask: () => ReturnType<TestServer["post"]>): ReturnType<TestServer["post"]> {
  for (;;) {
    const answer = await ask();
    if (answer.status === 200) return answer;
    expect(answer.status).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
