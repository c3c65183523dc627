/**
 * What a step costs in a cluster: from the tool call to its result, less the code's own time, beside a bare pod that echoes.
 *
 * Run by `make bench-cluster`. Both in turn, one pod at a time: the bare pod, the step with its environment on a claim, and the
 * step whose environment comes from the store. The executor is the operator's own, in this process; pods, store and API server are
 * those of the cluster of the tests.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import type { Execution } from "../../operator/sandbox/executor.ts";
import type { PodView } from "../../operator/sandbox/pods/pods.ts";
import { type Bench, executorOn } from "../../test/cluster/executor.ts";
import { CLAIM, echoPod, STORE_KEYS, surroundings } from "./manifests.ts";
import { type Round, writeResults } from "./table.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MIB = 1024 ** 2;
const { values } = parseArgs({ options: { rounds: { type: "string", default: "10" } } });
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error("expected --rounds of 1 or more, whole");

const kubectl = async (...args: string[]): Promise<string> => {
  const directory = (
    await promisify(execFile)(join(ROOT, "test/cluster/build"), ["--directory", "kubernetes"])
  ).stdout;
  return (await promisify(execFile)(join(directory.trim(), "kubectl"), args)).stdout;
};
const seconds = (since: number): number => (performance.now() - since) / 1000;

/** Requests of ours that were answered, watches aside. */
let requests = 0;
const api = ApiServer.fromEnvironment((verb) => {
  if (verb !== "WATCH") requests++;
});
const namespace = `bench-${randomBytes(3).toString("hex")}`;
const phases = new Map<string, (view: PodView) => void>();

async function prepare(): Promise<{ bench: Bench; environment: string }> {
  for (const manifest of surroundings(namespace)) {
    const { kind, path } = manifest;
    process.stderr.write(`bench-cluster: making ${kind} in ${namespace}\n`);
    await api.request("POST", path, { body: manifest.body });
    // Pods are refused until their namespace has its account.
    if (kind === "Namespace")
      await kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default", "--timeout=30s");
  }
  await kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/store", "--timeout=180s");
  const address = await kubectl("get", "pod", "store", "-n", namespace, "-o", "jsonpath={.status.podIP}");
  const bench = await executorOn({
    api,
    namespace,
    storeAddress: address,
    keys: STORE_KEYS,
    environmentsClaim: async () => (onClaim ? CLAIM : undefined),
    // The executor would remove a bare pod that ended.
    isOurs: ({ name }) => !name.startsWith("echo-"),
    onChange: (view) => phases.get(view.name)?.(view),
  });
  let environment = "";
  for (onClaim of [true, false]) {
    process.stderr.write(
      `bench-cluster: installing the environment ${onClaim ? "on the claim" : "into the store"}\n`,
    );
    environment = (await bench.finish(installation(onClaim ? "claim" : "store"))).environment ?? "";
  }
  return { bench, environment };
}

/** Whether pods of the next executions find environments on the claim. */
let onClaim = true;

const common = (name: string) => ({
  name,
  owner: `${namespace}/${name}`,
  outcomeKey: `bench/${name}/outcome.json`,
  inputs: {},
  outputs: {},
});

function installation(name: string): Execution {
  const limits = { seconds: 900, cpus: 2, memoryBytes: 2048 * MIB, diskBytes: 4096 * MIB, processes: 64 };
  return { kind: "Install", ...common(`install-${name}`), limits, packages: [] };
}

async function step({ finish }: Bench, name: string, environment: string): Promise<Round> {
  const limits = { seconds: 120, cpus: 1, memoryBytes: 1024 * MIB, diskBytes: 256 * MIB, processes: 64 };
  const command = ["-c", "import pandas, sklearn; print('done')"];
  const load = loadavg()[0] ?? 0;
  const before = requests;
  const start = performance.now();
  const outcome = await finish({ kind: "Sandboxed", ...common(name), limits, command, environment });
  const wall = seconds(start);
  if (outcome.exitCode !== 0) throw new Error(`${name} ended with ${JSON.stringify(outcome)}`);
  return { seconds: wall - outcome.seconds, own: outcome.seconds, requests: requests - before, load };
}

async function echo(name: string): Promise<Round> {
  const load = loadavg()[0] ?? 0;
  const start = performance.now();
  const succeeded = new Promise<number>((done) =>
    phases.set(name, (view) => {
      if (view.phase === "Succeeded") done(seconds(start));
    }),
  );
  await api.request("POST", `/api/v1/namespaces/${namespace}/pods`, { body: echoPod(namespace, name) });
  const wall = await succeeded;
  phases.delete(name);
  await api.request("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}`, {
    body: { gracePeriodSeconds: 0 },
  });
  return { seconds: wall, own: 0, requests: 2, load };
}

try {
  const { bench, environment } = await prepare();
  const results: Record<"echo" | "claim" | "store", Round[]> = { echo: [], claim: [], store: [] };
  for (let round = 0; round <= rounds; round++) {
    const bare = await echo(`echo-${round}`);
    onClaim = true;
    const claim = await step(bench, `claim-${round}`, environment);
    onClaim = false;
    const store = await step(bench, `store-${round}`, environment);
    // The first round fills caches of the node.
    if (round === 0) continue;
    results.echo.push(bare);
    results.claim.push(claim);
    results.store.push(store);
    process.stderr.write(`bench-cluster: round ${round} of ${rounds}\n`);
  }
  console.log(writeResults(ROOT, results));
  await bench.close();
} finally {
  await kubectl("delete", "namespace", namespace, "--wait=false");
}
process.exit(0);
