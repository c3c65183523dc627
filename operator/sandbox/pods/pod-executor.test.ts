import { beforeEach, describe, expect, it } from "vitest";
import { StoreError } from "../../storage/artifact-store.ts";
import type { Grants } from "../../storage/grants.ts";
import { MemoryStore } from "../../storage/memory-store.ts";
import {
  archiveKey,
  environmentLockKey,
  environmentPackagesKey,
  sharedLockKey,
} from "../environment-keys.ts";
import type { Execution, InstallExecution, Outcome, SandboxedExecution } from "../executor.ts";
import { MemoryPods } from "./memory-pods.ts";
import { PodExecutor, type PodExecutorOptions } from "./pod-executor.ts";
import { PodRefusedError } from "./pods.ts";
import { RUNNER_PATH } from "./settings.ts";

class GrantingStore extends MemoryStore implements Grants {
  /** Thrown by whatever looks for an object, while it is set. */
  away: StoreError | undefined;
  looks = 0;
  override async exists(key: string): Promise<boolean> {
    this.looks++;
    if (this.away) throw this.away;
    return super.exists(key);
  }
  override async get(key: string): Promise<Uint8Array> {
    this.looks++;
    if (this.away) throw this.away;
    return super.get(key);
  }
  grantGet = async (key: string, seconds: number) => `get:${key}:${seconds}`;
  grantPut = async (key: string, seconds: number) => `put:${key}:${seconds}`;
  grantPost = async (prefix: string) => ({ url: "post", fields: { key: prefix } });
}

const LIMITS = { seconds: 60, cpus: 1, memoryBytes: 1e9, diskBytes: 1e8, processes: 20 };
const EXECUTION: SandboxedExecution = {
  kind: "Sandboxed",
  name: "job-1",
  owner: "team/job",
  limits: LIMITS,
  inputs: { "data/rows": "inputs/rows" },
  outputs: { model: "models/1" },
  outcomeKey: "o/job-1/outcome.json",
  command: ["train.py"],
  environment: "e".repeat(64),
};
const OUTCOME: Outcome = {
  ended: "Completed",
  exitCode: 0,
  signal: null,
  seconds: 1,
  peakMemoryBytes: 1,
  output: { head: "hi", tail: "", truncated: 0 },
};
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const running = { containerStatuses: [{ name: "courier", state: { running: {} } }], phase: "Running" };
const failed = (reason: string) => ({
  phase: "Failed",
  containerStatuses: [
    {
      name: "courier",
      state: { terminated: { exitCode: 1, message: JSON.stringify({ reason, message: "m" }) } },
    },
  ],
});

let pods: MemoryPods;
let store: GrantingStore;
let woken: string[];
let clock: number;
let executor: PodExecutor;
const pause = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(1);
}
function executorWith(more: Partial<PodExecutorOptions> = {}): PodExecutor {
  const made = new PodExecutor({
    pods,
    store,
    storeEndpoint: "http://store.example:9000",
    settings: { image: "runner:1", pullPolicy: "IfNotPresent", runnerPath: RUNNER_PATH },
    environmentsClaim: async () => "environments",
    ownerReference: () => ({ apiVersion: "autoai.dev/v1alpha1", kind: "TrainingJob", name: "job", uid: "u" }),
    onFinished: (owner) => woken.push(owner),
    log: () => undefined,
    now: () => clock,
    resolve: async () => ["10.1.2.3"],
    pollMs: { first: 1, last: 2 },
    ...more,
  });
  pods.onChange = (view) => made.podChanged(view);
  return made;
}
beforeEach(() => {
  clock = 1_000_000;
  woken = [];
  pods = new MemoryPods(() => clock);
  store = new GrantingStore();
  executor = executorWith();
});
const created = () => pods.created.map(({ metadata }) => metadata.name);
async function begun(name = "job-1"): Promise<void> {
  await executor.ensure(EXECUTION);
  await until(async () => (await pods.get("team", name)) !== undefined);
}
async function outcome(execution: Execution = EXECUTION): Promise<Outcome | undefined> {
  const count = woken.length;
  const at = await executor.ensure(execution);
  if (at !== undefined) return at;
  await until(() => woken.length > count);
  return executor.ensure(execution);
}

describe("ensure", () => {
  it("makes one pod, however often it is asked, and asks the cluster for no more than to make and remove it", async () => {
    await Promise.all([1, 2, 3].map(() => executor.ensure(EXECUTION)));
    await until(() => created().length === 1);
    pods.change("team", "job-1", { nodeName: "n", status: running });
    expect(await executor.ensure(EXECUTION)).toBeUndefined();
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    await until(() => woken.length === 1);
    expect(await executor.ensure(EXECUTION)).toEqual(OUTCOME);
    expect(created()).toEqual(["job-1"]);
    expect(pods.removed).toEqual(["job-1"]);
    expect(woken).toEqual(["team/job"]);
    expect([...pods.namespacesWithPolicies]).toEqual(["team"]);
    expect(pods.created[0]?.metadata.ownerReferences).toHaveLength(1);
    expect(pods.created[0]?.spec.hostAliases).toEqual([{ ip: "10.1.2.3", hostnames: ["store.example"] }]);
  });

  it("removes a pod that an operator before it began, when it has ended well, and does not run it again", async () => {
    await begun();
    const next = executorWith();
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    pods.change("team", "job-1", { status: { phase: "Succeeded" } });
    await until(() => pods.removed.length > 0);
    expect(await next.ensure(EXECUTION)).toEqual(OUTCOME);
    expect(created()).toEqual(["job-1"]);
    await executor.close();
  });

  it("leaves a pod alone that looks like one of its own, and was begun by somebody else", async () => {
    await begun();
    await executor.close();
    executor = executorWith();
    pods.change("team", "job-1", { owner: "", execution: "", status: { phase: "Succeeded" } });
    await pause(20);
    expect(pods.removed).toEqual([]);
  });

  it("leaves a pod that failed for whoever asks for its execution, to tell why", async () => {
    await begun();
    await executor.close();
    executor = executorWith();
    pods.change("team", "job-1", { status: failed("SandboxHung") });
    await pause(20);
    expect(pods.removed).toEqual([]);
    await expect(outcome()).rejects.toMatchObject({ reason: "SandboxHung" });
  });

  it("does not run an execution that ended between a look into the store and the making of its pod", async () => {
    const exists = store.exists.bind(store);
    store.exists = async (key) => {
      if (key === EXECUTION.outcomeKey) await store.put(key, encode(OUTCOME));
      return exists(key);
    };
    expect(await outcome()).toEqual(OUTCOME);
    expect(created()).toEqual([]);
  });

  it("reads an outcome from the store once, however often it is asked for", async () => {
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    expect(await executor.ensure(EXECUTION)).toEqual(OUTCOME);
    await store.deletePrefix("o/");
    expect(await executor.ensure(EXECUTION)).toEqual(OUTCOME);
    expect(created()).toEqual([]);
  });

  it("does not run again what ran, whoever asks", async () => {
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    expect(await executor.ensure(EXECUTION)).toEqual(OUTCOME);
    expect(created()).toEqual([]);
  });

  it("keeps grants out of the pod but for one, which leads to the errand", async () => {
    await begun();
    const key = "o/job-1/outcome.json.errand-1.json";
    const text = JSON.stringify(pods.created[0]);
    expect(text).toContain(`get:${key}`);
    expect(text).not.toContain("put:");
    const errand = JSON.parse(new TextDecoder().decode(await store.get(key)));
    expect(errand).toMatchObject({
      kind: "Sandboxed",
      inputs: [{ path: "data/rows", url: expect.stringContaining("get:inputs/rows") }],
      outputs: [{ path: "model", url: expect.stringContaining("put:models/1") }],
    });
    await executor.close();
  });

  it("refuses paths outside of the working directory", async () => {
    await expect(outcome({ ...EXECUTION, inputs: { "../x": "inputs/rows" } })).rejects.toMatchObject({
      reason: "InvalidPath",
    });
    expect(created()).toEqual([]);
  });

  it("answers impossible requirements without a pod", async () => {
    const { command: _, environment: __, ...common } = EXECUTION;
    const install: Execution = { ...common, kind: "Install", packages: ["--index-url=http://evil"] };
    expect(await outcome(install)).toMatchObject({
      ended: "Refused",
      refusal: { reason: "InvalidRequirement" },
    });
    expect(created()).toEqual([]);
  });

  it("tells the packages of an environment that was there already", async () => {
    const { command: _, environment: __, ...common } = EXECUTION;
    const install: Execution = { ...common, kind: "Install", packages: [] };
    await store.put(install.outcomeKey, encode({ ...OUTCOME, environment: "e".repeat(64) }));
    const packages = [{ name: "numpy", version: "2" }];
    await store.put(environmentPackagesKey("team", "e".repeat(64)), encode(packages));
    expect(await executor.ensure(install)).toMatchObject({ packages });
  });
});

describe("after a restart of the operator", () => {
  it("goes on with the pod that is there", async () => {
    await begun();
    await executor.close();
    executor = executorWith();
    await executor.ensure(EXECUTION);
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    expect(await outcome()).toEqual(OUTCOME);
    expect(created()).toEqual(["job-1"]);
  });

  it("does not take the pod of a failed attempt for the next one", async () => {
    await begun();
    pods.change("team", "job-1", { status: failed("StoreUnavailable") });
    await until(() => woken.length === 1);
    executor = executorWith();
    expect(await executor.ensure(EXECUTION)).toBeUndefined();
    await until(() => created().length === 2);
    expect(created()).toEqual(["job-1", "job-1-2"]);
    await executor.close();
  });
});

describe("what the platform does wrong", () => {
  it("is thrown by name, the pod removed, and a new one made when asked again", async () => {
    await begun();
    pods.change("team", "job-1", {
      status: { phase: "Failed", reason: "Evicted", message: "low on memory" },
    });
    await until(() => woken.length === 1);
    await expect(executor.ensure(EXECUTION)).rejects.toMatchObject({
      name: "PlatformError",
      reason: "Evicted",
      stalled: false,
    });
    expect(pods.removed).toEqual(["job-1"]);
    await begun("job-1-2");
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    await until(() => woken.length === 2);
    expect(await executor.ensure(EXECUTION)).toEqual(OUTCOME);
  });

  it("is noticed where a pod vanishes, and not where the cache is behind", async () => {
    await begun();
    pods.vanish("team", "job-1");
    await until(() => woken.length === 1);
    await expect(executor.ensure(EXECUTION)).rejects.toMatchObject({ reason: "PodDeleted" });
  });

  it("becomes a stall after three attempts, and is tried again later", async () => {
    for (const name of ["job-1", "job-1-2", "job-1-3"]) {
      await begun(name);
      pods.change("team", name, { status: failed("RunnerFailed") });
      await until(() => woken.length === created().length);
      await expect(executor.ensure(EXECUTION)).rejects.toMatchObject({
        reason: "RunnerFailed",
        stalled: false,
      });
    }
    await expect(outcome()).rejects.toMatchObject({
      reason: "RunnerFailed",
      stalled: true,
      message: /3 attempts failed; the next one is in 60 s/,
    });
    clock += 60_000;
    await begun("job-1-4");
    await executor.close();
  });

  it("that waits for somebody is told while the pod is left, and forgotten when it goes on", async () => {
    await begun();
    const image = {
      name: "courier",
      state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } },
    };
    pods.change("team", "job-1", { nodeName: "n", status: { phase: "Pending", containerStatuses: [image] } });
    await until(() => woken.length === 1);
    const stall = { reason: "ImagePullBackOff", stalled: true };
    await expect(executor.ensure(EXECUTION)).rejects.toMatchObject(stall);
    await expect(executor.ensure(EXECUTION)).rejects.toMatchObject(stall);
    pods.change("team", "job-1", { status: running });
    await until(() => woken.length === 2);
    expect(await executor.ensure(EXECUTION)).toBeUndefined();
    expect(created()).toEqual(["job-1"]);
    expect(pods.removed).toEqual([]);
    await executor.close();
  });

  it("makes a pod that never starts anew, before its grants end", async () => {
    await begun();
    pods.change("team", "job-1", { status: { phase: "Pending" } });
    clock += 601_000;
    await until(() => woken.length === 1);
    await expect(executor.ensure(EXECUTION)).rejects.toMatchObject({ reason: "NotStarted" });
    expect(pods.removed).toEqual(["job-1"]);
    // Nothing ran, so it is no attempt: the next pod has the same name.
    await executor.ensure(EXECUTION);
    await until(() => created().length === 2);
    expect(created()).toEqual(["job-1", "job-1"]);
    await executor.close();
  });

  it.each([
    ["QuotaExceeded", false],
    ["NamespaceTerminating", false],
    ["AdmissionRefused", true],
    ["Forbidden", true],
    ["RuntimeClassNotFound", true],
  ] as const)("at the API server's door (%s) is no attempt", async (reason, stalled) => {
    pods.refusal = new PodRefusedError(reason, "because");
    for (let time = 0; time < 5; time++) await expect(outcome()).rejects.toMatchObject({ reason, stalled });
    pods.refusal = undefined;
    await begun("job-1");
    await executor.close();
  });

  it("is not looked for because a pod was made, placed or started, is looked for when it ends, and is read once", async () => {
    executor = executorWith({ pollMs: { first: 60_000, last: 60_000 } });
    await begun();
    const before = store.looks;
    for (const status of [{ phase: "Pending" }, running]) {
      pods.change("team", "job-1", { nodeName: "n", status });
      await pause(20);
    }
    expect(store.looks).toBe(before);
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    pods.change("team", "job-1", { phase: "Succeeded", status: { ...running, phase: "Succeeded" } });
    await until(() => woken.length === 1);
    expect(await executor.ensure(EXECUTION)).toEqual(OUTCOME);
    expect(store.looks).toBe(before + 1);
  });

  it("removes its pod once, though the pod is heard of again", async () => {
    let removals = 0;
    const remove = pods.remove.bind(pods);
    await begun();
    const view = await pods.get("team", "job-1");
    pods.remove = async (namespace, name) => {
      removals++;
      await remove(namespace, name);
    };
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    await until(() => woken.length === 1);
    // As an event that was under way when it was removed.
    if (view) executor.podChanged({ ...view, phase: "Succeeded" });
    await pause(20);
    expect(removals).toBe(1);
  });

  it("of many pods that do not start, asks for the events of one at a time", async () => {
    let asked = 0;
    pods.events = async () => {
      asked++;
      return [];
    };
    const many = Array.from({ length: 20 }, (_, number) => ({
      ...EXECUTION,
      name: `many-${number}`,
      outcomeKey: `o/many-${number}/outcome.json`,
    }));
    await Promise.all(many.map((execution) => executor.ensure(execution)));
    await until(() => created().length === many.length);
    clock += 20_000;
    await until(() => asked > 0);
    await pause(300);
    expect(asked).toBe(1);
    await executor.close();
  });

  it("is not looked for in a store that is away: the pod goes on", async () => {
    await begun();
    pods.change("team", "job-1", { nodeName: "n", status: running });
    store.away = new StoreError("StoreUnavailable", "away");
    await pause(20);
    store.away = undefined;
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    expect(await outcome()).toEqual(OUTCOME);
    expect(created()).toEqual(["job-1"]);
  });

  it("is reached at the address that it had, while the resolver does not answer", async () => {
    let answers = true;
    executor = executorWith({
      resolve: () => (answers ? Promise.resolve(["10.1.2.3"]) : Promise.reject(new Error("EAI_AGAIN"))),
    });
    await begun();
    answers = false;
    await executor.ensure({ ...EXECUTION, name: "job-2", outcomeKey: "o/job-2/outcome.json" });
    await until(() => created().length === 2);
    expect(pods.created[1]?.spec.hostAliases).toEqual(pods.created[0]?.spec.hostAliases);
  });

  it("names a store whose host has no address", async () => {
    executor = executorWith({ resolve: () => Promise.reject(new Error("ENOTFOUND")) });
    await expect(outcome()).rejects.toMatchObject({ reason: "StoreUnavailable", message: /store\.example/ });
  });
});

describe("what the code did, and its supervisor did not live to tell", () => {
  it("is its outcome", async () => {
    await begun();
    const code = { name: "code", state: { terminated: { exitCode: 137, reason: "OOMKilled" } } };
    pods.change("team", "job-1", {
      status: { phase: "Running", containerStatuses: [...running.containerStatuses, code] },
    });
    await until(() => woken.length === 1);
    expect(await executor.ensure(EXECUTION)).toMatchObject({ ended: "OutOfMemory", exitCode: null });
    expect(pods.removed).toEqual(["job-1"]);
  });
});

describe("an environment that the store is to have, where there is no claim", () => {
  it("is made from its lock before the execution has a pod, if the store has no archive with a digest", async () => {
    const { environment } = EXECUTION;
    await store.put(environmentLockKey("team", environment), encode("lock"));
    // As archives were named before: nobody can say whether it is what was made.
    await store.put(`environments/${environment}.tar`, encode("tar"));
    executor = executorWith({ environmentsClaim: async () => undefined });
    await begun("job-1-env-1");
    expect(created()).toEqual(["job-1-env-1"]);
    const archive = "a".repeat(64);
    await store.put(archiveKey("team", environment, archive), encode("tar"));
    await store.put(
      `${EXECUTION.outcomeKey}.environment-1.json`,
      encode({ ...OUTCOME, environment, packages: [] }),
    );
    await until(() => created().includes("job-1"));
    const errand = JSON.parse(
      new TextDecoder().decode(await store.get(`${EXECUTION.outcomeKey}.errand-1.json`)),
    );
    expect(errand.environment).toEqual({
      url: expect.stringContaining(archiveKey("team", environment, archive)),
      sha256: archive,
    });
  });
});

describe("an environment that is not on the claim", () => {
  it.each([
    ["its own", environmentLockKey("team", EXECUTION.environment)],
    ["one that an earlier operator kept for all namespaces", sharedLockKey(EXECUTION.environment)],
  ])("is made again from its lock, %s, once, and then the execution runs", async (_whose, lock) => {
    await store.put(lock, encode("lock"));
    await begun();
    pods.change("team", "job-1", { status: failed("EnvironmentMissing") });
    await until(() => woken.length === 1);
    await expect(executor.ensure(EXECUTION)).rejects.toMatchObject({
      reason: "EnvironmentMissing",
      stalled: false,
    });
    await begun("job-1-env-2");
    const install = pods.created[1];
    expect(install?.metadata.labels["autoai.dev/role"]).toBe("install");
    const restored = `${EXECUTION.outcomeKey}.environment-2.json`;
    await store.put(restored, encode({ ...OUTCOME, environment: EXECUTION.environment, packages: [] }));
    await until(() => created().includes("job-1-2"));
    await store.put(EXECUTION.outcomeKey, encode(OUTCOME));
    expect(await outcome()).toEqual(OUTCOME);
    expect(created()).toEqual(["job-1", "job-1-env-2", "job-1-2"]);
  });
});

describe("the same packages, asked for by several jobs at once", () => {
  const environment = "d".repeat(64);
  const installOf = (job: string, packages = ["lightgbm", "xgboost"]): InstallExecution => ({
    kind: "Install",
    name: `${job}-install`,
    owner: `team/${job}`,
    limits: LIMITS,
    inputs: {},
    outputs: {},
    outcomeKey: `o/${job}/install.json`,
    packages,
  });
  const made = { ...OUTCOME, environment, packages: [{ name: "lightgbm", version: "4" }] };
  const [one, two] = [installOf("one"), installOf("two", ["xgboost", "lightgbm"])];
  const ensureAll = (...installs: InstallExecution[]) =>
    Promise.all(installs.map((install) => executor.ensure(install)));

  it("are installed once, and everybody is told", async () => {
    const other = installOf("other", ["catboost"]);
    await ensureAll(one, two, other);
    await until(() => created().length === 2);
    await pause(20);
    expect(created().sort()).toEqual(["one-install", "other-install"]);
    await store.put(one.outcomeKey, encode(made));
    await until(() => woken.length === 2);
    expect(woken.sort()).toEqual(["team/one", "team/two"]);
    expect(await ensureAll(one, two)).toEqual([made, made]);
    expect(created()).toHaveLength(2);
    await executor.close();
  });

  it("are installed for the next, where the first one's job goes away", async () => {
    await ensureAll(one, two);
    await until(() => created().length === 1);
    await executor.cancel(one.owner);
    await until(() => created().length === 2);
    expect(created()).toEqual(["one-install", "two-install"]);
    await executor.cancel(two.owner);
    expect(pods.removed).toEqual(["one-install", "two-install"]);
  });

  it("stall for all of them, and go on for all of them", async () => {
    await ensureAll(one, two);
    await until(async () => (await pods.get("team", "one-install")) !== undefined);
    clock += 30_000;
    const waiting = { reason: "ImagePullBackOff", message: "no such image" };
    const status = { phase: "Pending", containerStatuses: [{ name: "runner", state: { waiting } }] };
    pods.change("team", "one-install", { nodeName: "n", status });
    await until(() => woken.length === 2);
    for (const install of [one, two])
      await expect(executor.ensure(install)).rejects.toMatchObject({
        reason: "ImagePullBackOff",
        stalled: true,
      });
    pods.change("team", "one-install", { status: running });
    await until(() => woken.length === 4);
    await store.put(one.outcomeKey, encode(made));
    await until(() => woken.length === 6);
    expect(await ensureAll(one, two)).toEqual([made, made]);
  });
});

describe("cancel", () => {
  it("is done once the node says that nothing of the pod runs, since that may still write", async () => {
    const ended: string[] = [];
    pods.onEnd = (_namespace, name) => ended.push(name);
    await begun();
    let isDone = false;
    const done = executor.cancel("team/job").then(() => {
      isDone = true;
    });
    await until(() => ended.length > 0);
    await pause(200);
    expect(isDone).toBe(false);
    pods.vanish("team", "job-1");
    await done;
    expect(ended).toEqual(["job-1"]);
    expect(pods.removed).toEqual([]);
    await executor.close();
  });

  it("waits no more than a minute for a node that says nothing", async () => {
    pods.onEnd = () => {
      clock += 61_000;
    };
    await begun();
    await executor.cancel("team/job");
    expect(pods.removed).toEqual(["job-1"]);
    await executor.close();
  });

  it("removes what runs for an owner, keeps no outcome, and may be called twice", async () => {
    await begun();
    const other: Execution = {
      ...EXECUTION,
      name: "other-1",
      owner: "team/other",
      outcomeKey: "o/other.json",
    };
    await executor.ensure(other);
    await until(() => created().length === 2);
    await executor.cancel("team/job");
    await executor.cancel("team/job");
    expect(await pods.listOwned("team/job")).toEqual([]);
    expect(await pods.listOwned("team/other")).toHaveLength(1);
    expect(await store.exists(EXECUTION.outcomeKey)).toBe(false);
    expect(woken).toEqual([]);
    await begun();
    await executor.close();
  });
});
