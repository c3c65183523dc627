/**
 * Where the load's pods are: on nodes of KWOK in the cluster of the tests, or in the API server in memory (test/fakes), where there is
 * no cluster. Neither runs code: test/fakes/instant-courier.ts leaves in the store what a courier would.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { ApiServer } from "../../../operator/cluster/kubernetes/api-server.ts";
import { Reflector } from "../../../operator/cluster/kubernetes/reflector.ts";
import { deliver } from "../../../test/fakes/instant-courier.ts";
import { PODS, runPods } from "../../../test/fakes/instant-nodes.ts";
import { KubernetesApi } from "../../../test/fakes/kubernetes-api.ts";

const ROOT = join(import.meta.dirname, "../../..");
const NODES = 10;
/** Couriers at once. */
const COURIERS = 32;

export type Plane = {
  readonly name: string;
  readonly api: ApiServer;
  readonly kubeconfig: string;
  /** For the operator: where its tool pods go. */
  readonly env: Readonly<Record<string, string>>;
  /** Sees to it that tool pods of a namespace end; tells of each by name. */
  serve(
    namespace: string,
    onPod: (name: string) => void,
    onFailure: (error: unknown) => void,
  ): Promise<() => void>;
  close(): Promise<void>;
};

export async function inMemory(folder: string): Promise<Plane> {
  const served = await KubernetesApi.start();
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, served.config().exportConfig());
  return {
    name: "the API server in memory, in the process of the bench",
    api: new ApiServer(served.config()),
    kubeconfig,
    env: {},
    serve: async (_namespace, onPod, onFailure) => {
      served.onChange(({ type, collection, object }) => {
        if (type === "ADDED" && collection === PODS) onPod(object.metadata.name);
      });
      runPods(served, { onFailure });
      return () => undefined;
    },
    close: () => served.close(),
  };
}

export async function onKwok(folder: string, kubeconfig: string): Promise<Plane> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = new ApiServer(config);
  const build = join(ROOT, "test/cluster/build");
  execFileSync(build, ["kwok"], { stdio: "inherit" });
  const program = execFileSync(build, ["--directory", "kwok"], { encoding: "utf8" }).trim();
  for (let number = 0; number < NODES; number++) {
    // Of a bench that was killed.
    await api.request("DELETE", `/api/v1/nodes/kwok-${number}`).catch(() => undefined);
    await api.request("POST", "/api/v1/nodes", { body: node(number) });
  }
  const log = openSync(join(folder, "kwok.log"), "w");
  const kwok: ChildProcess = spawn(
    join(program, "kwok"),
    [
      ...["--kubeconfig", kubeconfig, "--config", join(import.meta.dirname, "stages.yaml")],
      ...["--manage-all-nodes=false", "--manage-nodes-with-label-selector=type=kwok", "--cidr=198.18.0.0/16"],
      // Without leases the nodes are taken for gone after a minute, and their pods are evicted.
      "--node-lease-duration-seconds=40",
    ],
    { stdio: ["ignore", log, log] },
  );
  // However the bench ends: what is left of it keeps the cluster from ending.
  process.once("exit", () => kwok.kill("SIGKILL"));
  kwok.once(
    "exit",
    (code) => code !== null && code !== 0 && console.error(`kwok ended with ${code}: ${folder}/kwok.log`),
  );
  return {
    name: `${NODES} nodes of KWOK in the cluster of the tests`,
    api,
    kubeconfig,
    env: {
      AUTOAI_POD_NODE_SELECTOR: '{"type":"kwok"}',
      AUTOAI_POD_TOLERATIONS: '[{"key":"kwok.x-k8s.io/node","operator":"Exists"}]',
    },
    serve: async (namespace, onPod, onFailure) => serve(api, namespace, onPod, onFailure),
    close: async () => {
      kwok.kill();
      for (let number = 0; number < NODES; number++)
        await api.request("DELETE", `/api/v1/nodes/kwok-${number}`).catch(() => undefined);
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: pods as the API server writes them
type Pod = any;

async function serve(
  api: ApiServer,
  namespace: string,
  onPod: (name: string) => void,
  onFailure: (error: unknown) => void,
): Promise<() => void> {
  const waiting: Pod[] = [];
  let busy = 0;
  const next = (): void => {
    if (busy >= COURIERS) return;
    const pod = waiting.shift();
    if (!pod) return;
    busy++;
    void deliver(pod)
      .catch(onFailure)
      .finally(() => {
        busy--;
        next();
      });
  };
  const reflector = new Reflector<Pod>({
    api,
    path: `/api/v1/namespaces/${namespace}/pods`,
    onChange: (_key, current, previous) => {
      if (current && !previous) onPod(current.metadata.name);
      if (current?.status?.phase !== "Running" || previous?.status?.phase === "Running") return;
      waiting.push(current);
      next();
    },
  });
  reflector.start();
  await reflector.ready;
  return () => void reflector.stop();
}

function node(number: number): unknown {
  const room = { cpu: "2000", memory: "8Ti", pods: "2000", "ephemeral-storage": "100Ti" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: `kwok-${number}`,
      labels: { type: "kwok", "kubernetes.io/hostname": `kwok-${number}` },
      annotations: { "kwok.x-k8s.io/node": "fake" },
    },
    spec: { taints: [{ key: "kwok.x-k8s.io/node", value: "fake", effect: "NoSchedule" }] },
    status: { allocatable: room, capacity: room },
  };
}
