/** The chart rendered: every documented value, and what holds of each manifest whatever the values are. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CASES } from "./cases.ts";
import { chart, type Manifest, nested, only, render, root, runHelm, withValues } from "./helm.ts";
import { breaches } from "./restricted.ts";

const CLUSTER_SCOPED = new Set(["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"]);
const RECOMMENDED = ["name", "instance", "version", "managed-by", "part-of", "component"].map(
  (name) => `app.kubernetes.io/${name}`,
);

const podsOf = (manifests: readonly Manifest[]) =>
  manifests.filter((one) => ["Deployment", "StatefulSet", "Job", "DaemonSet"].includes(one.kind));

const includes = (labels: Record<string, string>, wanted: Record<string, string>) =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

function expectSound(manifests: readonly Manifest[]): void {
  const names = manifests.map((one) => `${one.kind} ${one.metadata.namespace ?? ""}/${one.metadata.name}`);
  expect(new Set(names).size, "names are unique").toBe(names.length);
  for (const [index, one] of manifests.entries()) {
    const name = names[index];
    expect(one.apiVersion, name).toMatch(/^([a-z0-9.]+\/)?v\d/);
    expect(one.metadata.name, name).toMatch(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/);
    expect(Boolean(one.metadata.namespace), `${name}: namespace`).toBe(!CLUSTER_SCOPED.has(one.kind));
    expect(Object.keys(one.metadata.labels), name).toEqual(expect.arrayContaining(RECOMMENDED));
    for (const value of Object.values<string>(one.metadata.labels)) {
      expect(value, name).toMatch(/^([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$/);
    }
  }
  const pods = podsOf(manifests);
  for (const one of pods) {
    const { metadata, spec } = one.spec.template;
    expect(breaches(spec), one.metadata.name).toEqual([]);
    expect(includes(metadata.labels, one.spec.selector.matchLabels), "its selector selects its pods").toBe(
      true,
    );
    expect(Object.keys(one.spec.selector.matchLabels).join(), "selectors do not change").not.toMatch(
      /version|chart/,
    );
    for (const container of spec.containers) {
      expect(container.image).toMatch(/^[a-z0-9][a-z0-9._/:-]*(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$/);
      expect(container.image).not.toMatch(/:latest$/);
      expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
      expect(container.livenessProbe && container.readinessProbe && container.startupProbe).toBeTruthy();
    }
  }
  for (const service of manifests.filter((one) => one.kind === "Service")) {
    const behind = pods.filter((one) => includes(one.spec.template.metadata.labels, service.spec.selector));
    expect(behind.length, service.metadata.name).toBe(1);
    const ports = behind[0]?.spec.template.spec.containers[0].ports.map((port: Manifest) => port.name);
    for (const port of service.spec.ports) expect(ports).toContain(port.targetPort);
  }
  for (const fenced of manifests.filter((one) =>
    ["NetworkPolicy", "PodDisruptionBudget"].includes(one.kind),
  )) {
    const labels = (fenced.spec.podSelector ?? fenced.spec.selector).matchLabels;
    expect(pods.filter((one) => includes(one.spec.template.metadata.labels, labels)).length).toBe(1);
  }
}

describe("as it is installed by default", () => {
  const manifests = render();

  test("every manifest is sound", () => {
    expectSound(manifests);
  });

  test("two operators on different nodes where that can be, which have time to end", () => {
    const { replicas, strategy, template } = only(manifests, "Deployment").spec;
    expect(replicas).toBe(2);
    expect(strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30);
    expect(JSON.stringify(template.spec.affinity.podAntiAffinity)).toContain("kubernetes.io/hostname");
    for (const spread of template.spec.topologySpreadConstraints) {
      expect(spread.whenUnsatisfiable).toBe("ScheduleAnyway");
      expect(includes(template.metadata.labels, spread.labelSelector.matchLabels)).toBe(true);
    }
  });

  test("the CRDs are those of crds/, are upgraded with the release, and outlive it", () => {
    for (const name of ["datasets", "trainingjobs", "modeldeployments"]) {
      const crd = only(manifests, "CustomResourceDefinition", `${name}.autoai.dev`);
      const source = parse(readFileSync(join(root, "crds", `autoai.dev_${name}.yaml`), "utf8"));
      expect(crd.spec).toEqual(source.spec);
      expect(crd.metadata.annotations["helm.sh/resource-policy"]).toBe("keep");
    }
  });

  test("only the operator has a token, and no pod is told of the namespace's Services", () => {
    for (const { metadata, spec } of podsOf(manifests)) {
      const pod = spec.template.spec;
      expect(pod.enableServiceLinks).toBe(false);
      expect(pod.automountServiceAccountToken).toBe(metadata.name === "autoai");
    }
    expect(only(manifests, "ServiceAccount").automountServiceAccountToken).toBe(false);
  });

  test("credentials are in no manifest but their Secret, are long, and new for each release", () => {
    const { data } = only(manifests, "Secret");
    const rest = JSON.stringify(manifests.filter((one) => one.kind !== "Secret"));
    for (const value of Object.values<string>(data)) {
      expect(rest).not.toContain(Buffer.from(value, "base64").toString());
    }
    expect(Buffer.from(data.secretKey, "base64").length).toBe(40);
    expect(only(render(), "Secret").data.secretKey).not.toBe(data.secretKey);
  });

  test("MinIO is reached by the operator and by tool pods, on one port, and reaches nothing", () => {
    const { spec } = only(manifests, "NetworkPolicy", "autoai-minio");
    expect(spec.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(spec.egress).toEqual([]);
    expect(spec.ingress.map((rule: Manifest) => rule.ports)).toEqual([[{ protocol: "TCP", port: 9000 }]]);
    const [operator, tools] = spec.ingress[0].from;
    const { template } = only(manifests, "Deployment").spec;
    expect(includes(template.metadata.labels, operator.podSelector.matchLabels)).toBe(true);
    expect(operator.namespaceSelector).toBeUndefined();
    expect(tools).toEqual({
      namespaceSelector: {},
      podSelector: {
        matchLabels: { "app.kubernetes.io/managed-by": "autoai" },
        matchExpressions: [
          { key: "autoai.dev/role", operator: "In", values: ["execution", "install", "serving"] },
        ],
      },
    });
  });

  test("the store's address, selector and port are those of the bundled MinIO", () => {
    const { env } = only(manifests, "Deployment").spec.template.spec.containers[0];
    const value = (name: string) => env.find((one: Manifest) => one.name === name).value;
    const service = only(manifests, "Service", "autoai-minio");
    expect(value("AUTOAI_STORE_ENDPOINT")).toBe("http://autoai-minio.platform.svc:9000");
    expect(service.spec.ports[0].port).toBe(9000);
    const selector = JSON.parse(value("AUTOAI_STORE_SELECTOR"));
    expect(selector.namespace).toBe("platform");
    expect(includes(only(manifests, "StatefulSet").spec.template.metadata.labels, selector.podLabels)).toBe(
      true,
    );
    expect(value("AUTOAI_STORE_PORT")).toBe("9000");
  });
});

describe.each(CASES)("$set", ({ set, given = {}, seen, as }) => {
  /** The CRDs are most of the chart, and no value but one changes them. */
  const rendered = (values: Readonly<Record<string, unknown>>) =>
    render(nested("crds.install" in set ? values : { "crds.install": false, ...values }));

  test("is seen in manifests that are sound", () => {
    const manifests = rendered({ ...given, ...set });
    expect(seen(manifests)).toEqual(as);
    expectSound(manifests);
  });

  test("is not seen without it", () => {
    let without: unknown;
    try {
      without = seen(rendered(given));
    } catch (error) {
      without = error;
    }
    expect(without).not.toEqual(as);
  });
});

test("helm lint finds nothing, by default and with every optional part", () => {
  const everything = nested({
    watchNamespaces: ["a", "b"],
    "environments.enabled": true,
    "metrics.serviceMonitor.enabled": true,
    "metrics.dashboard.enabled": true,
    "gemini.existingSecret": "gemini",
  });
  for (const values of [{}, everything]) {
    const { status, stdout } = withValues(values, (path) =>
      runHelm(["lint", chart, "--strict", "--values", path]),
    );
    expect(stdout).toMatch(/0 chart\(s\) failed/);
    expect(stdout).not.toMatch(/\[(WARNING|ERROR)\]/);
    expect(status).toBe(0);
  }
});

test("what Kubernetes makes of the console's Service is none of the console's settings", () => {
  const all = render(nested({ "console.enabled": true, "console.origins": ["https://autoai.example.org"] }));
  const spec = only(all, "Deployment", "autoai-console").spec.template.spec;
  // Of a Service autoai-console it would make AUTOAI_CONSOLE_PORT=tcp://10.0.0.1:8080.
  expect(spec.enableServiceLinks).toBe(false);
});

test("two releases in one cluster share no name", () => {
  const of = (name: string, namespace: string) =>
    render(nested({ "crds.install": namespace === "one" }), { name, namespace }).map(
      (one) => `${one.kind} ${one.metadata.namespace ?? ""}/${one.metadata.name}`,
    );
  const [first, second, third] = [of("autoai", "one"), of("autoai", "two"), of("other", "two")];
  expect(first.filter((name) => second.includes(name))).toEqual([]);
  expect(second.filter((name) => third.includes(name))).toEqual([]);
});

test("names stay valid where the release's name is as long as helm allows", () => {
  expectSound(render({}, { name: "a".repeat(53), namespace: "n".repeat(63) }));
});
