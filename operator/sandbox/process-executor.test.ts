import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BARE, type Bench, LIMITS, openBench } from "../../test/attacks/bench.ts";
import type { SandboxedExecution } from "./executor.ts";

let bench: Bench;
let finished: string[] = [];
beforeAll(() => {
  bench = openBench({ cpus: 1, onFinished: (owner) => finished.push(owner) });
});
afterAll(() => bench.close());

function script(name: string, source: string, more: Partial<SandboxedExecution> = {}): SandboxedExecution {
  return {
    kind: "Sandboxed",
    name,
    owner: `default/${name}`,
    limits: LIMITS,
    inputs: {},
    outputs: {},
    outcomeKey: `outcomes/${name}.json`,
    command: ["-c", source],
    environment: BARE,
    ...more,
  };
}

describe("ensure", () => {
  it("runs an execution once, however often it is asked, and wakes its owner when it is over", async () => {
    finished = [];
    const once = script("once", "import time; print(time.monotonic_ns())");
    expect(await Promise.all([1, 2, 3].map(() => bench.executor.ensure(once)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const first = await bench.finish(once);
    expect(finished).toEqual(["default/once"]);
    expect(await bench.finish(once)).toEqual(first);
    const other = openBench({ home: bench.home, store: bench.store });
    expect(await other.executor.ensure(once)).toEqual(first);
    expect(finished).toEqual(["default/once"]);
  });

  it("keeps to its bound on executions at a time", async () => {
    const source = "import time; print(time.monotonic()); time.sleep(0.2); print(time.monotonic())";
    const outcomes = await Promise.all(
      ["one", "two", "three"].map((name) => bench.finish(script(name, source))),
    );
    const spans = outcomes
      .map(({ output }) => output.head.trim().split("\n").map(Number))
      .sort(([a = 0], [b = 0]) => a - b);
    for (const [place, [start = 0]] of spans.entries()) {
      if (place > 0) expect(start).toBeGreaterThan(spans[place - 1]?.[1] ?? Number.POSITIVE_INFINITY);
    }
  });

  it("throws what the platform did wrong, and tries again when asked again", async () => {
    const needs = script("needs", "print(open('in').read())", { inputs: { in: "inputs/late" } });
    await expect(bench.finish(needs)).rejects.toThrow("no object at inputs/late");
    await bench.store.put("inputs/late", new TextEncoder().encode("here"));
    expect((await bench.finish(needs)).output.head).toBe("here\n");
    await expect(bench.finish(script("nowhere", "", { environment: "f".repeat(64) }))).rejects.toMatchObject({
      reason: "EnvironmentMissing",
    });
    await expect(
      bench.finish(script("above", "", { inputs: { "../x": "inputs/late" } })),
    ).rejects.toMatchObject({
      reason: "InvalidPath",
    });
  });

  it("carries a workspace from one execution to the next, under the inputs of the next", async () => {
    const first = await bench.finish(
      script("first", "open('a','w').write('old'); open('b','w').write('kept')", {
        snapshotPrefix: "snapshots/",
      }),
    );
    await bench.store.put("inputs/a", new TextEncoder().encode("new"));
    const second = script("second", "print(open('a').read(), open('b').read())", {
      workspace: `snapshots/${first.workspace}.tar`,
      inputs: { a: "inputs/a" },
    });
    expect((await bench.finish(second)).output.head).toBe("new kept\n");
  });
});

describe("cancel", () => {
  it("ends what runs and what waits for an owner, keeps no outcome, and may be called twice", async () => {
    const long = script("long", "import time; time.sleep(1000)", { owner: "default/job" });
    const queued = script("queued", "print(1)", { owner: "default/job" });
    await bench.executor.ensure(long);
    await bench.executor.ensure(queued);
    await bench.executor.cancel("default/job");
    await bench.executor.cancel("default/job");
    expect(await bench.store.list("outcomes/long")).toEqual([]);
    expect(await bench.store.list("outcomes/queued")).toEqual([]);
    expect(readdirSync(join(bench.home, "tmp"))).toEqual([]);
    expect((await bench.finish(queued)).output.head).toBe("1\n");
  });
});

describe("the end of the operator, by SIGKILL", () => {
  it("ends its executions, and the next operator sweeps what they left", async () => {
    const marker = `orphan-${process.pid}`;
    const program = join(bench.home, "operator.ts");
    writeFileSync(
      program,
      `import { BARE, LIMITS, openBench } from ${JSON.stringify(join(import.meta.dirname, "../../test/attacks/bench.ts"))};
const bench = openBench({ home: ${JSON.stringify(bench.home)} });
await bench.executor.ensure(${JSON.stringify(script("orphan", "import time; time.sleep(1000)", { command: ["-c", "import time; time.sleep(1000)", marker] }))});
`,
    );
    const operator = spawn(process.execPath, [program], { stdio: "inherit" });
    await until(() => processes(marker) > 0);
    await killed(operator);
    await until(() => processes(marker) === 0);
    expect(readdirSync(join(bench.home, "tmp"))).toHaveLength(1);
    mkdirSync(join(bench.home, "tmp", `${process.pid}-1-reused`));
    openBench({ home: bench.home, store: bench.store });
    expect(readdirSync(join(bench.home, "tmp"))).toEqual([]);
  });
});

describe("without bubblewrap", () => {
  it("generated code does not run, and the message says how it could", async () => {
    const bare = openBench({ bwrap: "/nonexistent/bwrap" });
    await expect(bare.attack("print(1)")).rejects.toMatchObject({
      reason: "SandboxUnavailable",
      message: /not installed.*apt install bubblewrap.*--unsafe-no-sandbox/,
    });
    expect(await bare.executor.sandboxMissing()).toMatch(/not installed/);
    bare.close();
  });

  it("generated code runs where that is allowed, with time, memory, output and processes bounded", async () => {
    const bare = openBench({ bwrap: "/nonexistent/bwrap", allowUnsandboxed: true });
    const marker = `stray-${process.pid}`;
    const limits = { ...LIMITS, seconds: 1 };
    await bare.store.put("inputs/a", new TextEncoder().encode("a"));
    const options = { inputs: { "data/a": "inputs/a" }, outputs: { out: "o/out" }, snapshotPrefix: "s/" };
    const ran = await bare.attack(
      "open('data/a', 'w').write('x'); open('out', 'w').write('y'); print(__import__('os').getcwd())",
      options,
    );
    expect(ran).toMatchObject({ ended: "Completed", exitCode: 0, notKept: [] });
    expect(new TextDecoder().decode(await bare.store.get("inputs/a"))).toBe("a");
    expect(await bare.store.list("o/")).toEqual(["o/out"]);
    expect((await bare.attack("while True: pass", { limits })).ended).toBe("TimedOut");
    expect((await bare.attack("bytearray(64 << 30)")).ended).toBe("OutOfMemory");
    const detached = `
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execv(sys.executable, ["python", "-c", "import time; time.sleep(1000)", "${marker}"])
    os._exit(0)
__import__("time").sleep(0.3)
`;
    expect((await bare.attack(detached)).ended).toBe("Completed");
    expect(processes(marker)).toBe(0);
    const bomb = "import os, time\nfor _ in range(40): os.fork() or time.sleep(60)\ntime.sleep(60)\n";
    expect((await bare.attack(bomb)).ended).toBe("TooManyProcesses");
    bare.close();
  });
});

function processes(marker: string): number {
  return readdirSync("/proc").filter((name) => {
    const path = `/proc/${name}/cmdline`;
    try {
      return (
        /^\d+$/.test(name) &&
        existsSync(path) &&
        readFileSync(path, "utf8").includes(`sleep(1000)\0${marker}`)
      );
    } catch {
      return false;
    }
  }).length;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

function killed(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.once("exit", () => done());
    child.kill("SIGKILL");
  });
}
