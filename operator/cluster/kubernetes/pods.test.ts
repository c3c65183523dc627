import { expect, test } from "vitest";
import { KubernetesApi } from "../../../test/fakes/kubernetes-api.ts";
import { ApiError, ApiServer } from "./api-server.ts";
import { KubernetesPods, refusalOf } from "./pods.ts";
import { PUBLIC_INDEX, toolPolicies } from "./tool-policies.ts";

test.each([
  [403, 'pods "a" is forbidden: exceeded quota: q, requested: cpu=2', "QuotaExceeded"],
  [403, 'pods "a" is forbidden: User "x" cannot create resource "pods"', "Forbidden"],
  [403, 'pods "a" is forbidden: violates PodSecurity "restricted:latest"', "AdmissionRefused"],
  [403, 'pods "a" is forbidden: pod rejected: RuntimeClass "gvisor" not found', "RuntimeClassNotFound"],
  [403, "unable to create new content in namespace t because it is being terminated", "NamespaceTerminating"],
  [404, 'namespaces "t" not found', "NamespaceNotFound"],
  [422, 'Pod "a" is invalid: spec.containers[0].image: Required value', "Invalid"],
  [400, 'admission webhook "policy.example" denied the request', "AdmissionRefused"],
  [429, "too many requests", undefined],
  [500, "etcd is away", undefined],
])("%i %s is %s", (code, message, reason) => {
  expect(refusalOf(new ApiError(code, "", message))).toBe(reason);
});

test("an execution may reach the store alone; installing may resolve names and reach the index too", () => {
  const store = { namespace: "autoai-system", podLabels: { app: "minio" } };
  const policies = toolPolicies("team", { store, storePort: 9000, index: PUBLIC_INDEX });
  const specs = policies.map(
    ({ spec }) => spec as { egress: unknown[]; ingress: unknown[]; policyTypes: string[] },
  );
  expect(specs.map(({ egress }) => egress.length)).toEqual([1, 4]);
  expect(specs[0]?.egress).toEqual([
    {
      to: [
        {
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "autoai-system" } },
          podSelector: { matchLabels: { app: "minio" } },
        },
      ],
      ports: [{ protocol: "TCP", port: 9000 }],
    },
  ]);
  for (const { ingress, policyTypes } of specs) {
    expect(ingress).toEqual([]);
    expect(policyTypes).toEqual(["Ingress", "Egress"]);
  }
});

test("a pod that is to end is there until its node has ended it; one that is removed is gone at once", async () => {
  await using api = await KubernetesApi.start();
  api.holds = () => true;
  const pods = new KubernetesPods({
    api: new ApiServer(api.config()),
    namespaces: [],
    policies: () => [],
    onChange: () => undefined,
  });
  for (const name of ["ends", "goes"])
    api.put("/api/v1/pods", { metadata: { name, namespace: "team" }, spec: {} });
  await pods.end("team", "ends");
  await pods.remove("team", "goes");
  expect(
    api.list("/api/v1/pods").map(({ metadata }) => [metadata.name, "deletionTimestamp" in metadata]),
  ).toEqual([["ends", true]]);
  await pods.end("team", "nobody");
});
