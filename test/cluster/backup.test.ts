/**
 * A cluster is lost with its store, and brought back by the commands of docs/backup.md, which are read out of it and run as they stand there:
 * the job that was in flight goes on, and the model that was served is served again.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { find, Journal } from "../../operator/agent/journal.ts";
import type { JournalEntry } from "../../operator/api/journal.ts";
import { ORIGIN } from "../../operator/api/origin.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { type Raw, Reflector } from "../../operator/cluster/kubernetes/reflector.ts";
import { jobPrefix, journalPrefix } from "../../operator/evaluation/context.ts";
import { archiveIn, environmentLockKey } from "../../operator/sandbox/environment-keys.ts";
import { FileStore } from "../../operator/storage/file-store.ts";
import type { S3Store } from "../../operator/storage/minio.ts";
import { ROOT } from "../builders/model-package.ts";
import { apiOf } from "./api.ts";
import { eventually, withCluster } from "./cluster.ts";
import { simulateGemini } from "./gemini.ts";
import { plant } from "./planted.ts";
import { artifactStore } from "./store.ts";

const KINDS = ["datasets", "trainingjobs", "modeldeployments"] as const;
/** As `make restore` says. Lost after a step of the agent, and followed to the job's end; else lost before the first, and followed until it is gone on. */
const WHOLE = process.env.AUTOAI_RESTORE === "whole";
const cluster = withCluster();

// biome-ignore lint/suspicious/noExplicitAny: objects as they stand
type Json = any;

/** The commands below a heading of the document. */
function commandsOf(heading: string): string[] {
  const text = readFileSync(join(ROOT, "docs", "backup.md"), "utf8");
  const section = new RegExp(`^## ${heading}\\n([\\s\\S]*?)(?=^## )`, "m").exec(text)?.[1] ?? "";
  const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block);
  expect(blocks, `commands below "${heading}"`).not.toEqual([]);
  return blocks;
}

/** Losing a cluster is done to this machine's own alone. */
describe.runIf(cluster.own)("a cluster that was lost with its store", () => {
  const folder = mkdtempSync(join(tmpdir(), "backup-"));
  let namespace = "";
  let closeStore = () => {};
  let gemini = "";

  /** Not by kubectl: it is asked often. */
  const api = apiOf(cluster);
  const read = (kind: string, name: string) =>
    api.find<Json>(`/apis/autoai.dev/v1alpha1/namespaces/${namespace}/${kind}/${name}`);
  const address = (where: string, name: string) =>
    cluster.kubectl("get", "service", name, "-n", where, "-o", "jsonpath={.spec.clusterIP}");
  const asked = async () => ((await (await fetch(`${gemini}/requests`)).json()) as unknown[]).length;

  /** Of the store as it is now, until the cluster is lost. */
  async function storeNow(): Promise<S3Store> {
    const { store, close } = await artifactStore(cluster);
    closeStore();
    closeStore = close;
    return store;
  }
  const entriesOf = async (store: S3Store, name: string): Promise<readonly JournalEntry[]> => {
    const job = TrainingJob.parse(await read("trainingjobs", name));
    return (await Journal.load(store, journalPrefix(job), { now: Date.now }, 0)).entries;
  };

  /** Runs commands of the document where the chart is, as an administrator would in one shell, and ends what they leave running. */
  async function follow(...commands: string[]): Promise<void> {
    const helm = (
      await promisify(execFile)(join(ROOT, "test/cluster/build"), ["--directory", "helm"])
    ).stdout.trim();
    const script = ["set -euo pipefail", "trap 'kill $(jobs -p) || true' EXIT", ...commands].join("\n");
    await promisify(execFile)("bash", ["-c", script], {
      cwd: folder,
      env: {
        ...process.env,
        // rclone takes it for the store too, and does not know what to do with it.
        AWS_CA_BUNDLE: undefined,
        PATH: [dirname(cluster.program), helm, process.env.PATH].join(":"),
        ...(cluster.kubeconfig === undefined ? {} : { KUBECONFIG: cluster.kubeconfig }),
      },
    });
  }

  /** As a fire would: nobody is told, and the operator does not clean up. */
  async function lose(): Promise<void> {
    await cluster.operator("absent");
    const { stdout: helm } = await promisify(execFile)(join(ROOT, "test/cluster/build"), [
      "--directory",
      "helm",
    ]);
    await promisify(execFile)(
      join(helm.trim(), "helm"),
      ["uninstall", "autoai", "-n", "autoai-system", "--wait"],
      { env: { ...process.env, ...(cluster.kubeconfig && { KUBECONFIG: cluster.kubeconfig }) } },
    );
    for (const kind of KINDS) {
      const names = await cluster.kubectl("get", kind, "-n", namespace, "-o", "name");
      for (const name of names.split("\n").filter(Boolean))
        await cluster.kubectl(
          ...["patch", name, "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}'],
        );
    }
    const gone = ["--wait", "--timeout=120s", "--ignore-not-found"];
    await cluster.kubectl("delete", "pods", "--all", "-n", namespace, "--force", "--grace-period=0");
    await cluster.kubectl("delete", "namespace", namespace, "autoai-system", ...gone);
    await cluster.kubectl("delete", "crd", ...KINDS.map((kind) => `${kind}.autoai.dev`), ...gone);
  }

  /** What the served model says, with its digest. */
  async function predicted(): Promise<unknown> {
    const url = `http://${await address(namespace, "served")}/predict`;
    return eventually("an answer of the served model", 60, async () => {
      const reply = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ rows: [{ ask: "nothing" }, { ask: "something" }] }),
      }).catch(() => undefined);
      if (!reply?.ok) return undefined;
      const { predictions, model } = (await reply.json()) as { predictions: number[]; model: Json };
      return { predictions, digest: model.digest };
    });
  }
  const isServed = () =>
    eventually("the model to be served", 120, async () => {
      const found = await read("modeldeployments", "served");
      const isReady = found?.status?.conditions?.some(
        ({ type, status }: Json) => type === "Ready" && status === "True",
      );
      return isReady && found.status.modelDigest;
    });

  beforeAll(async () => {
    symlinkSync(join(ROOT, "charts"), join(folder, "charts"));
    await cluster.operator("running");
    namespace = await cluster.namespace("backup", { team: "churn" });
    await simulateGemini(cluster, "success");
    gemini = `http://${await address("gemini-simulator", "gemini")}:8080`;
    const rows = readFileSync(join(ROOT, "examples/data/churn.csv"), "utf8").split("\n").slice(0, 301);
    const metadata = (name: string) => ({ name, namespace });
    await cluster.apply(
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: metadata("rows"),
        data: { "rows.csv": `${rows.join("\n")}\n` },
      },
      { apiVersion: "v1", kind: "Secret", metadata: metadata("gemini"), stringData: { apiKey: "any-key" } },
      {
        apiVersion: "autoai.dev/v1alpha1",
        kind: "Dataset",
        metadata: metadata("rows"),
        spec: { source: { configMapKeyRef: { name: "rows", key: "rows.csv" } } },
      },
      {
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: metadata("flight"),
        spec: {
          dataset: { datasetRef: { name: "rows" } },
          target: "Churn",
          evaluation: { method: "Holdout" },
          budget: { maxSeconds: 1200 },
          llm: { provider: "Gemini", apiKeySecretRef: { name: "gemini", key: "apiKey" } },
        },
      },
    );
  }, 300_000);
  afterAll(() => {
    closeStore();
    rmSync(folder, { recursive: true, force: true });
  });

  test("comes back by the document's commands: no step is run and no reply paid for again, and the same model answers", {
    timeout: 600_000,
  }, async () => {
    const { store, close } = await artifactStore(cluster);
    closeStore = close;
    const digest = await eventually(
      "the job's environment",
      240,
      async () => find(await entriesOf(store, "flight"), "DatasetPrepared")?.environment,
    );
    const lock = await store.get(environmentLockKey(namespace, digest));
    const archive = await archiveIn(store, namespace, digest);
    const environment = { digest, lock, ...(archive === undefined ? {} : { archive }) };
    const model = await plant(cluster, store, namespace, environment, { name: "planted", value: 7 });
    await cluster.apply({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name: "served", namespace },
      spec: { modelRef: { trainingJob: "planted" }, resources: { cpu: "300m", memory: "768Mi" } },
    });
    expect(await isServed()).toBe(model);
    const answer = await predicted();
    expect(answer).toEqual({ predictions: [7, 7], digest: model });
    await eventually("the job to be under way", 240, async () =>
      (await entriesOf(store, "flight")).some(
        ({ type }) => type === (WHOLE ? "ToolFinished" : "CandidateVerified"),
      ),
    );
    const job = TrainingJob.parse(await read("trainingjobs", "flight"));
    const dataset = await read("datasets", "rows");
    close();

    await follow(...commandsOf("Reach the store"), ...commandsOf("Back up"));
    await lose();
    const before = await asked();

    const [install = "", ...bring] = commandsOf("Restore");
    await follow(install);
    expect(await cluster.run(["get", "trainingjobs", "-A", "-o", "name"])).toMatchObject({ out: "" });
    const made = new Set<string>();
    // A watch of a namespace may begin before there is the namespace.
    const pods = new Reflector<Raw>({
      api,
      path: `/api/v1/namespaces/${namespace}/pods`,
      onChange: (_, current) => current && made.add(current.metadata.name),
      timings: { relistSeconds: 3600, firstBackoffSeconds: 0.2, longestBackoffSeconds: 0.2 },
    });
    pods.start();
    await follow(...commandsOf("Reach the store"), ...bring);

    const saved = new FileStore(join(folder, "backup/store"));
    const { entries: written } = await Journal.load(saved, journalPrefix(job), { now: Date.now }, 0);
    expect(written.length).toBeGreaterThan(1);
    expect(written.at(-1)?.type).not.toBe("JobFinished");
    const restoredStore = await storeNow();
    const restored = await eventually("the job to go on", 300, async () => {
      const found = TrainingJob.parse(await read("trainingjobs", "flight"));
      const isFurther = WHOLE
        ? found.status?.state === "READY"
        : (await entriesOf(restoredStore, "flight")).length > written.length;
      return isFurther ? found : undefined;
    });
    await pods.stop();

    // It is the same job, under another uid, and what it had written stands.
    expect(restored.metadata.uid).not.toBe(job.metadata.uid);
    expect(restored.metadata.annotations?.[ORIGIN]).toBe(job.metadata.uid);
    const entries = await entriesOf(restoredStore, "flight");
    expect(entries.slice(0, written.length)).toEqual(written);
    const replies = (of: readonly { type: string }[]) =>
      of.filter(({ type }) => type === "ReplyReceived").length;
    if (WHOLE) expect((await asked()) - before).toBe(replies(entries) - replies(written));
    // No pod was made of an execution that had ended, and none of the data set, nor of the job that was over.
    const ended = (await saved.list(`${jobPrefix(job)}/executions/`)).flatMap(
      (key) => /\/executions\/([^/]+)\/outcome\.json$/.exec(key)?.[1] ?? [],
    );
    const steps = [...made].flatMap((name) => /^flight-[0-9a-f]{8}-(.*)$/.exec(name)?.[1] ?? []);
    expect(ended.length).toBeGreaterThan(2);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.filter((step) => ended.some((label) => label.slice(0, 22) === step))).toEqual([]);
    expect([...made].filter((name) => /^(rows|planted)-/.test(name))).toEqual([]);

    expect((await read("datasets", "rows")).status.sha256).toBe(dataset.status.sha256);
    expect((await read("trainingjobs", "planted")).status).toMatchObject({
      state: "READY",
      model: { digest: model },
    });
    expect(await isServed()).toBe(model);
    expect(await predicted()).toEqual(answer);
    const labels = JSON.parse(await cluster.kubectl("get", "namespace", namespace, "-o", "json")).metadata
      .labels;
    expect(labels).toMatchObject({ team: "churn", "pod-security.kubernetes.io/enforce": "restricted" });
  });
});
