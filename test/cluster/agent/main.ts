/**
 * What a network plugin and a storage provisioner do on other clusters, for the node of the test cluster.
 *   main.ts RUN-DIRECTORY
 * Enforces NetworkPolicies from the moment a pod has its address: the CNI plugin beside this file writes
 * sandboxes/<id> ("address namespace name") and holds the pod back until <id>.enforced is there.
 * Makes a directory for every claim of the storage class `standard`, which pods on the node may share.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { mirror, type Stored } from "./mirror.ts";
import { type Endpoint, type Labels, type Policy, ruleset } from "./policies.ts";
import { type Claim, type Volume, volumeKeeper } from "./volumes.ts";

const [, , run] = process.argv;
if (run === undefined) throw new Error("expected the cluster's run directory as the argument");
const sandboxes = join(run, "sandboxes");
mkdirSync(sandboxes, { recursive: true });

type Pod = Stored & {
  readonly spec: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly containers: readonly { readonly ports?: Endpoint["ports"] }[];
  };
};

/** Does one thing at a time, and again when it was asked for meanwhile. */
function coalesced(work: () => Promise<void>): () => void {
  let wanted = false;
  let running = false;
  return () => {
    wanted = true;
    if (running) return;
    running = true;
    void (async () => {
      while (wanted) {
        wanted = false;
        try {
          await work();
        } catch (error) {
          console.error(String(error));
          wanted = true;
          await sleep(500);
        }
      }
      running = false;
    })();
  };
}

function nft(rules: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile("nft", ["-f", "-"], (error, _out, errors) =>
      error === null ? resolve() : reject(new Error(`nft refused the rules: ${errors}\n${rules}`)),
    );
    child.stdin?.end(rules);
  });
}

async function readRaw(path: string): Promise<string> {
  const answer = await promisify(execFile)(
    "kubectl",
    ["get", "--kubeconfig", join(run ?? "", "kubeconfig"), "--raw", path],
    {
      maxBuffer: 1 << 30,
    },
  );
  return answer.stdout;
}

const kubeconfig = new KubeConfig();
kubeconfig.loadFromFile(join(run, "kubeconfig"));
const core = kubeconfig.makeApiClient(CoreV1Api);

/** What the plugin wrote of a pod; nothing where it was taken away meanwhile. */
function readSandbox(id: string): string {
  try {
    return readFileSync(join(sandboxes, id), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

const enforce = coalesced(async () => {
  const files = readdirSync(sandboxes);
  const byName = new Map(
    [...pods.values()].map((pod) => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod]),
  );
  const enforced: string[] = [];
  const endpoints: Endpoint[] = [];
  for (const id of files.filter((file) => !file.includes("."))) {
    const [ip = "", namespace = "", name = ""] = readSandbox(id).trim().split(" ");
    const pod = byName.get(`${namespace}/${name}`);
    if (pod === undefined) continue;
    const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
    endpoints.push({ namespace, ip, labels: pod.metadata.labels ?? {}, ports });
    if (!files.includes(`${id}.enforced`)) enforced.push(id);
  }
  await nft(
    ruleset("autoai_policies", {
      pods: endpoints,
      namespaces: new Map(
        [...namespaces.values()].map(
          ({ metadata }) => [metadata.name, metadata.labels ?? {}] as [string, Labels],
        ),
      ),
      policies: [...policies.values()].map(({ metadata, spec }) => ({
        ...spec,
        namespace: metadata.namespace ?? "",
      })),
    }),
  );
  for (const id of enforced) writeFileSync(join(sandboxes, `${id}.enforced`), "");
});

const volumes = coalesced(() => keepVolumes([...claims.values()], [...persistent.values()]));
const keepVolumes = volumeKeeper(core, join(run, "volumes"));

let ready = false;
const changed = (what: () => void) => () => {
  if (ready) what();
};
const [pods, namespaces, policies, claims, persistent] = await Promise.all([
  // Pods of nodes that only seem to be there (bench/cluster) have no sandbox, and come by the thousand.
  mirror<Pod>(
    kubeconfig,
    readRaw,
    "/api/v1/pods",
    changed(enforce),
    ({ spec }) => !spec.nodeName?.startsWith("kwok-"),
  ),
  mirror<Stored>(kubeconfig, readRaw, "/api/v1/namespaces", changed(enforce)),
  mirror<Stored & { readonly spec: Omit<Policy, "namespace"> }>(
    kubeconfig,
    readRaw,
    "/apis/networking.k8s.io/v1/networkpolicies",
    changed(enforce),
  ),
  mirror<Claim>(
    kubeconfig,
    readRaw,
    "/api/v1/persistentvolumeclaims",
    changed(() => volumes()),
  ),
  mirror<Volume>(
    kubeconfig,
    readRaw,
    "/api/v1/persistentvolumes",
    changed(() => volumes()),
  ),
]);
ready = true;
enforce();
volumes();
watch(sandboxes, (_event, file) => {
  if (file?.includes(".") === false) enforce();
});
console.log("watching pods, namespaces, NetworkPolicies and claims");
