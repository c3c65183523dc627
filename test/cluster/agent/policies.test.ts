/** What test/cluster/policies.test.ts tries with packets is tried here where packets would take long: selectors, defaults, rendering. */
import { describe, expect, test } from "vitest";
import { type Endpoint, type Known, matches, type Policy, ruleset } from "./policies.ts";

const pod = (ip: string, labels: Record<string, string> = {}, namespace = "a"): Endpoint => ({
  namespace,
  ip,
  labels,
  ports: [{ name: "web", containerPort: 8080 }],
});
const known = (
  policies: readonly Policy[],
  pods = [pod("10.0.0.1", { app: "one" }), pod("10.0.0.2")],
): Known => ({
  pods,
  namespaces: new Map([
    ["a", { "kubernetes.io/metadata.name": "a" }],
    ["b", { "kubernetes.io/metadata.name": "b" }],
  ]),
  policies,
});
const chains = (rules: string) => [...rules.matchAll(/chain ((?:in|e)gress_\S+)/g)].map((match) => match[1]);

describe("a selector", () => {
  test.each([
    ["empty", {}, {}, true],
    ["label", { matchLabels: { a: "1" } }, { a: "1", b: "2" }, true],
    ["other label", { matchLabels: { a: "1" } }, { a: "2" }, false],
    ["In", { matchExpressions: [{ key: "a", operator: "In", values: ["1", "2"] }] }, { a: "2" }, true],
    ["In, absent", { matchExpressions: [{ key: "a", operator: "In", values: ["1"] }] }, {}, false],
    ["NotIn, absent", { matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, {}, true],
    ["NotIn", { matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, { a: "1" }, false],
    ["Exists", { matchExpressions: [{ key: "a", operator: "Exists" }] }, { a: "" }, true],
    ["DoesNotExist", { matchExpressions: [{ key: "a", operator: "DoesNotExist" }] }, { a: "" }, false],
  ])("%s", (_name, selector, labels: Record<string, string>, expected) => {
    expect(matches(selector, labels)).toBe(expected);
  });

  test("with an operator that Kubernetes does not know is an error", () => {
    expect(() => matches({ matchExpressions: [{ key: "a", operator: "Like" }] }, {})).toThrow("found Like");
  });
});

describe("the rules", () => {
  test("have no chain for pods that no policy selects", () => {
    const elsewhere: Policy = { namespace: "b", podSelector: {} };
    expect(chains(ruleset("t", known([elsewhere])))).toEqual([]);
  });

  test("are of ingress alone where a policy says no type and no egress", () => {
    const policy: Policy = { namespace: "a", podSelector: { matchLabels: { app: "one" } } };
    expect(chains(ruleset("t", known([policy])))).toEqual(["ingress_10_0_0_1"]);
    expect(chains(ruleset("t", known([{ ...policy, egress: [] }])))).toEqual([
      "ingress_10_0_0_1",
      "egress_10_0_0_1",
    ]);
  });

  test("of several policies add up", () => {
    const block = (cidr: string): Policy => ({
      namespace: "a",
      podSelector: { matchLabels: { app: "one" } },
      ingress: [{ from: [{ ipBlock: { cidr } }] }],
    });
    const rules = ruleset("t", known([block("192.0.2.0/25"), block("192.0.2.128/25")]));
    expect(chains(rules)).toEqual(["ingress_10_0_0_1"]);
    expect(rules).toContain("ip saddr 192.0.2.0/25 return");
    expect(rules).toContain("ip saddr 192.0.2.128/25 return");
  });

  test("keep to a protocol where a port has no number", () => {
    const policy: Policy = { namespace: "a", podSelector: {}, ingress: [{ ports: [{ protocol: "UDP" }] }] };
    expect(ruleset("t", known([policy]))).toContain("meta l4proto udp return");
  });

  test("resolve a named port at the pod that is spoken to", () => {
    const egress = [{ to: [{ podSelector: {} }], ports: [{ port: "web" }] }];
    const rules = ruleset("t", known([{ namespace: "a", podSelector: {}, policyTypes: ["Egress"], egress }]));
    expect(rules).toContain("ip daddr 10.0.0.2 tcp dport 8080 return");
  });

  test("let nothing through by a peer that selects no pod", () => {
    const ingress = [{ from: [{ podSelector: { matchLabels: { app: "none" } } }] }];
    const rules = ruleset(
      "t",
      known([{ namespace: "a", podSelector: { matchLabels: { app: "one" } }, ingress }]),
    );
    expect(rules).toMatch(/chain ingress_10_0_0_1 \{\s+ip saddr 10\.0\.0\.1 return\s+counter drop\s+\}/);
  });
});
