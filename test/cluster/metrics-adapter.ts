/**
 * The custom metrics API, as an adapter of metrics (prometheus-adapter, KEDA) serves it to the cluster's own autoscaler: of one
 * metric of pods, read off their /metrics at the moment when it is asked for. On this machine, where the API server finds it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HTTP_PORT } from "../../operator/serving/names.ts";
import { apiService, hostAddress } from "./api-service.ts";
import type { Cluster } from "./cluster.ts";

const NAME = "metrics-adapter";
const GROUP = "custom.metrics.k8s.io";
const VERSION = "v1beta2";
const API = `/apis/${GROUP}/${VERSION}`;

/** Serves the metric until it is disposed of. */
export async function metricsAdapter(
  cluster: Cluster,
  namespace: string,
  metric: string,
): Promise<AsyncDisposable> {
  const server = createServer(certificate(), async ({ url = "" }, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const { pathname, searchParams } = new URL(url, "https://adapter");
    // The API server writes `*` as %2A.
    const path = decodeURIComponent(pathname);
    if (path === API) return answer(200, resources(metric));
    if (path !== `${API}/namespaces/${namespace}/pods/*/${metric}`) return answer(404, {});
    try {
      answer(200, await values(cluster, namespace, searchParams.get("labelSelector") ?? "", metric));
    } catch (error) {
      answer(500, { kind: "Status", apiVersion: "v1", status: "Failure", message: (error as Error).message });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, hostAddress(), resolve));
  const { port } = server.address() as AddressInfo;
  const service = await apiService(cluster, namespace, { name: NAME, group: GROUP, version: VERSION, port });
  return {
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await close(server);
    },
  };
}

const resources = (metric: string) => ({
  ...{ kind: "APIResourceList", apiVersion: "v1", groupVersion: `${GROUP}/${VERSION}` },
  resources: [
    {
      ...{ name: `pods/${metric}`, singularName: "", kind: "MetricValueList" },
      ...{ namespaced: true, verbs: ["get"] },
    },
  ],
});

async function values(cluster: Cluster, namespace: string, selector: string, metric: string) {
  const found = await cluster.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json");
  // biome-ignore lint/suspicious/noExplicitAny: pods as they stand
  const pods = (JSON.parse(found).items as any[]).filter(
    ({ metadata, status }) => status.podIP !== undefined && metadata.deletionTimestamp === undefined,
  );
  const items = await Promise.all(
    pods.map(async ({ metadata, status }) => {
      const value = await read(`http://${status.podIP}:${HTTP_PORT}/metrics`, metric);
      const describedObject = { kind: "Pod", apiVersion: "v1", namespace, name: metadata.name };
      const now = new Date().toISOString();
      return value === undefined
        ? []
        : [{ describedObject, metric: { name: metric }, timestamp: now, value }];
    }),
  );
  return { kind: "MetricValueList", apiVersion: `${GROUP}/${VERSION}`, metadata: {}, items: items.flat() };
}

/** As it stands there; undefined of a server that does not answer yet. */
async function read(url: string, metric: string): Promise<string | undefined> {
  const text = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    (reply) => reply.text(),
    () => "",
  );
  return new RegExp(`^${metric}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1];
}

function certificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "autoai-metrics-adapter-"));
  const [keyFile, certFile] = [join(folder, "key"), join(folder, "cert")];
  try {
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-days", "1", "-subj", `/CN=${NAME}`, "-keyout", keyFile, "-out", certFile],
      ],
      { stdio: "ignore" },
    );
    return { key: readFileSync(keyFile), cert: readFileSync(certFile) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
