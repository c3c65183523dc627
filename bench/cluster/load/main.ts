/**
 * What many jobs at once cost the operator: its memory and CPU, how long a job that is due waits for a worker and for the API server, and whether every job gets on
 * and none is lost.
 *
 * Run by `make bench-cluster`. The operator is the built one, as a process of this machine; the store is a MinIO beside it, the LLM the
 * scripted one of the tests. Pods are those of planes.ts, which run no code.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Journal } from "../../../operator/agent/journal.ts";
import { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { journalPrefix } from "../../../operator/evaluation/context.ts";
import { type GeminiServer, startGeminiServer } from "../../../test/fakes/gemini-server.ts";
import type { Step } from "../../../test/fakes/gemini-steps.ts";
import { success } from "../../../test/fakes/scripts.ts";
import { findMinio, freePort, type Minio, startMinio } from "../../../test/minio.ts";
import { metricsOf, quantileBound, sampleOf, total } from "./measure.ts";
import { inMemory, onKwok, type Plane } from "./planes.ts";
import { type Run, writeLoad } from "./table.ts";

const ROOT = join(import.meta.dirname, "../../..");
const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "1,10,50,1000" },
    plane: { type: "string", default: "kwok" },
    /** What the scripted LLM does: "model" (writes a program, runs it, saves its model) or "stop" (nothing: the baseline is published). */
    agent: { type: "string", default: "model" },
    /** Arguments for the operator's node, such as --cpu-prof. */
    node: { type: "string", default: "" },
    /** After so long a run is ended as it stands, and its table says so. */
    seconds: { type: "string", default: "3600" },
    keep: { type: "boolean", default: false },
  },
});
const counts = values.jobs.split(",").map(Number);
/** Without any new entry in any journal, a run is given up. */
const STUCK_SECONDS = 300;
const JOBS = "/apis/autoai.dev/v1alpha1";

const say = (text: string): void => void process.stderr.write(`bench-cluster: ${text}\n`);
const folder = mkdtempSync(join(tmpdir(), "autoai-load-"));

/** What has to end with the bench, however that ends. */
const children: ChildProcess[] = [];
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => void minio.close().finally(() => process.exit(1)));

async function run(jobs: number, plane: Plane, minio: Minio, gemini: GeminiServer): Promise<Run> {
  const namespace = `load-${jobs}-${randomBytes(3).toString("hex")}`;
  const { api } = plane;
  await api.request("POST", "/api/v1/namespaces", {
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  });
  await api.request("POST", `/api/v1/namespaces/${namespace}/configmaps`, {
    body: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "rows" },
      data: { "rows.csv": "age,churn\n3,1\n" },
    },
  });
  const pods: string[] = [];
  const failures: unknown[] = [];
  const stopServing = await plane.serve(
    namespace,
    (name) => pods.push(name),
    (error) => failures.push(error),
  );
  const port = await freePort();
  const operator = startOperator({ namespace, port, plane, minio, gemini });
  children.push(operator);
  const pid = operator.pid ?? 0;
  const metrics = async () => metricsOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  for (;;) {
    if (operator.exitCode !== null)
      throw new Error(`the operator ended with ${operator.exitCode}: see ${folder}`);
    const leads = await metrics().then(
      (all) => all.get("autoai_leader") === 1,
      () => false,
    );
    if (leads) break;
    await sleep(200);
  }
  await sleep(2000);
  const idle = sampleOf(pid);
  const asked = gemini.requests.length;
  const begun = performance.now();
  let mostMib = 0;
  const sampler = setInterval(() => {
    // One that has ended is noticed below.
    if (operator.exitCode === null) mostMib = Math.max(mostMib, sampleOf(pid).memoryMib);
  }, 250);
  await apply(plane, namespace, jobs);
  const applied = (performance.now() - begun) / 1000;
  let last = { entries: -1, at: performance.now() };
  let peakQueue = 0;
  let ended = 0;
  for (;;) {
    await sleep(1000);
    const all = await metrics().catch(() => undefined);
    if (operator.exitCode !== null)
      throw new Error(`the operator ended with ${operator.exitCode}: see ${folder}`);
    if (!all) continue;
    ended = total(all, 'autoai_jobs{state="READY"}') + total(all, 'autoai_jobs{state="ERROR"}');
    peakQueue = Math.max(peakQueue, all.get('autoai_queue_depth{kind="TrainingJob"}') ?? 0);
    const entries = total(all, "autoai_reconciles_total") + pods.length;
    if (entries !== last.entries) last = { entries, at: performance.now() };
    if (ended >= jobs || performance.now() - last.at > STUCK_SECONDS * 1000) break;
    if (performance.now() - begun > Number(values.seconds) * 1000) break;
    if (Math.round(performance.now() / 1000) % 10 === 0)
      say(
        `${ended} of ${jobs} jobs have ended; ${pods.length} pods; ${Math.round(mostMib)} MiB at most, now ${heapOf(all)}`,
      );
  }
  const seconds = (performance.now() - begun) / 1000;
  clearInterval(sampler);
  const end = sampleOf(pid);
  const all = await metrics();
  const stories = await journals(plane, minio, namespace);
  if (ended >= jobs) await clear(plane, namespace);
  operator.kill("SIGTERM");
  stopServing();
  if (failures.length > 0) say(`${failures.length} couriers failed, the first: ${failures[0]}`);
  const ready = stories.filter(({ state }) => state === "READY").length;
  const requests = total(all, "autoai_api_requests_total");
  return {
    jobs,
    ended,
    ready,
    lost: jobs - stories.length,
    seconds,
    applied,
    idleMib: idle.memoryMib,
    mostMib,
    cpuSeconds: end.cpuSeconds - idle.cpuSeconds,
    queueP99: quantileBound(all, "autoai_queue_wait_seconds", 'kind="TrainingJob"', 0.99),
    queueP50: quantileBound(all, "autoai_queue_wait_seconds", 'kind="TrainingJob"', 0.5),
    peakQueue,
    reconcileP50: quantileBound(all, "autoai_reconcile_seconds", 'kind="TrainingJob"', 0.5),
    reconcileP99: quantileBound(all, "autoai_reconcile_seconds", 'kind="TrainingJob"', 0.99),
    reconciles: total(all, "autoai_reconciles_total"),
    apiRequests: requests,
    pods: pods.length,
    podsTwice: pods.length - new Set(pods).size,
    replies: gemini.requests.length - asked,
    repliesJournaled: stories.reduce((sum, { replies }) => sum + replies, 0),
    longestGapSeconds: Math.max(0, ...stories.map(({ gap }) => gap)),
    jobSeconds: stories.map(({ took }) => took).sort((one, other) => one - other),
  };
}

/** What V8 says of the operator's memory, in MB. */
function heapOf(metrics: ReadonlyMap<string, number>): string {
  const mb = (name: string): string => ((metrics.get(name) ?? 0) / 1e6).toFixed(0);
  const used = mb("nodejs_heap_size_used_bytes");
  return `resident ${mb("process_resident_memory_bytes")}, heap ${used} of ${mb("nodejs_heap_size_total_bytes")}, external ${mb("nodejs_external_memory_bytes")}`;
}

function startOperator(options: {
  namespace: string;
  port: number;
  plane: Plane;
  minio: Minio;
  gemini: GeminiServer;
}): ChildProcess {
  const { namespace, port, plane, minio, gemini } = options;
  const log = openSync(join(folder, `${namespace}.log`), "w");
  const more = values.node.split(" ").filter((flag) => flag !== "");
  return spawn(process.execPath, [...chartFlags(), ...more, join(ROOT, "dist/operator/main.js")], {
    cwd: folder,
    stdio: ["ignore", log, log],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      KUBECONFIG: plane.kubeconfig,
      AUTOAI_WATCH_NAMESPACES: namespace,
      AUTOAI_NAMESPACE: namespace,
      AUTOAI_IDENTITY: "bench",
      AUTOAI_HTTP_PORT: String(port),
      AUTOAI_STORE_ENDPOINT: minio.options.endpoint,
      AUTOAI_STORE_ACCESS_KEY: minio.options.accessKey,
      AUTOAI_STORE_SECRET_KEY: minio.options.secretKey,
      AUTOAI_RUNNER_IMAGE: "none",
      GEMINI_API_KEY: "any-key",
      AUTOAI_GEMINI_BASE_URL: gemini.url,
      ...plane.env,
    },
  });
}

/** Node's arguments, as the chart has them. */
function chartFlags(): string[] {
  const chart = readFileSync(join(ROOT, "charts/autoai/templates/deployment.yaml"), "utf8");
  const flags = /command: \[node, (.*?), dist\/operator\/main\.js\]/.exec(chart)?.[1];
  if (flags === undefined)
    throw new Error("the chart's Deployment does not start the operator as it is expected to");
  return flags.split(", ");
}

async function apply({ api }: Plane, namespace: string, jobs: number): Promise<void> {
  const names = Array.from({ length: jobs }, (_, number) => `job-${String(number).padStart(4, "0")}`);
  const worker = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const job = TrainingJob.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name },
        spec: { dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } }, target: "churn" },
      });
      await api.request("POST", `${JOBS}/namespaces/${namespace}/trainingjobs`, {
        body: job,
        timeoutSeconds: 60,
      });
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

/** Deletes the jobs while there is an operator to take their finalizers off, and then the namespace. */
async function clear({ api }: Plane, namespace: string): Promise<void> {
  const path = `${JOBS}/namespaces/${namespace}/trainingjobs`;
  const names = await namesOf(api, path);
  const worker = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift())
      await api.request("DELETE", `${path}/${name}`, { timeoutSeconds: 60 });
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  for (let tries = 0; tries < 300 && (await namesOf(api, path)).length > 0; tries++) await sleep(1000);
  await api.request("DELETE", `/api/v1/namespaces/${namespace}`);
}

async function namesOf(api: Plane["api"], path: string): Promise<string[]> {
  const { items } = await api.request<{ items: { metadata: { name: string } }[] }>("GET", path, {
    timeoutSeconds: 60,
  });
  return items.map(({ metadata }) => metadata.name);
}

/** Of each job: its state, the replies in its journal, the longest time between two entries, and how long it took. */
async function journals({ api }: Plane, minio: Minio, namespace: string) {
  const { items } = await api.request<{ items: TrainingJob[] }>(
    "GET",
    `${JOBS}/namespaces/${namespace}/trainingjobs`,
    {
      timeoutSeconds: 60,
    },
  );
  const stories: { state: string; replies: number; gap: number; took: number }[] = [];
  for (const job of items) {
    const { entries } = await Journal.load(minio.store, journalPrefix(job), { now: Date.now }, 0);
    const created = Date.parse(job.metadata.creationTimestamp ?? "");
    const times = [created, ...entries.map(({ at }) => Date.parse(at))];
    const gaps = times.slice(1).map((time, index) => (time - (times[index] ?? time)) / 1000);
    const whole = entries.every(({ sequence }, index) => sequence === index);
    stories.push({
      state: whole && entries.at(-1)?.type === "JobFinished" ? (job.status?.state ?? "") : "unfinished",
      replies: entries.filter(({ type }) => type === "ReplyReceived").length,
      gap: Math.max(0, ...gaps),
      took: ((times.at(-1) ?? created) - created) / 1000,
    });
  }
  return stories;
}

const program = findMinio();
if (program === undefined) throw new Error("MinIO is missing: run test/cluster/build minio");
const kubeconfig = process.env.KUBECONFIG;
if (values.plane === "kwok" && kubeconfig === undefined)
  throw new Error("KUBECONFIG names no cluster: run `make cluster`");
const plane = values.plane === "kwok" ? await onKwok(folder, kubeconfig ?? "") : await inMemory(folder);
const minio = await startMinio(program);
const SCRIPTS: Readonly<Record<string, readonly Step[]>> = { model: success() as readonly Step[], stop: [] };
const steps = SCRIPTS[values.agent];
if (steps === undefined) throw new Error(`expected --agent of ${Object.keys(SCRIPTS).join(" or ")}`);
const runs: Run[] = [];
try {
  for (const jobs of counts) {
    const gemini = await startGeminiServer({ script: ({ turn }) => steps[turn] ?? { text: "Done." } });
    say(`${jobs} jobs at once, on ${plane.name}`);
    runs.push(await run(jobs, plane, minio, gemini));
    say(JSON.stringify({ ...runs.at(-1), jobSeconds: undefined }));
    await gemini.close();
    const table = writeLoad(ROOT, plane.name, values.agent, runs);
    if (jobs === counts.at(-1)) console.log(table);
  }
} finally {
  await minio.close();
  await plane.close();
  if (values.keep) say(`logs are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
