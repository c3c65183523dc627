/** One job on the reconcilers of the product, with every way to the outside passing through a gate. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import { TrainingJob as TrainingJobSchema } from "../../operator/api/trainingjob.ts";
import { MemoryCluster } from "../../operator/cluster/memory.ts";
import { Controller } from "../../operator/engine/controller.ts";
import type { LanguageModel, LlmReply } from "../../operator/llm/language-model.ts";
import { datasetsOf } from "../../operator/reconcilers/dataset-source.ts";
import { recipesOf } from "../../operator/reconcilers/recipe-source.ts";
import { reconcileTrainingJob } from "../../operator/reconcilers/trainingjob/reconcile.ts";
import { writeReport } from "../../operator/reconcilers/trainingjob/report.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import { FileStore } from "../../operator/storage/file-store.ts";
import { InstantExecutor } from "../fakes/instant-executor.ts";
import { REPLIES } from "./replies.ts";

/**
 * Passed before and after every await that reaches outside the process. `effect` says whether the call can change
 * anything there: between two effects, being killed earlier or later leaves the same world behind.
 */
export type Gate = (effect: boolean) => Promise<void> | void;

/** What outlives an operator. */
export type World = {
  readonly store: ArtifactStore;
  readonly cluster: MemoryCluster;
  /** One line for each execution begun and each reply asked for. */
  readonly diary: (line: string) => void;
};

const EFFECTS: ReadonlySet<string> = new Set([
  "put",
  "create",
  "deletePrefix",
  "updateStatus",
  "event",
  "ensure",
  "cancel",
  "reply",
]);

const NOW = Date.parse("2026-01-01T00:00:00Z");

/** The same time and uid in every run, so that journals can be compared to the letter. */
export const FIXED = { now: () => NOW, uid: () => "0b5e2a1c-fixed" };

export const JOB: TrainingJob = TrainingJobSchema.parse({
  apiVersion: "autoai.dev/v1alpha1",
  kind: "TrainingJob",
  metadata: { name: "churn", namespace: "default" },
  spec: {
    dataset: { uri: "file:///rows.csv" },
    target: "churn",
    llm: { provider: "Gemini" },
    budget: { maxSteps: 6, maxSeconds: 3600 },
  },
});

/** A world of files, as the embedded run has it. */
export function worldOfFiles(folder: string): World {
  return {
    store: new FileStore(join(folder, "store")),
    cluster: new MemoryCluster({ folder: join(folder, "objects"), ...FIXED }),
    diary: (line) => appendFileSync(join(folder, "diary"), `${line}\n`),
  };
}

/** Runs the job until it is over. What was begun in this world before goes on. */
export async function runEmbedded(
  { store: outerStore, cluster: memory, diary }: World,
  gate: Gate,
): Promise<void> {
  const store = gated(outerStore, gate);
  const cluster = gated(memory, gate);
  const executor = gated(
    new InstantExecutor({ store, diary, onFinished: (owner) => controller.queue.add(owner) }),
    gate,
  );
  const model: LanguageModel = gated({ reply: (request) => reply(request.turns.length, diary) }, gate);
  const operator = {
    cluster,
    store,
    executor,
    clock: { now: () => NOW },
    startedAt: NOW,
    baselines: { prior: "prior", boosting: "boosting" },
    version: "test",
    datasets: datasetsOf(cluster, store, async (_source, _namespace, key) => {
      await store.put(key, new TextEncoder().encode("age,churn\n3,1\n"));
    }),
    recipes: recipesOf(cluster, store),
    languageModels: () => Promise.resolve(model),
    writeReport,
  };
  const failures: unknown[] = [];
  const controller: Controller = new Controller({
    name: "trainingjob",
    reconcile: (key) => reconcileTrainingJob(operator, key),
    onFailure: (_key, error) => failures.push(error),
  });
  memory.apply(JOB);
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (failures.length > 0) reject(failures[0]);
      const state = memory.list("TrainingJob")[0]?.status?.state;
      if (state === "READY" || state === "ERROR") resolve();
    };
    memory.watch(look);
    controller.queue.add("default/churn");
    controller.start();
    look();
  });
  await controller.stop();
}

function reply(turns: number, diary: World["diary"]): Promise<LlmReply> {
  diary(`reply after ${turns} turns`);
  // A turn of the model and one of the tools for each reply so far, after the briefing.
  const calls = REPLIES[Math.floor((turns - 1) / 2)] ?? [];
  return Promise.resolve({
    parts: [{ text: "Next." }, ...calls.map((functionCall) => ({ functionCall }))],
    finish: "Stop",
    usage: { promptTokens: 10, outputTokens: 10, totalTokens: 20 },
    model: "scripted",
  });
}

/** The same object, with the gate before and after each of its asynchronous methods. */
function gated<T extends object>(target: T, gate: Gate): T {
  return new Proxy(target, {
    get(object, property) {
      const value = Reflect.get(object, property, object) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (SYNCHRONOUS.has(String(property))) return Reflect.apply(value, object, args) as unknown;
        return throughGate(
          gate,
          EFFECTS.has(String(property)),
          () => Reflect.apply(value, object, args) as unknown,
        );
      };
    },
  });
}

const SYNCHRONOUS: ReadonlySet<string> = new Set(["uri"]);

async function throughGate(gate: Gate, effect: boolean, call: () => unknown): Promise<unknown> {
  await gate(effect);
  try {
    return await call();
  } finally {
    await gate(effect);
  }
}
