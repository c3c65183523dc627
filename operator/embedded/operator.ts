/** The operator of the embedded run: the reconcilers of the cluster, on memory, files and processes. */
import { availableParallelism } from "node:os";
import type { KindName } from "../cluster/cluster.ts";
import { Controller } from "../engine/controller.ts";
import { languageModelsOf } from "../language-models.ts";
import { reconcileDataset } from "../reconcilers/dataset.ts";
import { datasetsOf } from "../reconcilers/dataset-source.ts";
import { recipesOf } from "../reconcilers/recipe-source.ts";
import { reconcileTrainingJob } from "../reconcilers/trainingjob/reconcile.ts";
import { Replies } from "../reconcilers/trainingjob/replies.ts";
import { warmReport, writeReport } from "../reconcilers/trainingjob/report.ts";
import { ProcessExecutor } from "../sandbox/process-executor.ts";
import type { Home, Installation } from "./home.ts";
import { bringSource } from "./source.ts";

export type EmbeddedOptions = {
  readonly home: Home;
  readonly installation: Installation;
  readonly env: NodeJS.ProcessEnv;
  /** Whether generated code may run where bubblewrap is missing. */
  readonly allowUnsandboxed: boolean;
  /** Told of what failed and is tried again. */
  readonly onFailure: (key: string, error: unknown, failuresInARow: number) => void;
};

export type EmbeddedOperator = {
  readonly executor: ProcessExecutor;
  enqueue(kind: KindName, key: string): void;
  start(): void;
  /** Ends what runs; what was journaled stays. */
  stop(): Promise<void>;
};

export function embeddedExecutor(
  options: Pick<EmbeddedOptions, "home" | "installation" | "allowUnsandboxed">,
  onFinished: (owner: string) => void,
): ProcessExecutor {
  const { home, installation } = options;
  return new ProcessExecutor({
    store: home.store,
    home: home.path,
    python: installation.python,
    runnerDir: installation.runner,
    uv: installation.uv,
    cpus: availableParallelism(),
    allowUnsandboxed: options.allowUnsandboxed,
    log: () => undefined,
    onFinished,
  });
}

export function embeddedOperator(options: EmbeddedOptions): EmbeddedOperator {
  const { home, installation, onFailure } = options;
  const { cluster, store } = home;
  const executor = embeddedExecutor(options, (owner) => {
    if (owner.startsWith("dataset:")) datasets.queue.add(owner.slice("dataset:".length));
    else jobs.queue.add(owner);
  });
  const bring = bringSource(cluster, store);
  const clock = { now: Date.now };
  const datasets = new Controller({
    name: "dataset",
    reconcile: (key) => reconcileDataset({ cluster, store, executor, clock, bring }, key),
    onFailure,
  });
  const operator = {
    cluster,
    store,
    executor,
    clock,
    replies: new Replies(),
    startedAt: clock.now(),
    baselines: installation.baselines,
    version: installation.version,
    datasets: datasetsOf(cluster, store, bring),
    recipes: recipesOf(cluster, store),
    languageModels: languageModelsOf(cluster, options.env),
    writeReport,
    warmReport,
  };
  const jobs = new Controller({
    name: "trainingjob",
    reconcile: (key, aside) => reconcileTrainingJob(operator, key, aside),
    onFailure,
  });
  const keys = new Set<string>();
  return {
    executor,
    enqueue(kind, key) {
      if (kind === "TrainingJob") keys.add(key);
      if (kind === "TrainingJob") jobs.queue.add(key);
      if (kind === "Dataset") datasets.queue.add(key);
    },
    start() {
      executor.warmUp();
      datasets.start();
      jobs.start();
    },
    async stop() {
      const stopped = Promise.all([jobs.stop(), datasets.stop()]);
      await Promise.all([...keys].map((key) => executor.cancel(key)));
      await stopped;
      await executor.close();
    },
  };
}
