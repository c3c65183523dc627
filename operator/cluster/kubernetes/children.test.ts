import { expect, onTestFinished, test, vi } from "vitest";
import { KubernetesApi } from "../../../test/fakes/kubernetes-api.ts";
import { type Child, RefusedChildError } from "../../serving/children.ts";
import { labelsOf } from "../../serving/names.ts";
import { ApiError, ApiServer } from "./api-server.ts";
import { KubernetesChildren } from "./children.ts";

const DEPLOYMENTS = "/apis/apps/v1/deployments";
const PODS = "/api/v1/pods";

async function world(namespaces: readonly string[] = []) {
  const served = await KubernetesApi.start();
  const woken: string[] = [];
  const api = new ApiServer(served.config());
  const children = new KubernetesChildren({ api, namespaces, onChange: (key) => woken.push(key) });
  await children.start();
  onTestFinished(async () => {
    await children.stop();
    await served.close();
  });
  return { served, api, children, woken };
}

function deployment(replicas: number): Child {
  const metadata = { name: "churn", namespace: "team", labels: labelsOf("churn") };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas } };
}

const pod = (namespace: string, of: string) => ({
  metadata: {
    name: `${of}-abc`,
    namespace,
    labels: labelsOf(of),
    annotations: { "autoai.dev/model-digest": "d1", "autoai.dev/training-job": "job" },
  },
  spec: { containers: [] },
  status: { podIP: "10.0.0.7", conditions: [{ type: "Ready", status: "True" }] },
});

test("what was applied is known at once, and applying it again changes nothing", async () => {
  const { children, served } = await world();
  const first = await children.apply(deployment(1));
  expect(children.deployment("team", "churn")?.metadata.generation).toBe(1);
  expect((await children.apply(deployment(1))).metadata).toEqual(first.metadata);
  expect((await children.apply(deployment(2))).metadata.generation).toBe(2);
  expect(children.deployment("team", "churn")?.spec?.replicas).toBe(2);
  expect(served.list(DEPLOYMENTS)).toHaveLength(1);
});

test("changes of Deployment and pods wake the ModelDeployment that they are of", async () => {
  const { children, served, woken } = await world();
  served.put(PODS, pod("team", "churn"));
  await vi.waitFor(() => expect(woken).toContain("team/churn"));
  expect(children.pods("team", "churn")).toMatchObject([
    {
      name: "churn-abc",
      deployment: "churn",
      digest: "d1",
      trainingJob: "job",
      ip: "10.0.0.7",
      deleting: false,
    },
  ]);
  expect(children.pods("other", "churn")).toEqual([]);
  served.put(PODS, { ...pod("team", "tool"), metadata: { name: "tool", namespace: "team", labels: {} } });
  await children.apply(deployment(1));
  expect(new Set(woken)).toEqual(new Set(["team/churn"]));
});

test("in some namespaces, each of them has its own cache", async () => {
  const { children, served } = await world(["team", "other"]);
  served.put(PODS, pod("other", "churn"));
  served.put(PODS, pod("elsewhere", "churn"));
  await vi.waitFor(() => expect(children.pods("other", "churn")).toHaveLength(1));
  expect(children.pods("team", "churn")).toEqual([]);
  expect(children.pods("elsewhere", "churn")).toEqual([]);
});

test("what is not there is read as nothing, and removed without complaint", async () => {
  const { children } = await world();
  expect(await children.get("Service", "team", "churn")).toBeUndefined();
  await children.remove("Service", "team", "churn");
});

test("a Deployment is removed with its pods first: until they are gone it is there, and no ReplicaSet makes more", async () => {
  const { api, children } = await world();
  const request = vi.spyOn(api, "request").mockResolvedValue({});
  await children.remove("Deployment", "team", "churn");
  expect(request).toHaveBeenCalledWith("DELETE", "/apis/apps/v1/namespaces/team/deployments/churn", {
    body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground" },
  });
});

test.each([
  [403, "Forbidden", RefusedChildError],
  [422, "Invalid", RefusedChildError],
  [409, "Conflict", ApiError],
  [500, "InternalError", ApiError],
])("an answer of %i is %s", async (code, reason, type) => {
  const { api, children } = await world();
  vi.spyOn(api, "request").mockRejectedValue(new ApiError(code, reason, "no"));
  const refused = await children.apply(deployment(1)).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(type);
  expect(refused).toMatchObject({ reason });
});
