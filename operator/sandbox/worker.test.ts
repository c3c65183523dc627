/** The worker of the trusted verbs: what a verb can reach, and what a verb or a signal can break. */
import { spawn } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bench, LIMITS, openBench, runnerDir } from "../../test/attacks/bench.ts";
import type { TrustedExecution } from "./executor.ts";

const VERBS = `
import ctypes, json, os, pathlib, socket, sys, time
verb, request = sys.argv[1], json.load(open(sys.argv[3]))
libc = ctypes.CDLL(None, use_errno=True)

def tries(name, action):
    try: action()
    except OSError: return []
    return [name]

def call(function, *arguments):
    if function(*arguments) == -1: raise OSError(ctypes.get_errno())

if verb == "where":
    result = {"process": os.getpid(), "loaded": "numpy" in sys.modules, "threads": len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self") else None}
elif verb == "reach":
    result = []
    for path in ("/exchange", "/proc", "/dev/shm", "/scratch"):
        result += [f"{path}/{name}" for name in os.listdir(path)]
    result += [path for path in request["paths"] if os.path.exists(path)]
    result += tries("in.txt written", lambda: open("in.txt", "w"))
    result += tries("in.txt mounted again", lambda: call(libc.mount, None, b"/job/in.txt", None, 4096 | 32, None))
    result += tries("in.txt removed", lambda: os.remove("in.txt"))
    result += tries("temporary files of others written", lambda: open("/tmp/x", "w"))
    result += tries("system written", lambda: open("/usr/x", "w"))
    result += tries("cover taken away", lambda: call(libc.umount2, b"/exchange", 2))
    result += tries("namespaces made", lambda: call(libc.unshare, 0x10020000))
    result += tries("another traced", lambda: call(libc.ptrace, 16, 2, 0, 0))
    result += tries("another signalled", lambda: [os.kill(other, 0) for other in (2, 3, 4, 5)])
    result += tries("network", lambda: socket.create_connection(("127.0.0.1", request["port"]), 2))
elif verb == "wait":
    if os.getpid() == 1: pathlib.Path("/scratch/mine").touch(); pathlib.Path("/dev/shm/mine").touch()
    time.sleep(1000)
elif verb == "die":
    ctypes.string_at(0)
elif verb == "abort":
    os.abort()
elif verb == "fill":
    x = bytearray(8 << 30)
elif verb == "stray":
    if os.fork() == 0:
        os.setsid(); os.closerange(0, 100); time.sleep(1000)
    result = "left one"
json.dump(result, open("result.json", "w"))
`;

let home: string;
let bench: Bench;
let listening: Server;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "worker-"));
  cpSync(join(runnerDir, "autoai_runner"), join(home, "runner/autoai_runner"), { recursive: true });
  writeFileSync(join(home, "runner/autoai_runner/__main__.py"), VERBS);
  listening = createServer().listen(0, "127.0.0.1");
});
afterAll(() => {
  listening.close();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(async () => {
  bench = openBench({ home, runnerDir: join(home, "runner") });
  await bench.store.put("in", new TextEncoder().encode("ab"));
  bench.executor.warmUp();
  return () => bench.executor.close();
});

let count = 0;
function verb(name: string, more: Partial<TrustedExecution> = {}): TrustedExecution {
  const label = `${name}-${process.pid}-${++count}`;
  const named = { name: label, owner: `w/${label}`, outcomeKey: `o/${label}`, verb: name };
  return { kind: "Trusted", ...named, limits: LIMITS, inputs: {}, outputs: {}, request: {}, ...more };
}

/** Processes with this home in their variables: the worker, and what it forked. */
function processes(): { pid: number; name: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || !readFileSync(`/proc/${name}/environ`, "utf8").includes(home)) return [];
      return [{ pid: Number(name), name: readFileSync(`/proc/${name}/cmdline`, "utf8") }];
    } catch {
      return [];
    }
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

/** A verb that is at work until it is ended. */
async function waiting(): Promise<TrustedExecution> {
  const before = processes().length;
  const execution = verb("wait", { inputs: { "in.txt": "in" } });
  await bench.executor.ensure(execution);
  // The worker's child, and the child in its namespaces.
  await until(() => processes().length >= before + 2);
  return execution;
}

it("a verb finds the libraries loaded, in a process that is the first of its namespace", async () => {
  await until(() => processes().length > 0);
  const outcome = await bench.finish(verb("where"));
  expect(outcome.result).toMatchObject({ process: 1, loaded: true });
});

it("a verb reaches no other request, no process, no network and nothing that undoes it", async () => {
  await bench.finish(verb("where"));
  const other = await waiting();
  const { port } = listening.address() as { port: number };
  const paths = [join(home, "store"), join(home, "environments"), join(home, "tmp"), "/etc/passwd", "/var"];
  const outcome = await bench.finish(verb("reach", { request: { paths, port }, inputs: { "in.txt": "in" } }));
  expect(outcome.result).toEqual([]);
  expect(new TextDecoder().decode(await bench.store.get("in"))).toBe("ab");
  await bench.executor.cancel(other.owner);
});

describe("a verb that ends badly", () => {
  it.each([
    ["die", /SIGSEGV/],
    ["abort", /SIG(ABRT|SEGV|ILL)/],
    ["fill", /MemoryError/],
  ])("%s: is told, and the next one is served by the same worker", async (name, message) => {
    await bench.finish(verb("where"));
    const [before] = processes();
    await expect(bench.finish(verb(name))).rejects.toMatchObject({ reason: "RunnerFailed", message });
    expect((await bench.finish(verb("where"))).result).toMatchObject({ process: 1 });
    expect(processes()[0]).toEqual(before);
  });

  it("takes the processes along that it left", async () => {
    await bench.finish(verb("where"));
    const before = processes();
    expect((await bench.finish(verb("stray"))).result).toBe("left one");
    expect(processes()).toEqual(before);
  });

  it("is ended when its owner cancels, and the worker is not", async () => {
    await bench.finish(verb("where"));
    const before = processes();
    const execution = await waiting();
    await bench.executor.cancel(execution.owner);
    expect(processes()).toEqual(before);
    expect(await bench.store.list(execution.outcomeKey)).toEqual([]);
  });
});

it("a worker that was killed is the platform's fault, and is started again", async () => {
  await bench.finish(verb("where"));
  const execution = await waiting();
  const finished = expect(bench.finish(execution)).rejects.toMatchObject({
    reason: "RunnerFailed",
    message: /worker ended/,
  });
  for (const { pid } of processes()) process.kill(pid, "SIGKILL");
  await finished;
  // The one that finds it gone loads its own libraries.
  await bench.finish(verb("where"));
  await until(() => processes().length > 0);
  expect((await bench.finish(verb("where"))).result).toMatchObject({ process: 1 });
});

describe("the end of the operator, by SIGKILL", () => {
  it.each(["bwrap", "/nonexistent/bwrap"])("leaves neither worker nor verb, with %s", async (bwrap) => {
    await bench.executor.close();
    const program = join(home, "operator.ts");
    const execution = verb("wait");
    writeFileSync(
      program,
      `import { openBench } from ${JSON.stringify(join(import.meta.dirname, "../../test/attacks/bench.ts"))};
const bench = openBench(${JSON.stringify({ home, runnerDir: join(home, "runner"), bwrap })});
bench.executor.warmUp();
await bench.finish(${JSON.stringify(execution)});
`,
    );
    const operator = spawn(process.execPath, [program], { stdio: "inherit" });
    await until(() => processes().length >= 2);
    await new Promise((done) => {
      operator.once("exit", done);
      operator.kill("SIGKILL");
    });
    await until(() => processes().length === 0);
    openBench({ home });
    expect(readdirSync(join(home, "tmp"))).toEqual([]);
  });
});

it("where no child can be secluded, each verb has a sandbox of its own", async () => {
  const wrapper = join(home, "bwrap-without-user-namespaces");
  writeFileSync(wrapper, '#!/bin/sh\nexec bwrap --unshare-user --disable-userns "$@"\n');
  chmodSync(wrapper, 0o755);
  const said: unknown[] = [];
  const strict = openBench({
    home,
    runnerDir: join(home, "runner"),
    bwrap: wrapper,
    log: (message, fields) => said.push({ message, ...fields }),
  });
  strict.executor.warmUp();
  const outcome = await strict.finish(verb("where"));
  expect(outcome.result).toMatchObject({ loaded: false });
  expect(said).toContainEqual({
    message: "no worker for trusted verbs",
    reason: expect.stringMatching(/unshare/),
  });
});
