/** The installed operator's store, from outside of the cluster: by its Secret, through a forwarded port. */
import { spawn } from "node:child_process";
import { S3Store } from "../../operator/storage/minio.ts";
import type { Cluster } from "./cluster.ts";
import { STORE_PORT } from "./minio-pod.ts";

/** `close` ends the forwarding. */
export async function artifactStore(cluster: Cluster): Promise<{ store: S3Store; close: () => void }> {
  const secret = async (key: string) => {
    const encoded = await cluster.kubectl(
      ...["get", "secret", "-n", "autoai-system", "autoai-store", "-o", `jsonpath={.data.${key}}`],
    );
    return Buffer.from(encoded, "base64").toString("utf8");
  };
  const { port, close } = await forwarded(cluster, "autoai-system", "service/autoai-minio", 9000);
  const store = new S3Store({
    endpoint: `http://127.0.0.1:${port}`,
    bucket: "autoai",
    region: "us-east-1",
    accessKey: await secret("accessKey"),
    secretKey: await secret("secretKey"),
  });
  return { store, close };
}

/**
 * Where this process reaches the pod `store` of a namespace: undefined where that is the address of the pod, as on a node of this machine's
 * own; elsewhere a forwarded port. `close` ends the forwarding.
 */
export async function storeHere(
  cluster: Cluster,
  namespace: string,
): Promise<{ endpoint: string | undefined; close: () => void }> {
  if (cluster.own) return { endpoint: undefined, close: () => undefined };
  const { port, close } = await forwarded(cluster, namespace, "pod/store", STORE_PORT);
  return { endpoint: `http://127.0.0.1:${port}`, close };
}

/** A port of this machine that leads to one of something in the cluster. `close` ends that. */
export async function forwarded(
  cluster: Cluster,
  namespace: string,
  to: string,
  portThere: number,
): Promise<{ port: string; close: () => void }> {
  const forward = spawn(cluster.program, [
    ...cluster.flags,
    ...["port-forward", "-n", namespace, to, `:${portThere}`, "--address", "127.0.0.1"],
  ]);
  const port = await new Promise<string>((resolve, reject) => {
    let said = "";
    const hear = (chunk: Buffer) => {
      said += chunk.toString("utf8");
      const found = /127\.0\.0\.1:(\d+) ->/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    };
    forward.stdout.on("data", hear);
    forward.stderr.on("data", hear);
    forward.once("error", reject);
    forward.once("exit", () => reject(new Error(`kubectl port-forward ended: ${said}`)));
  });
  return { port, close: () => forward.kill() };
}
