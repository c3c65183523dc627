/** What jobs depend on has no room or no time for them: they wait, it costs them nothing, and they go on. */
import { afterAll, beforeAll, describe, expect, it, test, vi } from "vitest";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { MemoryCluster } from "../../operator/cluster/memory.ts";
import type { LanguageModel } from "../../operator/llm/language-model.ts";
import { LlmUnavailableError } from "../../operator/llm/language-model.ts";
import { datasetsOf } from "../../operator/reconcilers/dataset-source.ts";
import { recipesOf } from "../../operator/reconcilers/recipe-source.ts";
import { reconcileTrainingJob } from "../../operator/reconcilers/trainingjob/reconcile.ts";
import { MemoryStore } from "../../operator/storage/memory-store.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import { InstantExecutor } from "../fakes/instant-executor.ts";
import { ApiRefusal } from "../fakes/kubernetes-api.ts";
import { findMinio, type Minio, startMinio } from "../minio.ts";
import { type Story, World } from "./operators.ts";

const HOUR = 3600;

test("an LLM that answers 429 for an hour is asked when it says, and the job pays with neither time, steps nor tokens", async () => {
  const begin = Date.UTC(2026, 0, 1);
  const clock = { at: begin, now: () => clock.at };
  const cluster = new MemoryCluster({ now: clock.now });
  const store = new MemoryStore();
  const executor = new InstantExecutor({ store, diary: () => undefined, onFinished: () => undefined });
  let refused = 0;
  let answered = 0;
  const model: LanguageModel = {
    reply: () => {
      if (clock.at < begin + HOUR * 1000) {
        refused++;
        throw new LlmUnavailableError("Gemini answered 429 RESOURCE_EXHAUSTED", 60);
      }
      answered++;
      const usage = { promptTokens: 1, outputTokens: 1, totalTokens: 2 };
      return Promise.resolve({ parts: [{ text: "Done." }], finish: "Stop", usage, model: "scripted" });
    },
  };
  cluster.apply(
    TrainingJob.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name: "churn", namespace: "team" },
      // Less time than the LLM is away.
      spec: { dataset: { uri: "s3://bucket/rows.csv" }, target: "churn", budget: { maxSeconds: 600 } },
    }),
  );
  const operator = {
    ...{ cluster, store, executor, clock },
    startedAt: begin,
    baselines: { prior: "prior", boosting: "boosting" },
    version: "test",
    datasets: datasetsOf(cluster, store, (_source, _namespace, key) => store.put(key, new Uint8Array())),
    recipes: recipesOf(cluster, store),
    languageModels: () => Promise.resolve(model),
    writeReport: () => Promise.resolve(),
  };
  const job = () => cluster.get("TrainingJob", "team/churn");
  const reasons = new Set<string>();
  for (
    let state: string | undefined = "TRAINING";
    state === "TRAINING";
    state = (await job())?.status?.state
  ) {
    const { requeueAfterSeconds = 0 } = await reconcileTrainingJob(operator, "team/churn");
    const ready = (await job())?.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready) reasons.add(ready.reason);
    // Executions end at once: what is waited for otherwise is the LLM.
    if (ready?.reason === "LlmUnavailable") clock.at += requeueAfterSeconds * 1000;
    else await new Promise((resolve) => setImmediate(resolve));
  }
  const status = (await job())?.status;
  expect(reasons).toContain("LlmUnavailable");
  expect(status).toMatchObject({ state: "READY", usage: { tokens: 2 * answered, seconds: 0 } });
  expect(status?.conditions?.find(({ type }) => type === "Ready")?.reason).toBe("AgentFinished");
  expect(status?.progress?.step).toBe(answered);
  expect(refused).toBeLessThanOrEqual(HOUR / 60);
  expect(refused).toBeGreaterThan(0);
});

const program = findMinio();

describe.runIf(program !== undefined)("with a real store", () => {
  let minio: Minio;
  let small: Minio;
  let undisturbed: Story;

  beforeAll(async () => {
    [minio, small] = await Promise.all([
      startMinio(String(program)),
      startMinio(String(program), { mebibytes: 48 }),
    ]);
    await using alone = await World.start(minio, "alone");
    await alone.operator();
    undisturbed = await alone.train();
  });
  afterAll(() => Promise.all([minio?.close(), small?.close()]));

  const expectSame = (story: Story): void => {
    expect(story.entries).toEqual(undisturbed.entries);
    expect([...story.pods].sort()).toEqual([...undisturbed.pods].sort());
    expect(story.replies).toBe(undisturbed.replies);
  };

  it("an API server that throttles gets each write again, and the job is the same", async () => {
    let throttled = 0;
    await using at = await World.start(minio, "throttled", undefined, ({ verb }) => {
      // Half of the first writes.
      if (verb === "GET" || throttled >= 30 || ++throttled % 2 === 0) return;
      throw new ApiRefusal(429, "TooManyRequests", "please try again later", { "retry-after": "1" });
    });
    await at.operator();
    expectSame(await at.train());
    expect(throttled).toBe(30);
  });

  it("a store that is full keeps the job waiting, and once there is room it goes on as if nothing had been", async () => {
    await using at = await World.start(small, "full");
    const store = new S3Store({ ...small.options, bucket: "full" });
    await store.ensureBucket();
    let isFull = false;
    // While the LLM thinks, everything else is written: its reply finds no room.
    at.onAsked = async (turn) => {
      if (turn !== 1 || isFull) return;
      isFull = true;
      for (const bytes of [4_000_000, 200_000, 10_000, 100]) await fill(store, bytes);
    };
    await at.operator();
    const story = at.train();
    const reason = () =>
      at.api
        .get("/apis/autoai.dev/v1alpha1/trainingjobs", "team", "churn")
        ?.status?.conditions?.find(({ type }: { type: string }) => type === "Ready")?.reason;
    await vi.waitFor(() => expect(reason()).toBe("StoreUnavailable"), { timeout: 90_000, interval: 50 });
    await store.deletePrefix("filler/");
    expectSame(await story);
  });
});

/** Writes objects of so many bytes until none is taken any more. */
async function fill(store: S3Store, bytes: number): Promise<void> {
  for (let number = 0; ; number++)
    try {
      await store.put(`filler/${bytes}/${number}`, new Uint8Array(bytes));
    } catch {
      return;
    }
}
