/** What the cluster's gateway shows, and to whom: of the resources that it keeps from a watch with somebody's own token. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ApiError, ApiServer } from "../../../operator/cluster/kubernetes/api-server.ts";
import { MemoryStore } from "../../../operator/storage/memory-store.ts";
import { KubernetesApi } from "../../../test/fakes/kubernetes-api.ts";
import { ClusterGateway } from "./gateway.ts";
import type { UserApi } from "./user-api.ts";
import { Watches } from "./watches.ts";

let cluster: KubernetesApi;
let watches: Watches;
beforeEach(async () => {
  cluster = await KubernetesApi.start();
  watches = new Watches(Date.now);
});
afterEach(async () => {
  await watches.close();
  await cluster.close();
});

test("rows are shown as long as the API server lets their user list them, though they are still watched", async () => {
  const server = new ApiServer(cluster.config());
  let mayList = true;
  const api: UserApi = {
    request: (...asked) =>
      mayList ? server.request(...asked) : Promise.reject(new ApiError(403, "Forbidden", "ada may not list")),
    send: (...asked) => server.send(...asked),
    watch: (...asked) => server.watch(...asked),
  };
  const store = new MemoryStore() as never;
  const gateway = new ClusterGateway({ api, token: "of ada", store, watches, version: "1.0.0" });
  cluster.put("/apis/autoai.dev/v1alpha1/datasets", {
    metadata: { name: "rows", namespace: "team" },
    spec: { source: { upload: true } },
  });
  expect(await gateway.rows("Dataset", "team")).toMatchObject([{ key: "team/rows" }]);
  mayList = false;
  await expect(gateway.rows("Dataset", "team")).rejects.toMatchObject({ refusal: "Denied" });
  mayList = true;
  expect(await gateway.rows("Dataset", "team")).toHaveLength(1);
});
