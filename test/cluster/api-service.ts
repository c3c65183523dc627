/** Parts of the API that a program of this machine serves, where the cluster's API server finds it. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";

/** Of this machine, as its own node sees it. */
export function hostAddress(): string {
  const settings = join(import.meta.dirname, "settings");
  return execFileSync("bash", ["-c", `source "${settings}" && echo -n "$host_ip"`], { encoding: "utf8" });
}

/** A group and version of the API is what answers over HTTPS at the port, until it is disposed of. */
export async function apiService(
  cluster: Cluster,
  namespace: string,
  { name, group, version, port }: { name: string; group: string; version: string; port: number },
): Promise<AsyncDisposable> {
  const metadata = { name, namespace };
  await cluster.apply(
    { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 443 }] } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "", port }],
      endpoints: [{ addresses: [hostAddress()] }],
    },
    {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: `${version}.${group}` },
      spec: {
        ...{ group, version, groupPriorityMinimum: 100, versionPriority: 100 },
        service: { name, namespace },
        insecureSkipTLSVerify: true,
      },
    },
  );
  return {
    async [Symbol.asyncDispose]() {
      // A group that nobody serves would keep namespaces from going.
      await cluster.kubectl("delete", "apiservice", `${version}.${group}`);
    },
  };
}
