/** What schedules on a real cluster have in common: a namespace, a store with files that last, a scripted Gemini, two operators, a served model's job. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { S3Store } from "../../../operator/storage/minio.ts";
import { type Cluster, eventually, type Manifest } from "../../cluster/cluster.ts";
import {
  environmentsClaim,
  STORE_LABELS,
  STORE_PORT,
  storePod,
  storeService,
} from "../../cluster/minio-pod.ts";
import { KEYS } from "../../cluster/operator-process.ts";
import { type GeminiServer, startGeminiServer } from "../../fakes/gemini-server.ts";
import type { Step } from "../../fakes/gemini-steps.ts";
import { endlessTalk, success } from "../../fakes/scripts.ts";
import { Operators } from "./operators.ts";
import { Sight } from "./sight.ts";
import type { Strikes } from "./strikes.ts";

/** One that comes to a model of its agent's, one whose agent only talks, and one that has no time for a model. */
export type JobKind = "model" | "talk" | "brief";

const BUDGETS: Readonly<Record<JobKind, { readonly maxSteps: number; readonly maxSeconds: number }>> = {
  model: { maxSteps: 6, maxSeconds: 900 },
  talk: { maxSteps: 2, maxSeconds: 900 },
  brief: { maxSteps: 1, maxSeconds: 1 },
};

/** A question to the LLM: which reply of which job, by the key of each job. */
export type Asked = { readonly job: string; readonly step: number; readonly at: number };

const talk = (): Step => (endlessTalk() as { readonly afterwards: Step }).afterwards;
const SCRIPTS: Readonly<Record<JobKind, (turn: number) => Step>> = {
  model: (turn) => (success() as readonly Step[])[turn] ?? { text: "Done." },
  talk,
  brief: talk,
};
const ROWS = 200;
/** Of the LLM: so that it can be hit in between. */
const THINKING_SECONDS = 0.8;
/** Name of the job whose model is served in all schedules. */
export const SHARED = "shared";
/** How the names of deployments begin. */
export const SERVED = "served";

export class World implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly store: S3Store;
  readonly gemini: GeminiServer;
  readonly operators: Operators;
  readonly sight: Sight;
  readonly asked: Asked[] = [];
  /** What is hit in the schedule that runs. */
  strikes: Strikes | undefined;
  /** Of the LLM's complaints: how many were told of. */
  complaintsSeen = 0;
  /** Called when the LLM is asked. */
  onAsked: (asked: Asked) => void = () => undefined;

  private constructor(
    cluster: Cluster,
    parts: Pick<World, "namespace" | "store" | "gemini" | "operators" | "sight">,
  ) {
    this.cluster = cluster;
    ({
      namespace: this.namespace,
      store: this.store,
      gemini: this.gemini,
      operators: this.operators,
      sight: this.sight,
    } = parts);
  }

  static async start(cluster: Cluster): Promise<World> {
    await cluster.operator("absent");
    await cluster.kinds();
    const namespace = await cluster.namespace("faults");
    const rows = readFileSync(new URL("../../../examples/data/churn.csv", import.meta.url), "utf8");
    await cluster.apply(
      environmentsClaim(namespace, "environments"),
      environmentsClaim(namespace, "store"),
      storeService(namespace),
      storePod(namespace, KEYS, "store"),
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "rows", namespace },
        data: {
          "rows.csv": `${rows
            .split("\n")
            .slice(0, ROWS + 1)
            .join("\n")}\n`,
        },
      },
    );
    const address = await cluster.kubectl(
      ...["get", "service", "store", "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"],
    );
    const endpoint = `http://${address}:${STORE_PORT}`;
    const store = new S3Store({ endpoint, bucket: "autoai", region: "us-east-1", ...KEYS });
    const gemini = await startGeminiServer({
      script: async ({ apiKey, turn }) => {
        const [kind, job] = apiKey.split(".") as [JobKind, string];
        const asked = { job, step: turn + 1, at: Date.now() };
        world.asked.push(asked);
        world.onAsked(asked);
        await sleep(THINKING_SECONDS * 1000);
        return SCRIPTS[kind](turn);
      },
    });
    const sight = await Sight.of(cluster, namespace);
    const operators = new Operators({
      cluster,
      namespace,
      storeEndpoint: endpoint,
      count: 2,
      env: {
        AUTOAI_STORE_SELECTOR: JSON.stringify({ namespace, podLabels: STORE_LABELS }),
        AUTOAI_ENVIRONMENTS_CLAIM: "environments",
        AUTOAI_INFERENCE_SERVER_IMAGE: "autoai-inference-server:dev",
        AUTOAI_INDEX_URL:
          process.env.UV_DEFAULT_INDEX ?? process.env.UV_INDEX_URL ?? process.env.PIP_INDEX_URL ?? "",
        AUTOAI_GEMINI_BASE_URL: gemini.url,
      },
    });
    const world: World = new World(cluster, { namespace, store, gemini, operators, sight });
    await world.recover();
    return world;
  }

  /** Waits until everything is as it was before anything was hit. */
  async recover(): Promise<void> {
    const { cluster, namespace, operators } = this;
    await eventually("the API server to answer", 90, () =>
      cluster.kubectl("get", "--raw", "/readyz").catch(() => undefined),
    );
    await eventually("the node to be ready", 120, async () => {
      const node = await cluster.kubectl(
        "get",
        "nodes",
        "-o",
        "jsonpath={..conditions[?(@.type=='Ready')].status}",
      );
      return node === "True";
    });
    // Its container would be started again later and later.
    const restarts = await cluster.kubectl(
      ...[
        "get",
        "pod",
        "store",
        "-n",
        namespace,
        "-o",
        "jsonpath={.status.containerStatuses[0].restartCount}",
      ],
    );
    if (Number(restarts) > 0) {
      await cluster.kubectl("delete", "pod", "store", "-n", namespace, "--grace-period=0", "--force");
      await cluster.apply(storePod(namespace, KEYS, "store"));
    }
    await cluster.kubectl("wait", "-n", namespace, "pod/store", "--for=condition=Ready", "--timeout=60s");
    await eventually("the store to answer", 60, () =>
      this.store.ensureBucket().then(
        () => true,
        () => undefined,
      ),
    );
    await eventually("the operators to be ready, and one to lead", 90, () => operators.areWell());
  }

  /** Trains the model that is served. */
  async trainShared(): Promise<void> {
    await this.begin(SHARED, "model");
    await eventually("the model that is to be served", 600, async () => {
      const { status } = (await this.job(SHARED)) ?? {};
      if (status?.state === "ERROR") throw new Error(`the model is not there: ${JSON.stringify(status)}`);
      return status?.state === "READY";
    });
  }

  /** Begins a job, with a key of its own. */
  async begin(name: string, kind: JobKind): Promise<void> {
    const { namespace } = this;
    await this.apply(
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace },
        stringData: { key: `${kind}.${name}` },
      },
      {
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name, namespace },
        spec: {
          dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } },
          target: "Churn",
          evaluation: { method: "Holdout" },
          llm: { provider: "Gemini", apiKeySecretRef: { name, key: "key" } },
          budget: BUDGETS[kind],
        },
      },
    );
  }

  /** Whatever the API server goes through. */
  async apply(...manifests: Manifest[]): Promise<void> {
    await eventually("the API server to take an object", 60, () =>
      this.cluster.apply(...manifests).then(
        () => true,
        () => undefined,
      ),
    );
  }

  async job(name: string): Promise<TrainingJob | undefined> {
    const found = await this.cluster.get("trainingjobs.autoai.dev", this.namespace, name);
    return found && TrainingJob.parse(found);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.strikes?.end();
    // While there are operators to take their finalizers off.
    const kinds = "trainingjobs.autoai.dev,modeldeployments.autoai.dev,datasets.autoai.dev";
    await this.cluster.run(["delete", kinds, "--all", "-n", this.namespace, "--timeout=60s"]);
    await this.operators.close();
    await this.sight.close();
    await this.gemini.close();
  }
}
