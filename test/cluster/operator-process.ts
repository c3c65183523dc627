/** The operator as a process of this machine, against the cluster: with a store of its own there, reached by kubectl port-forward. */
import { type ChildProcess, spawn } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { image } from "./choice.ts";
import { type Cluster, eventually } from "./cluster.ts";
import { STORE_PORT, storePod } from "./minio-pod.ts";
import { forwarded } from "./store.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const KEYS = { accessKey: "tester-access", secretKey: "tester-secret-key" };

export type Store = { readonly endpoint: string; readonly stop: () => void };

/** A MinIO pod in the namespace. Its endpoint is for this machine: tool pods do not reach it. */
export async function storeIn(cluster: Cluster, namespace: string): Promise<Store> {
  await cluster.apply(storePod(namespace, KEYS));
  await cluster.kubectl("wait", "-n", namespace, "pod/store", "--for=condition=Ready", "--timeout=120s");
  const { port, close } = await forwarded(cluster, namespace, "pod/store", STORE_PORT);
  return { endpoint: `http://127.0.0.1:${port}`, stop: close };
}

export type OperatorProcess = {
  readonly child: ChildProcess;
  readonly port: number;
  /** Lines of its log so far. */
  readonly log: readonly Record<string, unknown>[];
  /** Value of a metric without labels; undefined where it does not answer. */
  metric(name: string): Promise<number | undefined>;
  isReady(): Promise<boolean>;
  readonly exited: Promise<number | null>;
};

export type OperatorSettings = {
  readonly identity: string;
  readonly namespace: string;
  readonly store: Store;
  readonly env?: Readonly<Record<string, string>>;
  /** Of another tree than this one. */
  readonly directory?: string;
};

/** Resolves once it is ready. */
export async function startOperator(cluster: Cluster, settings: OperatorSettings): Promise<OperatorProcess> {
  const { identity } = settings;
  const operator = await spawnOperator(cluster, settings);
  await eventually(`operator ${identity} to be ready`, 60, async () => {
    const { exitCode } = operator.child;
    if (exitCode !== null) throw new Error(`operator ${identity} ended with ${exitCode}`);
    return operator.isReady();
  });
  return operator;
}

/** Resolves once it was started, whatever becomes of it. */
export async function spawnOperator(cluster: Cluster, settings: OperatorSettings): Promise<OperatorProcess> {
  const { identity, namespace, store, directory = root } = settings;
  const port = await freePort();
  const child = spawn(process.execPath, ["operator/main.ts"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      KUBECONFIG: cluster.kubeconfig,
      AUTOAI_WATCH_NAMESPACES: namespace,
      AUTOAI_NAMESPACE: namespace,
      AUTOAI_IDENTITY: identity,
      AUTOAI_HTTP_PORT: String(port),
      AUTOAI_STORE_ENDPOINT: store.endpoint,
      AUTOAI_STORE_ACCESS_KEY: KEYS.accessKey,
      AUTOAI_STORE_SECRET_KEY: KEYS.secretKey,
      AUTOAI_RUNNER_IMAGE: image("runner"),
      AUTOAI_ARTIFACTS: "Delete",
      ...settings.env,
    },
  });
  const log: Record<string, unknown>[] = [];
  createInterface(child.stdout).on("line", (line) => {
    // The last one of a process that was killed may not be whole.
    if (line.endsWith("}")) log.push(JSON.parse(line) as Record<string, unknown>);
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  /** A process that stands still does not answer. */
  const ask = (path: string): Promise<Response | undefined> =>
    fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  const metric = async (name: string): Promise<number | undefined> => {
    const text = await (await ask("/metrics"))?.text().catch(() => "");
    const value = new RegExp(`^${name} (.*)$`, "m").exec(text ?? "")?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const isReady = async (): Promise<boolean> => (await ask("/readyz"))?.ok ?? false;
  return { child, port, log, metric, isReady, exited };
}

/** A port that nobody listened on a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
