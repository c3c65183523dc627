/** A model of a cluster, asked through the API server's proxy: at the wire. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelDeployment } from "../../../operator/api/modeldeployment.ts";
import { predictionLogPrefix, segmentKey } from "../../../operator/api/prediction-log.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { ApiServer } from "../../../operator/cluster/kubernetes/api-server.ts";
import { encode, journalPrefix } from "../../../operator/evaluation/context.ts";
import { MemoryStore } from "../../../operator/storage/memory-store.ts";
import { type Draft, journalOf, prepared, published } from "../../../test/builders/entries.ts";
import { modelManifest } from "../../../test/builders/model-manifest.ts";
import { configOf } from "../../../test/fakes/kubernetes-api.ts";
import { clusterModels } from "./models.ts";

type Seen = { readonly url: string | undefined; readonly authorization: string | undefined };
let seen: Seen[] = [];
type Served = { readonly code: number; readonly body: object | string };
let answer: Served = { code: 200, body: {} };
/** In place of `answer`, where it is set. */
let answerTo: ((url: string, body: string) => Served) | undefined;
const server = createServer(async (request, response) => {
  seen.push({ url: request.url, authorization: request.headers.authorization });
  const { code, body } = answerTo?.(request.url ?? "", await text(request)) ?? answer;
  const plain = typeof body === "string";
  response
    .writeHead(code, { "content-type": plain ? "text/plain" : "application/json" })
    .end(plain ? body : JSON.stringify(body));
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const digest = "d".repeat(64);
const job = {
  metadata: { name: "churn", namespace: "ada", uid: "1" },
  status: { state: "READY", model: { digest } },
} as unknown as TrainingJob;
const deployment = {
  metadata: { name: "churn", namespace: "ada" },
  spec: { modelRef: { trainingJob: "churn" } },
  status: { url: "http://churn-model.ada.svc:8080", modelDigest: digest },
} as ModelDeployment;

function models(deployments: ModelDeployment[], store = new MemoryStore()) {
  seen = [];
  answerTo = undefined;
  const { port } = server.address() as AddressInfo;
  const api = new ApiServer(configOf(`http://127.0.0.1:${port}`, "ada's-token"));
  return clusterModels(api, store, async () => deployments);
}

test("a prediction goes to the Service of the deployment, with the user's own token", async () => {
  answer = { code: 200, body: { predictions: ["yes"], warnings: [] } };
  expect(await models([deployment]).predict(job, [{ age: 4 }])).toEqual(answer.body);
  expect(seen).toEqual([
    {
      url: "/api/v1/namespaces/ada/services/http:churn-model:8080/proxy/predict",
      authorization: "Bearer ada's-token",
    },
  ]);
});

test("a row that does not fit is told as the model says it, field by field", async () => {
  const problems = [{ row: 0, field: "age", expected: "a whole number", found: "x" }];
  answer = { code: 422, body: { error: "1 of 1 rows does not fit", reason: "InvalidRows", problems } };
  await expect(models([deployment]).predict(job, [{ age: "x" }])).rejects.toMatchObject({
    refusal: "Invalid",
    message: "1 of 1 rows does not fit",
    detail: { problems },
  });
});

test("without a deployment that serves it, what to do is told", async () => {
  await expect(models([]).predict(job, [{}])).rejects.toMatchObject({
    refusal: "Conflict",
    message: "no deployment serves this model yet: deploy it first",
  });
});

test("a deployment that serves another model still is not asked in the name of this one", async () => {
  const rolling = { ...deployment, status: { ...deployment.status, modelDigest: "e".repeat(64) } };
  await expect(models([rolling as ModelDeployment]).predict(job, [{}])).rejects.toMatchObject({
    refusal: "Conflict",
    message: "the deployment churn does not serve this model yet: wait until it is ready",
  });
  expect(seen).toEqual([]);
});

describe("a CSV in batch", () => {
  const store = new MemoryStore();
  beforeAll(async () => {
    const prefix = "models/ada/churn";
    const entry = journalOf(prepared(), { ...published(1), prefix } as Draft).at(-1);
    await store.put(`${journalPrefix(job)}/000001.json`, encode(entry));
    const feature = { nullable: true, example: "x" };
    const features = [
      { ...feature, name: "age", type: "Integer" },
      { ...feature, name: "active", type: "Boolean" },
      { ...feature, name: "plan, old", type: "Category", categories: ["a"] },
    ];
    await store.put(
      `${prefix}/model.json`,
      encode({
        ...modelManifest(),
        task: "BinaryClassification",
        metric: "RocAuc",
        classes: ["no", "yes"],
        features,
      }),
    );
  });
  const small = { ...deployment, spec: { ...deployment.spec, limits: { maxRows: 2 } } } as ModelDeployment;
  const bytes = (csv: string) => new TextEncoder().encode(csv);

  test("is asked in requests that the deployment takes, in the types of a request, and comes back as a CSV", async () => {
    const asked = models([small], store);
    const rows: unknown[][] = [];
    answerTo = (_, body) => {
      const part = (JSON.parse(body) as { rows: unknown[] }).rows;
      rows.push(part);
      const probabilities = part.map(() => ({ no: 0.25, yes: 0.75 }));
      return { code: 200, body: { predictions: part.map(() => "yes"), probabilities, warnings: [] } };
    };
    const csv = await asked.predictCsv(
      job,
      bytes('\ufeffplan, old;extra;active;age\r\n"a;b";1;True;42\r\n;2;false;NA\r\n07;3;;x\r\n'),
    );
    expect(rows).toEqual([
      [
        { age: 42, active: true, "plan, old": "a;b" },
        { age: null, active: false, "plan, old": null },
      ],
      [{ age: "x", active: null, "plan, old": "07" }],
    ]);
    expect(new TextDecoder().decode(csv)).toBe(`prediction,p:no,p:yes\n${"yes,0.25,0.75\n".repeat(3)}`);
  });

  test("that does not fit is told by the file's line, whichever request it was in", async () => {
    const asked = models([small], store);
    const problems = [{ row: 0, field: "age", expected: "a whole number", found: "x" }];
    const ok = { code: 200, body: { predictions: ["no", "no"], warnings: [] } };
    answerTo = () =>
      seen.length === 1 ? ok : { code: 422, body: { error: "1 row", reason: "InvalidRows", problems } };
    const csv = 'age,active,"plan, old"\n1,,"two\nlines"\n2,,\nx,,\n';
    await expect(asked.predictCsv(job, bytes(csv))).rejects.toMatchObject({
      refusal: "Invalid",
      message: 'line 5, age: expected a whole number, found "x"',
    });
  });

  test.each([
    ["lacks a column", bytes("age,active\n1,True\n"), /lacks the column plan, old/],
    ["is not closed", bytes('age,active,"plan, old"\n1,True,"a\n'), /Quote Not Closed.*line 2/],
    ["is in another encoding", Buffer.from("caf\xe9\n", "latin1"), /not UTF-8/],
    ["is empty", bytes(""), /is empty/],
  ])("that %s is refused before anything is asked", async (_, csv, message) => {
    const refused = { refusal: "Invalid", message: expect.stringMatching(message) };
    await expect(models([small], store).predictCsv(job, csv)).rejects.toMatchObject(refused);
    expect(seen).toEqual([]);
  });
});

test("past predictions are those of this model, since the moment, in every deployment of the namespace", async () => {
  const store = new MemoryStore();
  const at = Date.parse("2026-05-01T12:00:00Z");
  const entry = (id: string, seconds: number, model = digest) =>
    JSON.stringify({ time: new Date(at + seconds * 1000).toISOString(), requestId: id, model });
  const segment = async (name: string, last: number, lines: string[]) => {
    const key = segmentKey(predictionLogPrefix("ada", name), at + last * 1000, "server", `${at}-0123abcd`);
    await store.put(key, gzipSync(`${lines.join("\n")}\n`));
  };
  await segment("churn", -10, [entry("old", -10)]);
  await segment("churn", 20, [entry("before", -1), entry("one", 10), entry("other", 20, "e".repeat(64))]);
  await segment("canary", 30, [entry("two", 30), "{ cut"]);
  await segment("foreign", 30, [entry("foreign", 30)]);
  const canary = { ...deployment, metadata: { name: "canary", namespace: "ada" } } as ModelDeployment;
  const ids: string[] = [];
  for await (const line of models([deployment, canary], store).log(job, at))
    ids.push(JSON.parse(line).requestId);
  expect(ids).toEqual(["one", "two"]);
});

test("traffic is what the servers of a deployment counted, those of predictions alone", async () => {
  const asked = models([deployment]);
  const metric = "autoai_inference_request_seconds";
  const lines = (route: string, status: number, counts: readonly [number, number, number]) => {
    const labels = (le: string) => `model="churn",le="${le}",route="${route}",status="${status}"`;
    const [fast, slow, all] = counts;
    return [
      `${metric}_bucket{${labels("0.1")}} ${fast}`,
      `${metric}_bucket{${labels("1")}} ${slow}`,
      `${metric}_bucket{${labels("+Inf")}} ${all}`,
      `${metric}_count{model="churn",route="${route}",status="${status}"} ${all}`,
    ].join("\n");
  };
  answerTo = (url) => {
    if (!url.includes("/proxy/")) {
      const pod = (name: string, phase: string) => ({ metadata: { name }, status: { phase } });
      const items = [pod("a", "Running"), pod("b", "Running"), pod("c", "Pending")];
      return { code: 200, body: { items } };
    }
    const body = [
      lines("/predict", 200, [4, 6, 6]),
      lines("/predict", 503, [1, 1, 2]),
      lines("/metrics", 200, [9, 9, 9]),
    ];
    return { code: 200, body: `# HELP x\n${body.join("\n")}\n` };
  };
  expect(await asked.traffic?.({ namespace: "ada", name: "churn" })).toEqual({
    at: expect.any(Number),
    servers: 2,
    asked: 2,
    requests: 16,
    failures: 4,
    buckets: [
      { upTo: 0.1, count: 10 },
      { upTo: 1, count: 14 },
    ],
  });
  expect(seen.map(({ url }) => url)).toEqual([
    "/api/v1/namespaces/ada/pods?labelSelector=app.kubernetes.io%2Fname%3Dautoai-model%2Cautoai.dev%2Fmodeldeployment%3Dchurn",
    "/api/v1/namespaces/ada/pods/a:8080/proxy/metrics",
    "/api/v1/namespaces/ada/pods/b:8080/proxy/metrics",
  ]);
  expect(seen.every(({ authorization }) => authorization === "Bearer ada's-token")).toBe(true);
});

test("a token that the API server takes no more is told apart from a right that is missing", async () => {
  answer = {
    code: 401,
    body: { kind: "Status", reason: "Unauthorized", message: "Unauthorized", code: 401 },
  };
  await expect(models([deployment]).predict(job, [{}])).rejects.toMatchObject({
    refusal: "Unauthenticated",
    message: expect.stringContaining("sign in with another"),
  });
  const message = 'services "churn-model" is forbidden: User "ada" cannot create resource "services/proxy"';
  answer = { code: 403, body: { kind: "Status", reason: "Forbidden", message, code: 403 } };
  await expect(models([deployment]).predict(job, [{}])).rejects.toMatchObject({ refusal: "Denied", message });
});
