import { afterAll, expect, test, vi } from "vitest";
import { KubernetesApi } from "../../../test/fakes/kubernetes-api.ts";
import { describeWire } from "../../../test/fakes/kubernetes-contract.ts";
import { ApiServer } from "./api-server.ts";
import { KubernetesCluster } from "./cluster.ts";

const served = await KubernetesApi.start();
afterAll(() => served.close());

describeWire("an API server in memory", () => ({
  api: new ApiServer(served.config()),
  namespace: "contract",
}));

test("what happened while no watch was there is found when it is back, by its version or by a new list", async () => {
  const api = await KubernetesApi.start();
  const collection = "/apis/autoai.dev/v1alpha1/datasets";
  const dataset = (name: string) => ({ metadata: { name, namespace: "ns" }, spec: {} });
  const restarts: string[] = [];
  const cluster = new KubernetesCluster({
    api: new ApiServer(api.config()),
    namespaces: [],
    instance: "test",
    now: Date.now,
    onChange: () => undefined,
    onRestart: (_resource, reason) => restarts.push(reason),
    timings: { firstBackoffSeconds: 0.05, longestBackoffSeconds: 0.1 },
  });
  await cluster.start();
  api.put(collection, dataset("one"));
  await vi.waitFor(() => expect(cluster.cached("Dataset", "ns/one")).toBeDefined(), 5000);
  api.endWatches();
  api.put(collection, dataset("two"));
  await vi.waitFor(() => expect(cluster.cached("Dataset", "ns/two")).toBeDefined(), 5000);
  api.delete(collection, "ns", "one");
  api.put(collection, dataset("three"));
  api.endWatches();
  api.compact();
  await vi.waitFor(() => expect(cluster.cached("Dataset", "ns/three")).toBeDefined(), 5000);
  await vi.waitFor(() => expect(cluster.cached("Dataset", "ns/one")).toBeUndefined(), 5000);
  expect(restarts).toContain("Failed");
  await cluster.stop();
  await api.close();
});
