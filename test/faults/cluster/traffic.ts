/** A model that is served while things go wrong, asked all the time; and what its log says of that in the end. */
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import type { LogEntry } from "../../../inference-server/log/segments.ts";
import { ModelDeployment } from "../../../operator/api/modeldeployment.ts";
import { predictionLogPrefix } from "../../../operator/api/prediction-log.ts";
import { eventually } from "../../cluster/cluster.ts";
import { SHARED, type World } from "./world.ts";

const LANES = 2;
const PAUSE_MS = 100;
/** What a server may take to send what it holds, and to end. */
const DRAIN_SECONDS = 150;

export class Traffic {
  readonly name: string;
  readonly acknowledged = new Set<string>();
  readonly #asked = new Set<string>();
  readonly #world: World;
  readonly #over = new AbortController();
  #lanes: Promise<unknown> = Promise.resolve();

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  /** Applies the deployment. */
  deploy(): Promise<void> {
    return this.#world.apply(this.#manifest(1));
  }

  /** Resolves to whether it serves. */
  async serves(): Promise<boolean> {
    const { cluster, namespace } = this.#world;
    const found = await cluster
      .get("modeldeployments.autoai.dev", namespace, this.name)
      .catch(() => undefined);
    const conditions = found && ModelDeployment.parse(found).status?.conditions;
    return conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  }

  /** Asks from now on. */
  async begin(): Promise<void> {
    const { cluster, namespace } = this.#world;
    const address = await cluster.kubectl(
      ...["get", "service", this.name, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"],
    );
    const about = await fetch(`http://${address}/v1/model`);
    const { example } = (await about.json()) as { readonly example: unknown };
    const body = JSON.stringify({ rows: [example] });
    this.#lanes = Promise.all(
      Array.from({ length: LANES }, (_, lane) => this.#ask(`http://${address}/predict`, body, lane)),
    );
  }

  /** What is wrong with the log, once all has been sent; the deployment has no servers then. */
  async end(): Promise<string[]> {
    this.#over.abort();
    await this.#lanes;
    const { cluster, namespace, store } = this.#world;
    await this.#world.apply(this.#manifest(0));
    await eventually(`the servers of ${this.name} to end`, DRAIN_SECONDS, async () => {
      const pods = await cluster.kubectl(
        ...["get", "pods", "-n", namespace, "-l", `autoai.dev/modeldeployment=${this.name}`, "-o", "name"],
      );
      return pods === "" || undefined;
    });
    const ids: string[] = [];
    for (const key of await store.list(predictionLogPrefix(namespace, this.name))) {
      const text = gunzipSync(await store.get(key)).toString("utf8");
      for (const line of text.trimEnd().split("\n")) ids.push((JSON.parse(line) as LogEntry).requestId);
    }
    const logged = new Set(ids);
    const missing = [...this.acknowledged].filter((id) => !logged.has(id));
    const strange = ids.filter((id) => !this.#asked.has(id));
    const faults: string[] = [];
    const many = (list: readonly string[]): string => `${list.length} (${list.slice(0, 3).join()})`;
    if (this.acknowledged.size === 0) faults.push("no prediction was acknowledged");
    if (missing.length > 0) faults.push(`${many(missing)} acknowledged predictions are not in the log`);
    if (ids.length > logged.size) faults.push(`${ids.length - logged.size} predictions are in the log twice`);
    if (strange.length > 0) faults.push(`${many(strange)} predictions are in the log that nobody asked for`);
    return faults;
  }

  async #ask(url: string, body: string, lane: number): Promise<void> {
    for (let count = 0; !this.#over.signal.aborted; count++) {
      const id = `${this.name}-${lane}-${count}`;
      this.#asked.add(id);
      const reply = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", "x-request-id": id },
        body,
        signal: AbortSignal.timeout(20_000),
      }).catch(() => undefined);
      // The status is enough: it is sent when the entry is on disk.
      if (reply?.status === 200) this.acknowledged.add(id);
      await reply?.arrayBuffer().catch(() => undefined);
      await sleep(PAUSE_MS);
    }
  }

  #manifest(replicas: number) {
    return {
      apiVersion: "autoai.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name: this.name, namespace: this.#world.namespace },
      spec: {
        modelRef: { trainingJob: SHARED },
        replicas,
        predictionLog: { mode: "Strict" },
        resources: { cpu: "200m", memory: "768Mi" },
      },
    };
  }
}
