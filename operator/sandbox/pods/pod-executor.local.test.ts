/** Courier and supervisor as processes of this machine, by the pods' own manifests, with a real MinIO between them. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LIMITS, python, uv } from "../../../test/attacks/bench.ts";
import { LocalKubelet } from "../../../test/local-kubelet.ts";
import { findMinio, type Minio, startMinio } from "../../../test/minio.ts";
import { archiveKey } from "../environment-keys.ts";
import type { Execution, Outcome, SandboxedExecution } from "../executor.ts";
import { PodExecutor, type PodExecutorOptions } from "./pod-executor.ts";
import { RUNNER_PATH } from "./settings.ts";

const CLAIM = "environments";
const BARE = "0".repeat(64);
const sha256 = (body: Uint8Array) => createHash("sha256").update(body).digest("hex");
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);

const program = findMinio();
describe.runIf(program !== undefined)("pods on one machine", () => {
  let minio: Minio;
  let kubelet: LocalKubelet;
  let executor: PodExecutor;
  const waiting = new Map<string, () => void>();
  beforeAll(async () => {
    minio = await startMinio(program ?? "");
    kubelet = new LocalKubelet();
    executor = executorWith({});
    const bare = join(kubelet.home, "claims/default", CLAIM, BARE);
    mkdirSync(bare, { recursive: true });
    execFileSync(uv, ["venv", "-q", "--allow-existing", "--no-project", "--python", python, bare]);
  });
  afterAll(async () => {
    await executor?.close();
    kubelet?.close();
    await minio?.close();
  });

  function executorWith(more: Partial<PodExecutorOptions>): PodExecutor {
    const made = new PodExecutor({
      pods: kubelet,
      store: minio.store,
      storeEndpoint: minio.options.endpoint,
      settings: { image: "runner", pullPolicy: "IfNotPresent", runnerPath: RUNNER_PATH },
      environmentsClaim: async () => CLAIM,
      ownerReference: () => undefined,
      onFinished: (owner) => waiting.get(owner)?.(),
      log: () => undefined,
      ...more,
    });
    kubelet.onChange = (view) => made.podChanged(view);
    return made;
  }

  async function finish(execution: Execution, by = executor): Promise<Outcome> {
    for (;;) {
      const woken = new Promise<void>((resolve) => waiting.set(execution.owner, resolve));
      const outcome = await by.ensure(execution);
      if (outcome !== undefined) return outcome;
      await woken;
    }
  }

  function script(name: string, source: string, more: Partial<SandboxedExecution> = {}): SandboxedExecution {
    return {
      kind: "Sandboxed",
      name,
      owner: `default/${name}`,
      limits: LIMITS,
      inputs: {},
      outputs: {},
      outcomeKey: `outcomes/${name}/outcome.json`,
      command: ["-c", source],
      environment: BARE,
      ...more,
    };
  }

  it("runs a program on its inputs, and keeps its outputs and its workspace", async () => {
    await minio.store.put("inputs/rows", bytes("1,2,3"));
    const outcome = await finish(
      script(
        "first",
        "open('out', 'w').write(open('data/rows').read()[::-1]); open('kept', 'w').write('k'); print('done')",
        {
          inputs: { "data/rows": "inputs/rows" },
          outputs: { out: "results/out", missing: "results/missing" },
          snapshotPrefix: "snapshots/",
        },
      ),
    );
    expect(outcome).toMatchObject({
      ended: "Completed",
      exitCode: 0,
      output: { head: "done\n" },
      notKept: [],
    });
    expect(text(await minio.store.get("results/out"))).toBe("3,2,1");
    expect(await minio.store.list("results/")).toEqual(["results/out"]);
    const next = script("second", "print(open('kept').read(), open('data/rows').read())", {
      workspace: `snapshots/${outcome.workspace}.tar`,
      inputs: { "data/rows": "inputs/rows" },
    });
    expect((await finish(next)).output.head).toBe("k 1,2,3\n");
    expect(await kubelet.listOwned("default/first")).toEqual([]);
  });

  it("shows generated code no grant, no courier and no socket", async () => {
    const source = `
import os, glob
seen = []
for path in glob.glob("/proc/[0-9]*/environ"):
    try: seen.append(open(path, "rb").read())
    except OSError as error: seen.append(repr(error).encode())
text = b" ".join(seen) + repr(os.environ).encode()
print("grant" if b"X-Amz" in text or b"AUTOAI" in text else "none", os.listdir("/exchange"), len(glob.glob("/proc/[0-9]*")))
for path in ("/spool", "/exchange/x", "/sandbox/x", "/environment/x"):
    try: open(path + "/y" if path == "/spool" else path, "w"); print("wrote", path)
    except OSError: pass
`;
    expect((await finish(script("peek", source))).output.head).toBe("none [] 2\n");
  });

  it("tells how a program fails, and bounds what it prints in the pod", async () => {
    const failed = await finish(script("fails", "print('x' * 20_000); raise SystemExit(3)"));
    expect(failed).toMatchObject({ ended: "Completed", exitCode: 3 });
    expect(failed.output.truncated).toBeGreaterThan(10_000);
    const slow = await finish(
      script("slow", "import time; time.sleep(60)", { limits: { ...LIMITS, seconds: 1 } }),
    );
    expect(slow.ended).toBe("TimedOut");
  });

  it("runs the runner's verbs, and passes their refusals on", async () => {
    await minio.store.put("inputs/good.csv", bytes("a,b\n1,x\n2,y\n"));
    await minio.store.put("inputs/bad.csv", bytes(""));
    const ingest = (name: string, input: string): Execution => ({
      kind: "Trusted",
      name,
      owner: `default/${name}`,
      limits: LIMITS,
      inputs: { "source.csv": input },
      outputs: { "canonical.csv": `results/${name}.csv` },
      outcomeKey: `outcomes/${name}.json`,
      verb: "ingest",
      request: {
        input: "source.csv",
        format: { delimiter: "Auto", encoding: "Auto" },
        canonical: "canonical.csv",
      },
    });
    const good = await finish(ingest("good", "inputs/good.csv"));
    expect(good).toMatchObject({ ended: "Completed", result: { rows: 2 } });
    expect(text(await minio.store.get("results/good.csv"))).toBe("a,b\n1,x\n2,y\n");
    const bad = await finish(ingest("bad", "inputs/bad.csv"));
    expect(bad).toMatchObject({ ended: "Refused", refusal: { reason: expect.any(String) } });
    expect(await minio.store.exists("results/bad.csv")).toBe(false);
  });

  it("names a courier that is killed, and runs the step again in a pod of another name", async () => {
    const execution = script("killed", "import time; time.sleep(0.5); print('through')");
    const woken = new Promise<void>((resolve) => waiting.set(execution.owner, resolve));
    await executor.ensure(execution);
    while (!(await kubelet.get("default", "killed"))) await new Promise((resolve) => setTimeout(resolve, 5));
    kubelet.kill("default", "killed", "courier");
    await woken;
    await expect(executor.ensure(execution)).rejects.toMatchObject({
      name: "PlatformError",
      reason: "ContainerFailed",
      stalled: false,
    });
    expect((await finish(execution)).output.head).toBe("through\n");
    expect(
      kubelet.created.map(({ metadata }) => metadata.name).filter((name) => name.startsWith("killed")),
    ).toEqual(["killed", "killed-2"]);
  });

  it("goes on with a pod that is there when the operator comes back, and runs it once", async () => {
    const execution = script("restart", "import time; time.sleep(1); print(time.monotonic_ns())");
    const before = executorWith({});
    await before.ensure(execution);
    while (!(await kubelet.get("default", "restart"))) await new Promise((resolve) => setTimeout(resolve, 5));
    await before.close();
    const after = executorWith({});
    const outcome = await finish(execution, after);
    expect(await finish(execution, executorWith({}))).toEqual(outcome);
    expect(kubelet.created.filter(({ metadata }) => metadata.name.startsWith("restart"))).toHaveLength(1);
    executor = executorWith({});
  });

  it("says so where a grant is good no more, and where an environment is nowhere", async () => {
    await expect(finish(script("absent", "", { inputs: { a: "inputs/none" } }))).rejects.toMatchObject({
      reason: "InputMissing",
    });
    const lost = script("lost", "", { environment: "f".repeat(64) });
    await expect(finish(lost)).rejects.toMatchObject({ reason: "EnvironmentMissing", stalled: false });
    await expect(finish(lost)).rejects.toMatchObject({ reason: "EnvironmentMissing", stalled: true });
  });

  it("brings an environment by the store where there is no claim", async () => {
    const made = join(kubelet.home, "claims/default", CLAIM, BARE);
    const tar = execFileSync("tar", ["-c", "-C", made, "bin", "lib", "pyvenv.cfg"], { maxBuffer: 2 ** 28 });
    const unclaimed = executorWith({ environmentsClaim: async () => undefined });
    const source = "import sys; print(sys.prefix)";
    const environment = "a".repeat(64);
    await minio.store.put(archiveKey("default", environment, sha256(tar)), tar);
    const outcome = await finish(script("fetched", source, { environment }), unclaimed);
    expect(outcome.output.head).toBe("/environment\n");
    // Of other bytes than those that it is named by: nothing of it is run.
    const changed = "b".repeat(64);
    await minio.store.put(archiveKey("default", changed, sha256(bytes("what was made"))), tar);
    await expect(
      finish(script("changed", source, { environment: changed }), unclaimed),
    ).rejects.toMatchObject({ reason: "DigestMismatch" });
    executor = executorWith({});
  });
});
