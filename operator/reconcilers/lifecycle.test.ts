/** What the operator does about resources that are deleted, suspended, expire, or name what is not there. */
import { describe, expect, test, vi } from "vitest";
import { InstantExecutor } from "../../test/fakes/instant-executor.ts";
import { Journal } from "../agent/journal.ts";
import { Dataset } from "../api/dataset.ts";
import type { JournalEntry } from "../api/journal.ts";
import { ModelManifest } from "../api/model-manifest.ts";
import { ModelDeployment } from "../api/modeldeployment.ts";
import { TrainingJob } from "../api/trainingjob.ts";
import { ConflictError } from "../cluster/cluster.ts";
import { MemoryCluster } from "../cluster/memory.ts";
import { OVERTAKEN } from "../engine/controller.ts";
import { StalledError } from "../engine/errors.ts";
import { jobPrefix, journalPrefix, sha256 } from "../evaluation/context.ts";
import { type LanguageModel, LlmRefusedError } from "../llm/language-model.ts";
import { archiveKey } from "../sandbox/environment-keys.ts";
import { PlatformError } from "../sandbox/executor.ts";
import { StoreError } from "../storage/artifact-store.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { FINALIZER, type Retention } from "./cleanup.ts";
import { reconcileDataset } from "./dataset.ts";
import { type BringSource, configMapBytes, datasetsOf } from "./dataset-source.ts";
import { reconcileModelDeployment } from "./modeldeployment.ts";
import { recipesOf } from "./recipe-source.ts";
import { reconcileTrainingJob } from "./trainingjob/reconcile.ts";
import { Replies } from "./trainingjob/replies.ts";

/** Executions end at once, but not at once enough for one look. */
const PATIENT = { timeout: 20_000, interval: 1 };
const META = { apiVersion: "autoai.dev/v1alpha1" } as const;

function world(artifacts: Retention = "Retain") {
  const clock = { at: Date.UTC(2026, 0, 1), now: () => clock.at };
  const cluster = new MemoryCluster({ now: clock.now });
  const store = new MemoryStore();
  const cancelled: string[] = [];
  const instant = new InstantExecutor({ store, diary: () => undefined, onFinished: () => undefined });
  const platform: { stalls?: PlatformError } = {};
  const executor = {
    ensure: async (execution: Parameters<InstantExecutor["ensure"]>[0]) => {
      if (platform.stalls) throw platform.stalls;
      return instant.ensure(execution);
    },
    cancel: (owner: string) => Promise.resolve(void cancelled.push(owner)),
  };
  const bring: BringSource = async (source, namespace, key) => {
    const bytes = source.configMapKeyRef
      ? await configMapBytes(cluster, namespace, source.configMapKeyRef)
      : new Uint8Array();
    await store.put(key, bytes);
  };
  const llm = { refuses: false, replies: 0 };
  const model: LanguageModel = {
    reply: () => {
      llm.replies++;
      if (llm.refuses) throw new LlmRefusedError("the key is wrong");
      const usage = { promptTokens: 1, outputTokens: 1, totalTokens: 2 };
      return Promise.resolve({ parts: [{ text: "Done." }], finish: "Stop", usage, model: "scripted" });
    },
  };
  const entries: JournalEntry["type"][] = [];
  const operator = {
    ...{ cluster, store, executor, clock, bring, artifacts },
    startedAt: clock.at,
    replies: new Replies(),
    baselines: { prior: "prior", boosting: "boosting" },
    version: "test",
    datasets: datasetsOf(cluster, store, bring),
    recipes: recipesOf(cluster, store),
    languageModels: () => Promise.resolve(model),
    writeReport: () => Promise.resolve(),
    expires: true,
    onEntry: (_job: TrainingJob, entry: JournalEntry) => void entries.push(entry.type),
  };
  const key = "team/churn";
  const job = () => cluster.get("TrainingJob", key);
  const step = () => reconcileTrainingJob(operator, key);
  return {
    ...{ operator, cluster, store, clock, cancelled, entries, llm, job, step, platform },
    apply: (spec: object = {}) =>
      cluster.apply(
        TrainingJob.parse({
          ...META,
          kind: "TrainingJob",
          metadata: { name: "churn", namespace: "team" },
          spec: { dataset: { uri: "s3://bucket/rows.csv" }, target: "churn", ...spec },
        }),
      ),
    /** Reconciles until the job has a condition like this. */
    until: (reason: string) =>
      vi.waitFor(async () => {
        await step();
        expect(ready(await job())?.reason).toBe(reason);
      }, PATIENT),
  };
}

const ready = (
  resource:
    | { status?: { conditions?: { type: string; status: string; reason: string }[] | undefined } | undefined }
    | undefined,
) => resource?.status?.conditions?.find(({ type }) => type === "Ready");

test("a model says by which archive its environment is served, where there is one", async () => {
  const { apply, until, store } = world();
  apply();
  const environment = sha256("");
  const archives = ["b", "a"].map((digit) => archiveKey("team", environment, digit.repeat(64)));
  for (const key of archives) await store.put(key, new Uint8Array());
  await until("AgentFinished");
  const [key = ""] = (await store.list("models/team/churn/")).filter((one) => one.endsWith("/model.json"));
  const { provenance } = ModelManifest.parse(JSON.parse(new TextDecoder().decode(await store.get(key))));
  expect(provenance).toMatchObject({ environment, environmentArchive: "a".repeat(64) });
});

test("a model is packed without being read, for it may be larger than the operator's memory", async () => {
  const { apply, until, store } = world();
  const read = vi.spyOn(store, "get");
  apply();
  await until("AgentFinished");
  const keys = await store.list("models/team/churn/");
  expect(keys.filter((key) => key.endsWith("/trained_model.joblib"))).toHaveLength(1);
  expect(read.mock.calls.filter(([key]) => key.endsWith("trained_model.joblib"))).toEqual([]);
});

describe("a store that takes nothing for a while", () => {
  const full = () => Promise.reject(new StoreError("StoreUnavailable", "it is full"));

  test("costs no reply a second time: what was paid for is written once it can be", async () => {
    const { apply, until, llm, operator, step, store, entries } = world();
    apply();
    await until("Ask");
    const create = vi.spyOn(store, "create").mockImplementation(full);
    for (let round = 0; round < 3; round++) await expect(step()).rejects.toThrow("it is full");
    expect(llm.replies).toBe(1);
    create.mockRestore();
    await step();
    expect(llm.replies).toBe(1);
    expect(entries.at(-1)).toBe("ReplyReceived");
    expect(operator.replies.of("team/churn", "any", 1)).toBeUndefined();
    await until("AgentFinished");
    expect(llm.replies).toBe(entries.filter((type) => type === "ReplyReceived").length);
  });

  test("keeps the end of a job back until its report is there", async () => {
    const { apply, operator, job, step, until, entries } = world();
    apply();
    const write = vi.spyOn(operator, "writeReport").mockImplementation(full);
    await vi.waitFor(async () => {
      await step().catch(() => undefined);
      expect(entries).toContain("JobFinished");
    }, PATIENT);
    await expect(step()).rejects.toThrow("it is full");
    expect((await job())?.status?.state).toBe("TRAINING");
    write.mockRestore();
    await until("AgentFinished");
    expect((await job())?.status?.state).toBe("READY");
  });
});

describe("who was overtaken comes back at once, and backs off where that goes on", () => {
  const conflict = () => Promise.reject(new ConflictError("it changed since it was read"));

  test("a job whose finalizer, status or deletion somebody else wrote first", async () => {
    const { apply, step, cluster } = world();
    apply();
    const finalizer = vi.spyOn(cluster, "setFinalizer").mockImplementation(conflict);
    expect(await step()).toEqual(OVERTAKEN);
    finalizer.mockRestore();
    const status = vi.spyOn(cluster, "updateStatus").mockImplementation(conflict);
    expect(await step()).toEqual(OVERTAKEN);
    status.mockRestore();
    await step();
    cluster.delete("TrainingJob", "team/churn");
    vi.spyOn(cluster, "setFinalizer").mockImplementation(conflict);
    expect(await step()).toEqual(OVERTAKEN);
  });

  test("a job whose next entry another operator wrote first", async () => {
    const { apply, step, until, store } = world();
    apply();
    await until("Ask");
    vi.spyOn(store, "create").mockResolvedValue(false);
    expect(await step()).toEqual(OVERTAKEN);
  });

  test("a data set", async () => {
    const { operator, cluster } = world();
    cluster.apply(
      Dataset.parse({
        ...META,
        kind: "Dataset",
        metadata: { name: "rows", namespace: "team" },
        spec: { source: { uri: "s3://bucket/rows.csv" } },
      }),
    );
    vi.spyOn(cluster, "updateStatus").mockImplementation(conflict);
    expect(await reconcileDataset(operator, "team/rows")).toEqual(OVERTAKEN);
  });
});

describe("a deleted job", () => {
  test.each(["Retain", "Delete"] as const)(
    "goes once nothing of it runs, and its artifacts: %s",
    async (kept) => {
      const { apply, until, cluster, store, step, job, cancelled } = world(kept);
      const prefix = jobPrefix(apply());
      await until("AgentFinished");
      expect((await job())?.metadata.finalizers).toEqual([FINALIZER]);
      cluster.delete("TrainingJob", "team/churn");
      expect((await job())?.metadata.deletionTimestamp).toBeDefined();
      await step();
      expect(await job()).toBeUndefined();
      expect(cancelled).toContain("team/churn");
      expect((await store.list(`${prefix}/`)).length > 0).toBe(kept === "Retain");
      expect((await store.list("models/team/churn/")).length > 0).toBe(kept === "Retain");
    },
  );

  test("is not gone on with, whatever it was doing", async () => {
    const { apply, step, cluster, store, job } = world();
    const prefix = journalPrefix(apply());
    await vi.waitFor(async () => {
      await step();
      expect((await store.list(prefix)).length).toBeGreaterThan(0);
    }, PATIENT);
    const before = await store.list(prefix);
    cluster.delete("TrainingJob", "team/churn");
    await step();
    await step();
    expect(await job()).toBeUndefined();
    expect(await store.list(prefix)).toEqual(before);
  });

  test("stays while somebody else's finalizer is on it, without its pods", async () => {
    const { apply, step, cluster, job, cancelled } = world();
    apply();
    await step();
    const read = await job();
    if (read) await cluster.setFinalizer(read, "example.org/audit", true);
    cluster.delete("TrainingJob", "team/churn");
    await step();
    await step();
    expect((await job())?.metadata.finalizers).toEqual(["example.org/audit"]);
    expect(cancelled.length).toBeGreaterThan(0);
  });
});

describe("a finished job", () => {
  test("leaves nothing running, however it ended", async () => {
    const { apply, until, operator, cancelled, step } = world();
    operator.datasets = () => Promise.reject(new StalledError("SourceTooLarge", "too large"));
    apply();
    await until("SourceTooLarge");
    expect(cancelled).toEqual(["team/churn"]);
    await step();
    expect(cancelled).toEqual(["team/churn"]);
  });

  test("is deleted when its time to live is over, and not before", async () => {
    const { apply, until, step, clock, job } = world();
    apply({ ttlSecondsAfterFinished: 3600 });
    await until("AgentFinished");
    expect(await step()).toEqual({ requeueAfterSeconds: 3600 });
    clock.at += 3_599_000;
    expect(await step()).toEqual({ requeueAfterSeconds: 1 });
    clock.at += 1000;
    await step();
    await step();
    expect(await job()).toBeUndefined();
  });

  test("that deploys its model is not deleted, for that would end with it", async () => {
    const { apply, until, step, clock, job } = world();
    apply({ ttlSecondsAfterFinished: 5, deploy: {} });
    await until("AgentFinished");
    clock.at += 10_000;
    expect(await step()).toEqual({});
    apply({ ttlSecondsAfterFinished: 5 });
    await step();
    await step();
    expect(await job()).toBeUndefined();
  });

  test("looks at a time to live of months day by day, for timers hold no more", async () => {
    const { apply, until, step } = world();
    apply({ ttlSecondsAfterFinished: 31_536_000 });
    await until("AgentFinished");
    expect(await step()).toEqual({ requeueAfterSeconds: 86_400 });
  });

  test("takes a package with it that was begun, and that its journal does not name yet", async () => {
    const { apply, step, cluster, store, job } = world("Delete");
    apply();
    const put = store.put.bind(store);
    const full = vi.spyOn(store, "put").mockImplementation(async (key, body) => {
      if (key.endsWith("/model.json")) throw new StoreError("StoreUnavailable", "it is full");
      await put(key, body);
    });
    await vi.waitFor(async () => {
      await step().catch(() => undefined);
      expect(await store.list("models/")).not.toEqual([]);
    }, PATIENT);
    full.mockRestore();
    cluster.delete("TrainingJob", "team/churn");
    await step();
    expect(await job()).toBeUndefined();
    expect(await store.list("models/")).toEqual([]);
  });

  test("may be given a time to live afterwards", async () => {
    const { apply, until, step, clock, job } = world();
    apply();
    await until("AgentFinished");
    expect(await step()).toEqual({});
    clock.at += 10_000;
    apply({ ttlSecondsAfterFinished: 5 });
    await step();
    await step();
    expect(await job()).toBeUndefined();
  });
});

describe("a job whose step is under way", () => {
  test("is not written to because time passes, but once a minute, or when something else changes", async () => {
    const { apply, step, until, job, clock, cluster, operator, llm } = world();
    apply();
    llm.refuses = true;
    await until("LlmRefused");
    const written: number[] = [];
    cluster.watch(({ status }) => written.push((status as { usage: { seconds: number } }).usage.seconds));
    const begun = (await job())?.status?.usage?.seconds ?? Number.NaN;
    for (let second = 0; second < 130; second += 2) {
      clock.at += 2000;
      await step();
    }
    expect(written).toEqual([begun + 60, begun + 120]);
    llm.refuses = false;
    clock.at += 2000;
    await step();
    expect((await job())?.status?.usage?.seconds).toBe(begun + 132);
    expect(operator.clock.now()).toBe(clock.at);
  });
});

describe("a suspended job", () => {
  test("does nothing, is charged nothing, and goes on where it was", async () => {
    const { apply, step, until, clock, operator, store, cancelled, entries } = world();
    const spec = { budget: { maxSeconds: 600 } };
    const prefix = journalPrefix(apply(spec));
    await vi.waitFor(async () => {
      await step();
      expect(entries).toContain("DatasetPrepared");
    }, PATIENT);
    apply({ ...spec, suspend: true });
    await until("Suspended");
    expect(cancelled).toEqual(["team/churn"]);
    const written = [...entries];
    clock.at += 3_600_000;
    await step();
    expect(entries).toEqual(written);
    apply(spec);
    await until("AgentFinished");
    expect(entries).toContain("JobResumed");
    const journal = await Journal.load(store, prefix, operator.clock, operator.startedAt);
    expect(journal.elapsedSeconds()).toBeLessThan(600);
  });

  test("that has not begun begins when it is resumed", async () => {
    const { apply, until, entries } = world();
    apply({ suspend: true });
    await until("Suspended");
    expect(entries).toEqual([]);
    apply();
    await until("AgentFinished");
  });
});

describe("what names something that is not there", () => {
  test("a job stalls with the reason, looks again within 30 s, and goes on when it is there", async () => {
    const { apply, step, until, cluster, job } = world();
    apply({ dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } } });
    await until("ConfigMapNotFound");
    expect((await step()).requeueAfterSeconds).toBeLessThanOrEqual(30);
    expect((await job())?.status?.state).toBe("TRAINING");
    cluster.setConfigMap("team", "rows", { other: "" });
    await step();
    expect(ready(await job())?.reason).toBe("ConfigMapNotFound");
    cluster.setConfigMap("team", "rows", { "rows.csv": "a,b\n1,2\n" });
    await until("AgentFinished");
    expect(cluster.events.filter(({ reason }) => reason === "ConfigMapNotFound").length).toBeLessThanOrEqual(
      2,
    );
  });

  test("a job stalls while its LLM refuses, and goes on", async () => {
    const { apply, until, llm } = world();
    llm.refuses = true;
    apply();
    await until("LlmRefused");
    llm.refuses = false;
    await until("AgentFinished");
  });

  test("a job waits for its Dataset, which stalls and is mended", async () => {
    const { apply, until, operator, cluster } = world();
    apply({ dataset: { datasetRef: { name: "rows" } } });
    await until("DatasetNotFound");
    cluster.apply(
      Dataset.parse({
        ...META,
        kind: "Dataset",
        metadata: { name: "rows", namespace: "team" },
        spec: { source: { configMapKeyRef: { name: "rows", key: "rows.csv" } } },
      }),
    );
    expect((await reconcileDataset(operator, "team/rows")).requeueAfterSeconds).toBeLessThanOrEqual(30);
    await until("ConfigMapNotFound");
    cluster.setConfigMap("team", "rows", { "rows.csv": "a,b\n1,2\n" });
    await vi.waitFor(async () => {
      await reconcileDataset(operator, "team/rows");
      expect(ready(await cluster.get("Dataset", "team/rows"))?.status).toBe("True");
    }, PATIENT);
    await until("AgentFinished");
  });
});

describe("a Dataset that is over", () => {
  test("stays so for an operator that comes later, whatever its source has become", async () => {
    const { operator, cluster } = world();
    const spec = { source: { uri: "s3://bucket/rows.csv" } };
    cluster.apply(
      Dataset.parse({ ...META, kind: "Dataset", metadata: { name: "rows", namespace: "team" }, spec }),
    );
    const bring: BringSource = () => Promise.reject(new StalledError("SourceTooLarge", "more than 100 MB"));
    expect(await reconcileDataset({ ...operator, bring }, "team/rows")).toEqual({});
    const before = await cluster.get("Dataset", "team/rows");
    expect(ready(before)?.reason).toBe("SourceTooLarge");
    const events = structuredClone(cluster.events);
    // The next operator finds a smaller file there.
    expect(await reconcileDataset(operator, "team/rows")).toEqual({});
    expect(await cluster.get("Dataset", "team/rows")).toEqual(before);
    expect(cluster.events).toEqual(events);
  });
});

describe("a deleted Dataset", () => {
  test.each(["Retain", "Delete"] as const)("goes, and its artifacts: %s", async (kept) => {
    const { operator, cluster, store, cancelled } = world(kept);
    const spec = { source: { uri: "s3://bucket/rows.csv" } };
    cluster.apply(
      Dataset.parse({ ...META, kind: "Dataset", metadata: { name: "rows", namespace: "team" }, spec }),
    );
    await vi.waitFor(async () => {
      await reconcileDataset(operator, "team/rows");
      expect(ready(await cluster.get("Dataset", "team/rows"))?.status).toBe("True");
    }, PATIENT);
    cluster.delete("Dataset", "team/rows");
    await reconcileDataset(operator, "team/rows");
    expect(await cluster.get("Dataset", "team/rows")).toBeUndefined();
    expect(cancelled).toEqual(["dataset:team/rows"]);
    expect((await store.list("datasets/team/")).length > 0).toBe(kept === "Retain");
  });
});

describe("a ModelDeployment", () => {
  test("says at every moment what it waits for", async () => {
    const { apply, until, operator, cluster } = world();
    cluster.apply(
      ModelDeployment.parse({
        ...META,
        kind: "ModelDeployment",
        metadata: { name: "churn", namespace: "team" },
        spec: { modelRef: { trainingJob: "churn" } },
      }),
    );
    const reason = async () => {
      await reconcileModelDeployment(operator, "team/churn");
      return ready(await cluster.get("ModelDeployment", "team/churn"))?.reason;
    };
    expect(await reason()).toBe("TrainingJobNotFound");
    apply();
    expect(await reason()).toBe("ModelNotReady");
    await until("AgentFinished");
    expect(await reason()).toBe("ServingNotAvailable");
  });

  test("of a job that failed says that there is no model", async () => {
    const { apply, until, operator, cluster } = world();
    operator.datasets = () => Promise.reject(new StalledError("SourceTooLarge", "too large"));
    apply();
    await until("SourceTooLarge");
    cluster.apply(
      ModelDeployment.parse({
        ...META,
        kind: "ModelDeployment",
        metadata: { name: "churn", namespace: "team" },
        spec: { modelRef: { trainingJob: "churn" } },
      }),
    );
    await reconcileModelDeployment(operator, "team/churn");
    expect(ready(await cluster.get("ModelDeployment", "team/churn"))).toMatchObject({
      status: "False",
      reason: "ModelNotAvailable",
    });
  });
});

describe("a platform that stalls", () => {
  test("is named on the condition, costs the job no time, and is gone on with once it is mended", async () => {
    const { apply, until, step, job, clock, entries, platform, operator } = world();
    const prefix = journalPrefix(apply());
    const elapsed = async () =>
      (await Journal.load(operator.store, prefix, clock, operator.startedAt)).elapsedSeconds();
    await vi.waitFor(async () => {
      await step();
      expect(entries).toContain("DatasetPrepared");
    }, PATIENT);
    platform.stalls = new PlatformError("ImagePullBackOff", "no such image", { stalled: true });
    await until("ImagePullBackOff");
    const conditions = (await job())?.status?.conditions ?? [];
    expect(conditions.find(({ type }) => type === "Stalled")).toMatchObject({ status: "True" });
    const before = await elapsed();
    for (let hour = 0; hour < 3; hour++) {
      clock.at += 3_600_000;
      await step();
    }
    expect(await elapsed()).toBe(before);
    expect(entries.filter((type) => type === "JobSuspended")).toHaveLength(1);
    delete platform.stalls;
    await until("AgentFinished");
    expect(entries.filter((type) => type === "JobResumed")).toHaveLength(1);
    expect(await elapsed()).toBeLessThan(before + 3_600);
  });

  test("that is tried again by itself is in progress, and named too", async () => {
    const { apply, step, job, platform } = world();
    apply();
    platform.stalls = new PlatformError("Evicted", "the node was low on memory");
    await vi.waitFor(async () => {
      await expect(step()).rejects.toMatchObject({ reason: "Evicted" });
      expect(ready(await job())).toMatchObject({ status: "Unknown", reason: "Evicted" });
    }, PATIENT);
  });
});
