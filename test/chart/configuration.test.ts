/** What the chart sets is what the operator reads. */
import { expect, test } from "vitest";
import { readConfiguration } from "../../operator/configuration.ts";
import { EXTERNAL } from "./cases.ts";
import { type Manifest, nested, only, render } from "./helm.ts";

function environment(values: Readonly<Record<string, unknown>>): Record<string, string> {
  const deployment = only(render(nested({ "crds.install": false, ...values })), "Deployment");
  const { env } = deployment.spec.template.spec.containers[0];
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }: Manifest) => [
      name,
      value ?? `from-${Object.keys(valueFrom)[0]?.toLowerCase()}`,
    ]),
  );
}

test("the operator accepts the environment that it gets by default", () => {
  const configuration = readConfiguration(environment({}));
  expect(configuration).toMatchObject({
    watchNamespaces: [],
    namespace: "from-fieldref",
    identity: "from-fieldref",
    store: { endpoint: "http://autoai-minio.platform.svc:9000", port: 9000, accessKey: "from-secretkeyref" },
    runner: { image: "autoai-runner:0.1.0", pullPolicy: "IfNotPresent" },
    inferenceServer: { image: "autoai-inference-server:0.1.0" },
    environmentsClaim: undefined,
    httpPort: 8080,
    artifacts: "Retain",
  });
  expect(configuration.store.selector).toEqual({
    namespace: "platform",
    podLabels: {
      "app.kubernetes.io/name": "autoai",
      "app.kubernetes.io/instance": "autoai",
      "app.kubernetes.io/component": "minio",
    },
  });
});

test("and the one with everything set", () => {
  const tolerations = [{ key: "dedicated", operator: "Exists" }];
  const egress = [{ cidr: "10.0.0.0/8", except: ["10.1.0.0/16"], ports: [443] }];
  const configuration = readConfiguration(
    environment({
      ...EXTERNAL,
      watchNamespaces: ["a", "b"],
      "operator.logLevel": "warn",
      "image.pullPolicy": "Never",
      "environments.enabled": true,
      "artifacts.onDelete": "Delete",
      "jobs.nodeSelector": { pool: "ml" },
      "jobs.tolerations": tolerations,
      "jobs.imagePullSecrets": [{ name: "registry" }],
      "jobs.packageIndex.url": "https://index.example.org/simple",
      "jobs.packageIndex.egress": egress,
    }),
  );
  expect(configuration).toMatchObject({
    watchNamespaces: ["a", "b"],
    logLevel: "warn",
    runner: { pullPolicy: "Never" },
    environmentsClaim: "autoai-environments",
    artifacts: "Delete",
    pods: { nodeSelector: { pool: "ml" }, tolerations, imagePullSecrets: ["registry"] },
    index: { url: "https://index.example.org/simple", egress },
    store: { endpoint: "https://s3.example.org", port: 443, selector: { cidr: "192.0.2.10/32" } },
  });
});

test("each variable that the chart sets is one that the operator knows", async () => {
  const known = await import("node:fs").then(({ readFileSync }) =>
    readFileSync(new URL("../../operator/configuration.ts", import.meta.url), "utf8"),
  );
  const readElsewhere = ["GEMINI_API_KEY", "AUTOAI_GEMINI_BASE_URL"];
  const set = environment({ "gemini.existingSecret": "gemini", "gemini.baseUrl": "http://gemini" });
  for (const name of Object.keys(set)) {
    if (!readElsewhere.includes(name)) expect(known).toContain(`${name}:`);
  }
});
