/** What requests may be and what they are answered, over a real model. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltPackage, modelPackage, ROW } from "../test/builders/model-package.ts";
import { modelServer, type TestServer } from "../test/builders/model-server.ts";
import { fc } from "../test/properties.ts";

let model: BuiltPackage;
let server: TestServer;
beforeAll(async () => {
  model = await modelPackage("logistic");
  server = await modelServer(model.directory, { limits: { requestRows: 50, bodyBytes: 64 * 1024 } });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  model?.[Symbol.dispose]();
});

const predict = (payload: unknown) => server.post("/predict", payload);
const without = (name: string) => Object.fromEntries(Object.entries(ROW).filter(([key]) => key !== name));
const columns = Object.fromEntries(Object.entries(ROW).map(([name, value]) => [name, [value, value]]));

describe("POST /predict", () => {
  test("answers rows and columns alike: class, probabilities, model, request id", async () => {
    const byRows = await predict({ rows: [ROW, ROW] });
    const byColumns = await predict({ columns });
    expect(byRows.status, JSON.stringify(byRows.body)).toBe(200);
    expect(byColumns.body.predictions).toEqual(byRows.body.predictions);
    expect(byColumns.body.probabilities).toEqual(byRows.body.probabilities);
    const { probabilities, predictions } = byRows.body;
    for (const [row, byClass] of probabilities.entries()) {
      expect(Object.keys(byClass)).toEqual(["no", "yes"]);
      expect(byClass.no + byClass.yes).toBeCloseTo(1, 12);
      expect(predictions[row]).toBe(byClass.yes > byClass.no ? "yes" : "no");
    }
    expect(byRows.body.model).toEqual({ name: "A logistic model", digest: model.digest });
    expect(byRows.headers["x-request-id"]).toBe(byRows.body.requestId);
  });

  test("a row is answered the same whatever rows are asked beside it", async () => {
    const alone = await predict({ rows: [ROW] });
    const [first] = (
      await Promise.all([
        predict({ rows: [ROW, { ...ROW, age: null, active: null, code: "no number", city: null }] }),
        predict({ rows: [{ ...ROW, plan: "never seen", age: null }] }),
      ])
    ).map(({ body }) => body.probabilities[0].yes);
    expect(first).toBeCloseTo(alone.body.probabilities[0].yes, 12);
  });

  test("every fault is named: row, field, what was expected, what was found", async () => {
    const { status, body } = await predict({
      rows: [
        { ...without("plan"), age: 41.5, incom: 1 },
        { ...ROW, income: "2500", active: "maybe", since: "31.12.2020" },
        "no row",
      ],
    });
    expect([status, body.reason]).toEqual([422, "InvalidRows"]);
    expect(body.problems.map((p: Record<string, unknown>) => [p.row, p.field, p.problem])).toEqual([
      [0, "age", "Value"],
      [0, "plan", "Missing"],
      [0, "incom", "Unknown"],
      [1, "income", "Type"],
      [1, "active", "Type"],
      [1, "since", "Value"],
      [2, undefined, "Type"],
    ]);
    expect(body.problems[2].expected).toContain("is it income?");
    expect(body.problems[3]).toMatchObject({ expected: "a number", found: 'text "2500"' });
    expect(body.problems[5]).toMatchObject({ found: '"31.12.2020"' });
    expect(body.error).toContain('row 0, "age": expected a whole number, found 41.5 (and 6 more)');
  });

  test("at most 100 faults are listed, and all are counted", async () => {
    const { body } = await predict({ rows: Array.from({ length: 50 }, () => ({})) });
    expect(body.problems).toHaveLength(100);
    expect(body.error).toContain("(and 349 more)");
  });

  test("unseen values and missing cells are predicted, with a warning for each", async () => {
    const { status, body } = await predict({
      rows: [{ ...ROW, plan: "gold", age: null, city: null, income: null, code: "abc" }],
    });
    expect(status).toBe(200);
    expect(body.predictions).toHaveLength(1);
    expect(body.warnings.map((w: Record<string, unknown>) => [w.row, w.field])).toEqual([
      [0, "age"],
      [0, "plan"],
      [0, "code"],
    ]);
    expect(body.warnings[1].message).toBe('"gold" is not among the values of training');
  });

  test("texts that pandas reads as missing are missing; a column that identifies rows may be left out", async () => {
    const nulls = await predict({ rows: [{ ...ROW, city: null }] });
    const texts = await predict({ rows: [{ ...without("id"), city: "N/A" }] });
    expect(texts.status).toBe(200);
    expect(texts.body.probabilities).toEqual(nulls.body.probabilities);
  });

  test.each([
    ["[1]", 422],
    ["{}", 422],
    ['{"rows":[]}', 422],
    ['{"rows":{}}', 422],
    ['{"rows":[{}],"columns":{}}', 422],
    ['{"columns":{"age":1}}', 422],
    ['{"columns":{"age":[1],"income":[1,2]}}', 422],
    ['{"rows":[{"age":1e999}]}', 422],
    ['{"rows":[null]}', 422],
    ["null", 422],
    ['{"rows":', 400],
    ["", 400],
    [JSON.stringify({ rows: Array.from({ length: 51 }, () => ROW) }), 413],
    [JSON.stringify({ rows: [{ ...ROW, plan: "x".repeat(70_000) }] }), 413],
  ])("%.40s is answered %i, in one sentence", async (payload, status) => {
    const reply = await server.fastify.inject({
      method: "POST",
      url: "/predict",
      headers: { "content-type": "application/json" },
      payload,
    });
    const body = reply.json();
    expect([reply.statusCode, typeof body.error]).toEqual([status, "string"]);
    expect(body.error).not.toContain("\n");
    expect(body.requestId).toBe(reply.headers["x-request-id"]);
  });

  test("whatever JSON comes, nobody is told that it is the server's fault", async () => {
    const cell = fc.oneof(fc.jsonValue(), fc.constantFrom(null, 1, "x", true, 1e300, "2020-01-01"));
    const row = fc.record(
      Object.fromEntries(Object.keys(ROW).map((name) => [name, cell])) as Record<
        string,
        fc.Arbitrary<unknown>
      >,
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fc.jsonValue(),
      fc.record({ rows: fc.array(fc.oneof(row, fc.jsonValue()), { maxLength: 4 }) }),
      fc.record({
        columns: fc.dictionary(fc.constantFrom(...Object.keys(ROW), "__proto__"), fc.array(cell)),
      }),
      fc.record({ inputs: fc.array(fc.jsonValue(), { maxLength: 3 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        body,
        fc.constantFrom("/predict", "/v2/models/logistic/infer"),
        async (payload, url) => {
          const reply = await server.fastify.inject({
            method: "POST",
            url,
            headers: { "content-type": "application/json" },
            payload: JSON.stringify(payload),
          });
          expect(reply.statusCode, reply.body).toBeLessThan(500);
          if (reply.statusCode !== 200) expect(typeof reply.json().error).toBe("string");
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("the Open Inference Protocol V2", () => {
  const tensor = (name: string, datatype: string, data: unknown[], shape = [data.length, 1]) => ({
    name,
    datatype,
    shape,
    data,
  });
  const inputs = (rows: number, age: unknown[] = Array(rows).fill(42)) => [
    tensor("age", "INT64", age),
    tensor("income", "FP64", Array(rows).fill(2500.5)),
    tensor("active", "BOOL", Array(rows).fill(true)),
    tensor("plan", "BYTES", Array(rows).fill("pro")),
    tensor("city", "BYTES", Array(rows).fill("Bern")),
    tensor("code", "BYTES", Array(rows).fill("00123")),
    tensor("since", "BYTES", Array(rows).fill("2020-06-01")),
  ];
  const infer = (payload: unknown) => server.post("/v2/models/logistic/infer", payload);

  test("says what is live, ready, and which tensors there are", async () => {
    for (const url of ["/v2/health/live", "/v2/health/ready", "/v2/models/logistic/ready"]) {
      expect((await server.get(url)).status, url).toBe(200);
    }
    const { body } = await server.get("/v2/models/logistic");
    expect(body).toMatchObject({ name: "logistic", versions: [model.digest] });
    expect(body.inputs).toContainEqual({ name: "income", datatype: "FP64", shape: [-1, 1] });
    expect(body.outputs.map((one: { name: string }) => one.name)).toEqual(["predict", "predict_proba"]);
    expect((await server.get("/v2/models/other")).status).toBe(404);
    expect((await server.get("/v2/models/logistic/versions/1")).status).toBe(404);
  });

  test("infers named columns as /predict does, and gives back the id", async () => {
    const { status, body } = await infer({
      id: "mine",
      parameters: { content_type: "pd" },
      inputs: inputs(2),
    });
    expect(status, JSON.stringify(body)).toBe(200);
    const plain = (await predict({ rows: [ROW, ROW] })).body;
    expect(body).toMatchObject({ id: "mine", model_name: "logistic", model_version: model.digest });
    const [classes, probabilities] = body.outputs;
    expect(classes).toMatchObject({
      name: "predict",
      datatype: "BYTES",
      shape: [2, 1],
      data: plain.predictions,
    });
    expect(probabilities).toMatchObject({ name: "predict_proba", datatype: "FP64", shape: [2, 2] });
    expect(probabilities.data).toEqual(
      plain.probabilities.flatMap((p: Record<string, number>) => [p.no, p.yes]),
    );
  });

  test("takes flat and nested data, base64, and gives only the outputs that are asked for", async () => {
    const nested = inputs(1).map((one) => ({ ...one, data: [one.data] }));
    const flat = inputs(1).map((one) => ({ ...one, shape: [1] }));
    const encoded = inputs(1).map((one) =>
      one.datatype === "BYTES"
        ? {
            ...one,
            parameters: { content_type: "base64" },
            data: [Buffer.from(String(one.data[0])).toString("base64")],
          }
        : one,
    );
    const answers = await Promise.all(
      [nested, flat, encoded].map((one) => infer({ inputs: one, outputs: [{ name: "predict_proba" }] })),
    );
    for (const { status, body } of answers) {
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body.outputs).toHaveLength(1);
      // A batch of another size may round the last digit otherwise.
      expect(body.outputs[0].data[1]).toBeCloseTo(answers[0]?.body.outputs[0].data[1], 12);
    }
    expect((await infer({ inputs: inputs(1), outputs: [{ name: "x" }] })).body.reason).toBe("UnknownOutput");
  });

  test("takes JSON under whatever type clients give it; tensors in binary are refused with what to do", async () => {
    const send = (headers: Record<string, string>) =>
      server.fastify.inject({
        method: "POST",
        url: "/v2/models/logistic/infer",
        headers,
        payload: Buffer.from(JSON.stringify({ inputs: inputs(1) })),
      });
    expect((await send({ "content-type": "application/octet-stream" })).statusCode).toBe(200);
    expect((await send({})).statusCode).toBe(200);
    const binary = await send({ "inference-header-content-length": "20" });
    expect([binary.statusCode, binary.json().reason]).toEqual([415, "BinaryTensors"]);
    expect(binary.json().error).toContain("send them as JSON");
  });

  test("names what is wrong, as text in `error`", async () => {
    const wrong = await infer({ inputs: [tensor("age", "INT64", [1, 2], [3, 1]), tensor("x", "FP64", [1])] });
    expect(wrong.status).toBe(422);
    expect(typeof wrong.body.error).toBe("string");
    const missing = await infer({ inputs: [tensor("age", "INT64", ["old"])] });
    expect(missing.body.problems).toContainEqual(
      expect.objectContaining({ field: "age", row: 0, problem: "Type", expected: "a whole number" }),
    );
    expect(missing.body.problems).toContainEqual(
      expect.objectContaining({ field: "plan", problem: "Missing" }),
    );
  });
});

describe("OpenAPI", () => {
  test("3.1, with each column by its type, and an example that is answered", async () => {
    const { body } = await server.get("/openapi.json");
    expect(body.openapi).toBe("3.1.0");
    const { schema, example } = body.paths["/predict"].post.requestBody.content["application/json"];
    const row = schema.oneOf[0].properties.rows.items;
    expect(row.properties.age).toMatchObject({ type: ["integer", "null"], description: expect.any(String) });
    expect(row.properties.plan.description).toContain("basic, plus, pro");
    expect(row.required).not.toContain("id");
    expect((await predict(example)).status).toBe(200);
    const infer = body.paths["/v2/models/{name}/infer"].post.requestBody.content["application/json"];
    expect((await server.post("/v2/models/logistic/infer", infer.example)).status).toBe(200);
    expect((await server.fastify.inject("/docs/")).statusCode).toBe(200);
  });
});

test("a path that is not there is answered in the same form", async () => {
  const { status, body } = await server.get("/nothing?secret=1");
  expect([status, body.reason]).toEqual([404, "NotFound"]);
  expect(body.error).not.toContain("secret");
});

test("a request id is taken over where it is one", async () => {
  const ask = (id: string) =>
    server.fastify.inject({ method: "GET", url: "/v1/model", headers: { "x-request-id": id } });
  expect((await ask("abc-123")).headers["x-request-id"]).toBe("abc-123");
  expect((await ask("a b\u007f")).headers["x-request-id"]).not.toContain(" ");
});

test("the metrics tell requests by outcome, their time, batches, what waits, restarts and the log's lag", async () => {
  const read = async (name: string, labels = "") => {
    const { body } = await server.fastify.inject("/metrics");
    const line = new RegExp(`^autoai_inference_${name}\\{${labels}[^}]*\\} (\\S+)$`, "m");
    return Number(line.exec(body)?.[1]);
  };
  const look = () =>
    Promise.all([
      read("request_seconds_count", 'route="/predict",status="200"'),
      read("request_seconds_count", 'route="/predict",status="422"'),
      ...["rows_total", "row_warnings_total", "batch_rows_sum", "batch_requests_sum"].map((name) =>
        read(name),
      ),
    ]);
  const before = await look();
  expect((await predict({ rows: [ROW, { ...ROW, plan: "never seen" }] })).status).toBe(200);
  expect((await predict({ rows: [{}] })).status).toBe(422);
  expect(await look()).toEqual([1, 1, 2, 1, 2, 1].map((more, index) => (before[index] ?? 0) + more));
  for (const name of ["request_seconds_sum", "batch_seconds_sum"])
    expect(await read(name)).toBeGreaterThan(0);
  for (const name of ["waiting_rows", "worker_ends_total", "log_lag_entries", "log_ship_lag_seconds"])
    expect(await read(name)).toBe(0);
  expect(await read("ready", 'engine="Compiled"')).toBe(1);
});
