/** What the operator may do: nothing but this, in all namespaces or in those it watches. */
import { describe, expect, test } from "vitest";
import { type Manifest, nested, only, render } from "./helm.ts";

const without = { "crds.install": false };
const everywhere = render(nested(without));
const somewhere = render(nested({ ...without, watchNamespaces: ["team-a", "team-b"] }));
const operatorRole = (manifests: readonly Manifest[]) =>
  only(
    manifests.filter((one) => one.metadata.labels["app.kubernetes.io/component"] === "operator"),
    "ClusterRole",
  );
const rights = (role: Manifest): string[] =>
  role.rules
    .flatMap((rule: Manifest) =>
      rule.resources.flatMap((resource: string) =>
        rule.verbs.map(
          (verb: string) => `${verb} ${resource}${rule.resourceNames ? ` ${rule.resourceNames}` : ""}`,
        ),
      ),
    )
    .sort();

test("no right of anyone holds a wildcard", () => {
  for (const role of [...everywhere, ...somewhere].filter((one) => /Role$/.test(one.kind))) {
    for (const { apiGroups, resources, verbs } of role.rules) {
      expect([...apiGroups, ...resources, ...verbs].join(), role.metadata.name).not.toContain("*");
    }
  }
});

test("in namespaces with jobs: AutoAI's kinds, tool pods, what serves models, events, and what a manifest names", () => {
  expect(rights(operatorRole(everywhere))).toEqual(
    [
      ...["get", "list", "watch", "patch"].flatMap((verb) =>
        ["datasets", "trainingjobs", "modeldeployments"].map((kind) => `${verb} ${kind}`),
      ),
      ...["datasets", "trainingjobs", "modeldeployments"].map((kind) => `patch ${kind}/status`),
      "delete trainingjobs",
      "create modeldeployments",
      "delete modeldeployments",
      ...["datasets", "trainingjobs", "modeldeployments"].map((kind) => `update ${kind}/finalizers`),
      ...["get", "list", "watch", "create", "delete"].map((verb) => `${verb} pods`),
      ...["get", "create", "patch"].map((verb) => `${verb} networkpolicies`),
      "get configmaps",
      "get secrets",
      ...["get", "list", "watch", "create", "patch", "delete"].map((verb) => `${verb} deployments`),
      ...["get", "create", "patch"].map((verb) => `${verb} services`),
      ...["get", "create", "patch", "delete"].map((verb) => `${verb} horizontalpodautoscalers`),
      ...["get", "create", "patch"].map((verb) => `${verb} poddisruptionbudgets`),
      ...["create", "patch"].map((verb) => `${verb} secrets`),
      "get persistentvolumeclaims",
      ...["get", "list", "create", "patch"].map((verb) => `${verb} events`),
    ].sort(),
  );
});

test("in its own namespace: the Lease, by its name where that can be said", () => {
  const expected = ["create leases", "get leases autoai", "patch leases autoai"];
  for (const manifests of [everywhere, somewhere]) {
    const role = only(manifests, "Role", "autoai-lease");
    expect(role.metadata.namespace).toBe("platform");
    expect(rights(role)).toEqual(expected);
  }
});

describe("with watchNamespaces", () => {
  test("there is a Role in each of them with the same rights, and none in the cluster", () => {
    for (const namespace of ["team-a", "team-b"]) {
      const there = somewhere.filter((one) => one.metadata.namespace === namespace);
      expect(rights(only(there, "Role"))).toEqual(rights(operatorRole(everywhere)));
      const { roleRef, subjects } = only(there, "RoleBinding");
      expect(roleRef).toEqual({
        apiGroup: "rbac.authorization.k8s.io",
        kind: "Role",
        name: only(there, "Role").metadata.name,
      });
      expect(subjects).toEqual([{ kind: "ServiceAccount", name: "autoai", namespace: "platform" }]);
    }
    const bound = somewhere.filter((one) => one.kind === "ClusterRoleBinding").map((one) => one.roleRef.name);
    expect(bound).toEqual(["system:auth-delegator"]);
  });

  test("and without roles for people and journals by the CLI, nothing lies outside of namespaces", () => {
    const confined = { watchNamespaces: ["team-a"], "rbac.userRoles": false, "rbac.authentication": false };
    const manifests = render(nested({ ...without, ...confined }));
    expect(manifests.filter((one) => one.metadata.namespace === undefined)).toEqual([]);
  });

  test("MinIO is reached from the tool pods of those namespaces alone", () => {
    const [, tools] = only(somewhere, "NetworkPolicy", "autoai-minio").spec.ingress[0].from;
    expect(tools.namespaceSelector).toEqual({
      matchExpressions: [
        { key: "kubernetes.io/metadata.name", operator: "In", values: ["team-a", "team-b"] },
      ],
    });
  });
});

test("people get AutoAI's kinds by view, edit and admin, and nobody a status or a finalizer", () => {
  const roles = everywhere.filter((one) => one.metadata.labels["app.kubernetes.io/component"] === "users");
  const aggregated = (to: string) =>
    roles.filter((one) => one.metadata.labels[`rbac.authorization.k8s.io/aggregate-to-${to}`] === "true");
  const all = (to: string) => new Set(aggregated(to).flatMap(rights));
  expect(all("view")).toContain("watch trainingjobs");
  expect(all("view")).not.toContain("create trainingjobs");
  expect(all("edit")).toContain("create trainingjobs");
  expect(all("edit")).not.toContain("deletecollection trainingjobs");
  expect(all("admin")).toContain("deletecollection trainingjobs");
  for (const right of all("view")) expect(right).toMatch(/^(get|list|watch) /);
  for (const right of all("admin")) expect(right).not.toMatch(/^(?!get ).*\/(status|finalizers)/);
  expect([...all("edit")].filter((right) => !all("admin").has(right))).toEqual([]);
});
