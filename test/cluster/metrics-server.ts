/** metrics-server, from which the cluster's autoscaler has the processors and the memory that pods use; on this machine, beside its node. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "../chart/helm.ts";
import { apiService, hostAddress } from "./api-service.ts";
import { type Cluster, eventually } from "./cluster.ts";

/** Above the range of ports that are given to whoever asks for any. */
const PORT = 61_443;

/** Serves until it is disposed of. */
export async function metricsServer(cluster: Cluster, namespace: string): Promise<AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), "autoai-metrics-server-"));
  const child = spawn(
    program("metrics-server"),
    [
      ...["--kubeconfig", cluster.kubeconfig],
      ...[
        "--authentication-kubeconfig",
        cluster.kubeconfig,
        "--authorization-kubeconfig",
        cluster.kubeconfig,
      ],
      ...["--bind-address", hostAddress(), "--secure-port", String(PORT), "--cert-dir", folder],
      ...["--kubelet-insecure-tls", "--kubelet-preferred-address-types", "InternalIP"],
      // The shortest that it takes, and less for one answer of the kubelet.
      ...["--metric-resolution", "10s", "--kubelet-request-timeout", "5s"],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said = `${said}${text}`.slice(-2_000);
  });
  const ended = once(child, "exit");
  const end = async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const about = { name: "metrics-server", group: "metrics.k8s.io", version: "v1beta1", port: PORT };
    const service = await apiService(cluster, namespace, about);
    await eventually("figures of metrics-server", 60, async () => {
      if (child.exitCode !== null) throw new Error("metrics-server has ended");
      return (await cluster.run(["top", "pods", "-n", namespace])).code === 0;
    });
    return {
      async [Symbol.asyncDispose]() {
        await service[Symbol.asyncDispose]();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw new Error(`${(error as Error).message}; it said: ${said}`, { cause: error });
  }
}
