/** What whoever watches a job gets to see: at every moment a status that kstatus and people can read. */
import { describe, expect, test } from "vitest";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { MemoryCluster } from "../../operator/cluster/memory.ts";
import { Controller } from "../../operator/engine/controller.ts";
import { StalledError } from "../../operator/engine/errors.ts";
import {
  type LanguageModel,
  LlmRefusedError,
  type LlmReply,
  LlmUnavailableError,
} from "../../operator/llm/language-model.ts";
import type { BringSource } from "../../operator/reconcilers/dataset-source.ts";
import { datasetsOf } from "../../operator/reconcilers/dataset-source.ts";
import { recipesOf } from "../../operator/reconcilers/recipe-source.ts";
import { reconcileTrainingJob } from "../../operator/reconcilers/trainingjob/reconcile.ts";
import { PlatformError } from "../../operator/sandbox/executor.ts";
import { MemoryStore } from "../../operator/storage/memory-store.ts";
import { InstantExecutor } from "../fakes/instant-executor.ts";

type Call = { readonly name: string; readonly args: unknown };
const write: Call = { name: "write_python_file", args: { path: "train.py", content: "print(1)\n" } };
const execute: Call = { name: "execute_python_file", args: { path: "train.py" } };
const save: Call = {
  name: "save_model_settings",
  args: { name: "model", description: "d", entry: "train.py", claimed_score: 0.99 },
};

function said(...calls: Call[]): LlmReply {
  return {
    parts: [{ text: "Next." }, ...calls.map((functionCall) => ({ functionCall }))],
    finish: "Stop",
    usage: { promptTokens: 10, outputTokens: 10, totalTokens: 20 },
    model: "scripted",
  };
}

type World = {
  readonly replies: readonly (() => LlmReply)[];
  readonly spec?: object;
  readonly bring?: BringSource;
  /** Fails as often before it runs anything. */
  readonly platformFailures?: number;
};

/** Runs a job in this process, and returns everything that a watch was told of. Replies may move the clock. */
async function watched(
  { replies, spec = {}, bring, platformFailures = 0 }: World,
  clock = { at: Date.UTC(2026, 0, 1) },
) {
  const store = new MemoryStore();
  const cluster = new MemoryCluster({ now: () => clock.at });
  const seen: TrainingJob[] = [];
  let asked = 0;
  const model: LanguageModel = {
    reply: async () => {
      const reply = replies[Math.min(asked++, replies.length - 1)];
      if (!reply) throw new Error("no reply was scripted");
      return reply();
    },
  };
  const instant = new InstantExecutor({
    store,
    diary: () => undefined,
    onFinished: (owner) => controller.queue.add(owner),
  });
  let failuresLeft = platformFailures;
  const operator = {
    cluster,
    store,
    executor: {
      ensure: (execution: Parameters<InstantExecutor["ensure"]>[0]) => {
        if (failuresLeft-- > 0) throw new PlatformError("Evicted", "the node was drained");
        return instant.ensure(execution);
      },
      cancel: () => Promise.resolve(),
    },
    clock: { now: () => clock.at },
    startedAt: clock.at,
    baselines: { prior: "prior", boosting: "boosting" },
    version: "test",
    datasets: datasetsOf(
      cluster,
      store,
      bring ?? (async (_source, _namespace, key) => store.put(key, new Uint8Array())),
    ),
    recipes: recipesOf(cluster, store),
    languageModels: () => Promise.resolve(model),
    writeReport: async () => undefined,
  };
  const controller: Controller = new Controller({
    name: "trainingjob",
    reconcile: (key) => reconcileTrainingJob(operator, key),
    // Whatever is waited for is there at once.
    timers: {
      after: (seconds, callback) => {
        const timer = setTimeout(callback, seconds >= 15 ? 50 : 0);
        return () => clearTimeout(timer);
      },
    },
  });
  const over = new Promise<void>((resolve) => {
    cluster.watch((resource) => {
      const job = TrainingJob.parse(resource);
      seen.push(job);
      if (ready(job)?.status !== "Unknown" && job.status) resolve();
    });
  });
  cluster.apply(
    TrainingJob.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name: "job", namespace: "default" },
      spec: {
        dataset: { uri: "s3://bucket/rows.csv" },
        target: "churn",
        llm: { provider: "Gemini" },
        ...spec,
      },
    }),
  );
  controller.queue.add("default/job");
  controller.start();
  await over;
  await controller.stop();
  const last = seen.at(-1);
  if (!last) throw new Error("nothing was seen");
  return { seen, last, asked: () => asked };
}

const conditionOf = (job: TrainingJob, type: string) =>
  job.status?.conditions?.find((one) => one.type === type);
const ready = (job: TrainingJob) => conditionOf(job, "Ready");

/** Kubernetes' rule for reasons; the schema of our own is wider. */
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;

function expectReadable(seen: readonly TrainingJob[]): void {
  const written = seen.filter(({ status }) => status);
  expect(written.length).toBeGreaterThan(0);
  for (const [index, job] of written.entries()) {
    const { status, metadata } = job;
    expect(status?.observedGeneration).toBe(metadata.generation);
    const types = status?.conditions?.map(({ type }) => type);
    expect(types).toEqual(["Ready", "Reconciling", "Stalled", "DatasetPrepared", "ModelVerified"]);
    for (const condition of status?.conditions ?? []) {
      expect(condition.reason).toMatch(REASON);
      expect(condition.observedGeneration).toBe(metadata.generation);
      const before = index > 0 ? conditionOf(written[index - 1] as TrainingJob, condition.type) : undefined;
      if (before?.status === condition.status)
        expect(condition.lastTransitionTime).toBe(before.lastTransitionTime);
    }
    const statuses = ["Ready", "Reconciling", "Stalled"]
      .map((type) => conditionOf(job, type)?.status)
      .join(" ");
    expect(["Unknown True False", "False False True", "True False False"]).toContain(statuses);
    if (status?.state === "READY") expect(statuses).toBe("True False False");
    if (status?.state === "ERROR") expect(statuses).toBe("False False True");
    if (statuses === "True False False") expect(status?.model?.digest).toBeTruthy();
  }
}

describe("everything that is written of a job can be read by kstatus", () => {
  test("while it goes well", async () => {
    const { seen, last } = await watched({
      replies: [() => said(write, execute), () => said(save), () => said()],
    });
    expectReadable(seen);
    expect(last.status?.state).toBe("READY");
    const activities = new Set(seen.map(({ status }) => status?.progress?.activity));
    for (const activity of [
      "preparing the data",
      "verifying the prior baseline",
      "step 1: execute_python_file train.py",
    ])
      expect(activities).toContain(activity);
  });

  test("while the LLM is not to be had, and it goes on once it is", async () => {
    let failures = 2;
    const { seen, last } = await watched({
      replies: [
        () => {
          if (failures-- > 0) throw new LlmUnavailableError("503", 1);
          return said();
        },
      ],
    });
    expectReadable(seen);
    expect(seen.map((job) => ready(job)?.reason)).toContain("LlmUnavailable");
    expect(seen.map(({ status }) => status?.progress?.activity)).toContain("503; asking again");
    expect(last.status?.state).toBe("READY");
    expect(last.status?.progress?.step).toBe(3);
  });

  test("while the platform fails, which is reported as itself and blamed on nobody", async () => {
    const { seen, last } = await watched({ replies: [() => said()], platformFailures: 2 });
    expectReadable(seen);
    const failed = seen.find((job) => ready(job)?.reason === "Evicted");
    expect(ready(failed as TrainingJob)?.message).toBe("the node was drained; trying again");
    expect(last.status?.state).toBe("READY");
  });

  test("when the LLM refuses: it is stalled, and not over", async () => {
    const { seen, last } = await watched({
      replies: [
        () => {
          throw new LlmRefusedError("the key is wrong");
        },
      ],
    });
    expectReadable(seen);
    expect(ready(last)).toMatchObject({ status: "False", reason: "LlmRefused", message: "the key is wrong" });
    expect(last.status?.state).toBe("TRAINING");
  });

  test("when its data cannot be had: it is an ERROR that says why", async () => {
    const { seen, last } = await watched({
      replies: [],
      bring: () => Promise.reject(new StalledError("InvalidSource", "there is no such file")),
    });
    expectReadable(seen);
    expect(last.status).toMatchObject({ state: "ERROR", completionTime: expect.any(String) });
    expect(ready(last)).toMatchObject({
      status: "False",
      reason: "InvalidSource",
      message: "there is no such file",
    });
  });
});

describe("the budget of seconds", () => {
  const endless = (clock: { at: number }) => () => {
    // Each answer takes ten minutes.
    clock.at += 600_000;
    return said(write, { ...execute, args: { path: "train.py", args: [String(clock.at)] } });
  };

  test("ends a loop without end READY with what there is, not a call later than it allows", async () => {
    const clock = { at: Date.UTC(2026, 0, 1) };
    const spec = { budget: { maxSeconds: 3600, maxSteps: 500 } };
    const { seen, last, asked } = await watched({ replies: [endless(clock)], spec }, clock);
    expectReadable(seen);
    expect(ready(last)).toMatchObject({
      status: "True",
      reason: "SecondsExhausted",
      message: expect.stringContaining("the budget of 3600 s is spent"),
    });
    expect(last.status?.warnings?.join()).toMatch(/baseline is published/);
    expect(asked()).toBe(6);
    expect(last.status?.usage?.seconds).toBeLessThanOrEqual(3600);
  });

  test("that one answer outlasts is over by that answer alone", async () => {
    const clock = { at: Date.UTC(2026, 0, 1) };
    const spec = { budget: { maxSeconds: 60, maxSteps: 500 } };
    const { last, asked } = await watched({ replies: [endless(clock)], spec }, clock);
    expect(ready(last)?.reason).toBe("SecondsExhausted");
    expect(asked()).toBe(1);
  });
});
