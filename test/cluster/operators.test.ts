/**
 * Several operators, as processes, on a real cluster: each phase of a job loses the operator that leads in its middle, and yet every step was
 * run once. OPERATOR_FAULTS=all has every phase lose it in each of the ways, a job for each way, which takes about ten minutes.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Journal } from "../../operator/agent/journal.ts";
import type { JournalEntry } from "../../operator/api/journal.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { type Raw, Reflector } from "../../operator/cluster/kubernetes/reflector.ts";
import { journalPrefix } from "../../operator/evaluation/context.ts";
import { LABELS, MANAGED_BY } from "../../operator/sandbox/pods/pods.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import { type GeminiServer, startGeminiServer } from "../fakes/gemini-server.ts";
import type { Step } from "../fakes/gemini-steps.ts";
import { success } from "../fakes/scripts.ts";
import { apiOf } from "./api.ts";
import { image } from "./choice.ts";
import { eventually, withCluster } from "./cluster.ts";
import { environmentsClaim, STORE_LABELS, STORE_PORT } from "./minio-pod.ts";
import { KEYS, type OperatorProcess, startOperator, storeIn } from "./operator-process.ts";

/** What happens to the leader. */
type Fault = "killed" | "stopped" | "robbed";

/** Phases in their order: the pod, by the label at the end of its name, or the server of a model, that is made in the middle of each. */
const PHASES = {
  install: /-environment$/,
  intake: /-split$/,
  verification: /-prior-score$/,
  "LLM call": undefined,
  "tool execution": /-s2c0$/,
  publishing: /-reference$/,
  serving: /^deployment /,
} as const;
type Phase = keyof typeof PHASES;
const ALL = Object.keys(PHASES) as Phase[];

/** Being robbed is noticed in two seconds; who is gone is missed after fifteen. */
const MIXED: Readonly<Record<Phase, Fault>> = {
  install: "robbed",
  intake: "robbed",
  verification: "stopped",
  "LLM call": "robbed",
  "tool execution": "killed",
  publishing: "robbed",
  serving: "robbed",
};
const each = (fault: Fault) => Object.fromEntries(ALL.map((phase) => [phase, fault])) as typeof MIXED;
const SCHEDULES: readonly (readonly [string, typeof MIXED])[] =
  process.env.OPERATOR_FAULTS === "all"
    ? [
        ["robbed of its lease", each("robbed")],
        ["killed", each("killed")],
        ["stopped, and goes on when another one leads", each("stopped")],
      ]
    : [["gone, by one fault or another", MIXED]];

type Json = Raw & { readonly spec?: Record<string, unknown>; readonly status?: Record<string, unknown> };

const cluster = withCluster();

const NAME = "with operators that are lost in the middle of each phase";
const WHY = "operators on this machine reach the store by the address at which pods do";
describe.runIf(cluster.own)(cluster.ownOnly(NAME, WHY), () => {
  let namespace = "";
  let endpoint = "";
  let stopForwarding = () => {};
  let gemini: GeminiServer;
  /** Of the test that runs: what it does when the LLM was asked, before the answer. */
  let onAsked: (turn: number) => Promise<void> = async () => undefined;

  beforeAll(async () => {
    await cluster.operator("absent");
    await cluster.kinds();
    namespace = await cluster.namespace("operators");
    await cluster.apply(environmentsClaim(namespace, "environments"));
    const rows = readFileSync(new URL("../../examples/data/churn.csv", import.meta.url), "utf8");
    await cluster.apply({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "rows", namespace },
      data: { "rows.csv": `${rows.split("\n").slice(0, 301).join("\n")}\n` },
    });
    ({ stop: stopForwarding } = await storeIn(cluster, namespace));
    const address = await cluster.kubectl(
      ...["get", "pod", "store", "-n", namespace, "-o", "jsonpath={.status.podIP}"],
    );
    endpoint = `http://${address}:${STORE_PORT}`;
    const steps = success() as readonly Step[];
    gemini = await startGeminiServer({
      script: async ({ turn }) => {
        await onAsked(turn);
        return steps[turn] ?? { text: "Done." };
      },
    });
  });
  afterAll(async () => {
    stopForwarding();
    await gemini?.close();
  });

  test.each(SCHEDULES)(
    "the leader is %s: every step was run once",
    { timeout: 600_000 },
    async (_, schedule) => {
      const operators = new Map<string, OperatorProcess>();
      const start = async (number: number): Promise<void> => {
        const identity = `operator-${number}`;
        operators.set(
          identity,
          await startOperator(cluster, {
            identity,
            namespace,
            store: { endpoint, stop: () => undefined },
            env: {
              AUTOAI_STORE_SELECTOR: JSON.stringify({ namespace, podLabels: STORE_LABELS }),
              AUTOAI_ENVIRONMENTS_CLAIM: "environments",
              AUTOAI_INFERENCE_SERVER_IMAGE: image("inference-server"),
              AUTOAI_INDEX_URL:
                process.env.UV_DEFAULT_INDEX ?? process.env.UV_INDEX_URL ?? process.env.PIP_INDEX_URL ?? "",
              GEMINI_API_KEY: "any-key",
              AUTOAI_GEMINI_BASE_URL: gemini.url,
            },
          }),
        );
      };
      onTestFinished(() => {
        for (const { child } of operators.values()) child.kill("SIGKILL");
      });
      // One for each phase, and one more to end the job.
      await Promise.all(Array.from({ length: ALL.length + 1 }, (_, number) => start(number)));

      const holder = async () =>
        (await cluster.get<Json>("lease", namespace, "autoai-operator"))?.spec?.holderIdentity as
          | string
          | undefined;
      /** The process that leads, by the Lease and by what it says of itself. */
      const leader = () =>
        eventually("an operator to lead", 60, async () => {
          const identity = (await holder()) ?? "";
          const found = operators.get(identity);
          return found && (await found.metric("autoai_leader")) === 1
            ? ([identity, found] as const)
            : undefined;
        });
      const suffered: Phase[] = [];
      async function suffer(phase: Phase): Promise<void> {
        const [identity, operator] = await leader();
        operators.delete(identity);
        switch (schedule[phase]) {
          case "killed":
            operator.child.kill("SIGKILL");
            break;
          case "stopped":
            operator.child.kill("SIGSTOP");
            await leader();
            operator.child.kill("SIGCONT");
            // It may go on for the moment in which it finds out.
            expect(await operator.exited).toBe(1);
            break;
          case "robbed": {
            const [thief = ""] = operators.keys();
            const spec = {
              holderIdentity: thief,
              leaseDurationSeconds: 15,
              renewTime: new Date().toISOString().replace("Z", "000Z"),
            };
            const patch = ["patch", "lease", "autoai-operator", "-n", namespace, "--type=merge", "-p"];
            await cluster.kubectl(...patch, JSON.stringify({ spec }));
            expect(await operator.exited).toBe(1);
          }
        }
        await leader();
        suffered.push(phase);
      }

      let suffering: Promise<void> = Promise.resolve();
      const begun = new Set<Phase>();
      /** Once for each phase, one after the other. */
      function inTheMiddleOf(phase: Phase): Promise<void> {
        if (begun.has(phase)) return Promise.resolve();
        begun.add(phase);
        suffering = suffering.then(() => suffer(phase));
        // Whoever waits for the end is told.
        suffering.catch(() => undefined);
        return suffering;
      }
      const made: { readonly name: string; readonly uid: string; readonly step: string }[] = [];
      const watch = async (path: string, prefix: string): Promise<void> => {
        const reflector = new Reflector<Json & { metadata: { labels?: Record<string, string> } }>({
          api: apiOf(cluster),
          path,
          onChange: (_key, current, previous) => {
            if (!current || previous) return;
            const { name, uid = "", labels = {} } = current.metadata;
            const step = labels[LABELS.execution];
            if (labels[LABELS.managedBy] === MANAGED_BY && step !== undefined && prefix === "")
              made.push({ name, uid, step });
            const phase = ALL.find((one) => PHASES[one]?.test(`${prefix}${name}`));
            if (phase !== undefined) void inTheMiddleOf(phase);
          },
        });
        reflector.start();
        await reflector.ready;
        onTestFinished(() => reflector.stop());
      };
      await leader();
      await watch(`/api/v1/namespaces/${namespace}/pods`, "");
      await watch(`/apis/apps/v1/namespaces/${namespace}/deployments`, "deployment ");
      made.length = 0;
      onAsked = (turn) => (turn === 1 ? inTheMiddleOf("LLM call") : Promise.resolve());
      const asked = gemini.requests.length;

      const name = `lost-${schedule.install}`;
      await cluster.apply({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name, namespace },
        spec: {
          dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } },
          target: "Churn",
          evaluation: { method: "Holdout" },
          budget: { maxSeconds: 1200 },
          deploy: {},
        },
      });
      const jobNow = async () => TrainingJob.parse(await cluster.get("trainingjob", namespace, name));
      const job = await eventually(`${name} to end`, 480, async () => {
        const now = await jobNow();
        return now.status?.state === "TRAINING" || now.status?.state === undefined ? undefined : now;
      });
      expect(job.status?.state, JSON.stringify(job.status)).toBe("READY");
      const served = () => cluster.get<Json>("modeldeployment", namespace, name);
      await eventually(`${name} to be served`, 120, async () => {
        const conditions = (await served())?.status?.conditions as
          | { type: string; status: string }[]
          | undefined;
        return conditions?.some(({ type, status }) => type === "Ready" && status === "True");
      });
      await suffering;

      // In the middle of each phase, and in their order.
      expect(suffered).toEqual(ALL);
      // Every pod that was made is of another step: no step had two, under one name or another.
      expect(made.length).toBeGreaterThan(20);
      expect(made.map(({ step }) => step).sort()).toEqual([...new Set(made.map(({ step }) => step))].sort());
      // No step of which there was a pod failed, was tried again, or is told of twice in the journal.
      const store = new S3Store({ endpoint, bucket: "autoai", region: "us-east-1", ...KEYS });
      const { entries } = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0);
      expect(entries.at(-1)?.type).toBe("JobFinished");
      const told = entries.map(identityOf);
      expect(told).toEqual([...new Set(told)]);
      expect(
        await store
          .list(`jobs/${namespace}/`)
          .then((keys) => keys.filter((key) => key.includes(".failures/"))),
      ).toEqual([]);
      // Each reply is there once; the one that was under way when its operator was lost was asked for again.
      const replies = entries.filter(({ type }) => type === "ReplyReceived").length;
      expect(gemini.requests.length - asked).toBe(replies + 1);
      expect(gemini.complaints).toEqual([]);
      // One model server, of the model that was published, never rolled.
      const deployments = await cluster.kubectl(
        ...[
          "get",
          "replicasets",
          "-n",
          namespace,
          "-o",
          "jsonpath={.items[*].metadata.ownerReferences[0].name}",
        ],
      );
      const servers = deployments.split(" ").filter((owner) => owner.includes(name));
      expect(servers).toHaveLength(1);
      expect((await served())?.status?.modelDigest).toBe(job.status?.model?.digest);
      await cluster.kubectl("delete", "trainingjob", name, "-n", namespace, "--timeout=120s");
      // While there is an operator to take its finalizer off.
      await eventually(
        "the ModelDeployment to go with its job",
        120,
        async () => (await served()) === undefined,
      );
    },
  );
});

/** What an entry of a journal is about: two of the same are a step that was run twice. */
function identityOf(entry: JournalEntry): string {
  switch (entry.type) {
    case "ReplyReceived":
      return `${entry.type} ${entry.step}`;
    case "ToolFinished":
      return `${entry.type} ${entry.step} ${entry.call}`;
    case "CandidateVerified":
      return `${entry.type} ${entry.candidate.number}`;
    default:
      return entry.type;
  }
}
