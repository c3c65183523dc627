/** A model of a cluster, asked through the API server's proxy: at the wire. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ModelDeployment } from "../../../operator/api/modeldeployment.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { ApiServer } from "../../../operator/cluster/kubernetes/api-server.ts";
import { MemoryStore } from "../../../operator/storage/memory-store.ts";
import { configOf } from "../../../test/fakes/kubernetes-api.ts";
import { clusterModels } from "./models.ts";

type Seen = { readonly url: string | undefined; readonly authorization: string | undefined };
let seen: Seen[] = [];
let answer: { readonly code: number; readonly body: object } = { code: 200, body: {} };
const server = createServer((request, response) => {
  seen.push({ url: request.url, authorization: request.headers.authorization });
  response.writeHead(answer.code, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const job = { metadata: { name: "churn", namespace: "ada" } } as TrainingJob;
const deployment = {
  metadata: { name: "churn", namespace: "ada" },
  spec: { modelRef: { trainingJob: "churn" } },
  status: { url: "http://churn-model.ada.svc:8080" },
} as ModelDeployment;

function models(deployments: ModelDeployment[]) {
  seen = [];
  const { port } = server.address() as AddressInfo;
  const api = new ApiServer(configOf(`http://127.0.0.1:${port}`, "ada's-token"));
  return clusterModels(api, new MemoryStore(), async () => deployments);
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
