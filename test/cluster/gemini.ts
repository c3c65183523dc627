/** The scripted Gemini endpoint (test/fakes) as a Service of the cluster, where the operator is told that Gemini is. */
import { readdirSync, readFileSync } from "node:fs";
import type { Cluster, Manifest } from "./cluster.ts";

const FAKES = new URL("../fakes/", import.meta.url);
/** values.yaml has the operator ask there. */
const NAMESPACE = "gemini-simulator";

/** Runs it with a named script (test/fakes/scripts.ts), in place of the one before; resolves when it answers. */
export async function simulateGemini(cluster: Cluster, script: string): Promise<void> {
  const metadata = { namespace: NAMESPACE, name: "gemini" };
  const labels = { app: "gemini" };
  const sources = readdirSync(FAKES).filter((name) => name.startsWith("gemini-") || name === "scripts.ts");
  const programs = readdirSync(new URL("programs/", FAKES)).filter((name) => name.endsWith(".py"));
  const read = (name: string) => readFileSync(new URL(name, FAKES), "utf8");
  const image = (await cluster.kubectl(
    ...["get", "deployment", "-n", "autoai-system", "autoai", "-o"],
    "jsonpath={.spec.template.spec.containers[0].image}",
  )) as string;
  const manifests: Manifest[] = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { ...metadata, name: "gemini-sources" },
      data: Object.fromEntries([
        ...sources.filter((name) => !name.endsWith(".test.ts")).map((name) => [name, read(name)]),
        ...programs.map((name) => [`program.${name}`, read(`programs/${name}`)]),
      ]),
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: labels, ports: [{ port: 8080 }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations: { script } },
          spec: {
            automountServiceAccountToken: false,
            containers: [
              {
                name: "gemini",
                image,
                imagePullPolicy: "IfNotPresent",
                command: [
                  "node",
                  // Beside the packages of the image; and files of a ConfigMap are links.
                  "--preserve-symlinks",
                  "--preserve-symlinks-main",
                  "/opt/autoai/fakes/gemini-server.ts",
                  "--use",
                  script,
                  "--host",
                  "0.0.0.0",
                  "--port",
                  "8080",
                ],
                readinessProbe: { httpGet: { path: "/requests", port: 8080 }, periodSeconds: 1 },
                resources: { requests: { cpu: "10m" }, limits: { memory: "256Mi" } },
                volumeMounts: [{ name: "fakes", mountPath: "/opt/autoai/fakes" }],
              },
            ],
            volumes: [
              {
                name: "fakes",
                configMap: {
                  name: "gemini-sources",
                  items: [
                    ...sources
                      .filter((name) => !name.endsWith(".test.ts"))
                      .map((name) => ({ key: name, path: name })),
                    ...programs.map((name) => ({ key: `program.${name}`, path: `programs/${name}` })),
                  ],
                },
              },
            ],
          },
        },
      },
    },
  ];
  await cluster.apply(...manifests);
  await cluster.kubectl("rollout", "status", "deployment/gemini", "-n", NAMESPACE, "--timeout=180s");
}
