/**
 * What stops generated code on one machine, by taking it away: each attack is refused as things are, and succeeds where the guard is
 * patched out. The runner's guards are lines of Python, in a copy of the runner; bubblewrap's are arguments, which a script drops.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { Limits, Outcome } from "../../operator/sandbox/executor.ts";
import { type Bench, LIMITS, openBench, python, runnerDir } from "./bench.ts";
import { attack, type Got, TIMES } from "./ledger.ts";

const MB = 1024 ** 2;
const SECRET = ["key", "of", String(process.pid)].join("-");
const folder = mkdtempSync(join(tmpdir(), "guards-"));
const benches: Bench[] = [];
const listener = createServer((socket) => socket.end("reached\n"));
let port = 0;
let bench: Bench;

beforeAll(async () => {
  process.env.GEMINI_API_KEY = SECRET;
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  port = (listener.address() as AddressInfo).port;
  bench = opened({});
});
afterAll(() => {
  delete process.env.GEMINI_API_KEY;
  listener.close();
  for (const one of benches) one.close();
  rmSync(folder, { recursive: true, force: true });
});

function opened(options: Parameters<typeof openBench>[0]): Bench {
  const one = openBench(options);
  benches.push(one);
  return one;
}

/** A runner without a guard: file → what stands there, and what stands there instead. Throws where it does not stand there any more. */
function runnerWith(changes: Readonly<Record<string, readonly (readonly [string, string])[]>>): string {
  const copy = mkdtempSync(join(folder, "runner-"));
  cpSync(runnerDir, copy, { recursive: true, filter: (path) => !/\/(tests|__pycache__)(\/|$)/.test(path) });
  for (const [file, edits] of Object.entries(changes)) {
    const path = join(copy, "autoai_runner", file);
    let text = readFileSync(path, "utf8");
    for (const [before, after] of edits) {
      if (!text.includes(before)) throw new Error(`${file} has no ${before}: what guards there now?`);
      text = text.replace(before, after);
    }
    writeFileSync(path, text);
  }
  // Whoever generated code is run as has to read it.
  execFileSync("chmod", ["-R", "a+rX", folder]);
  return copy;
}

/** bubblewrap, deaf to some of its arguments. */
function bwrapWithout(...dropped: string[]): string {
  const script = join(mkdtempSync(join(folder, "bwrap-")), "bwrap");
  const tests = dropped.map((one) => `[ "$one" = "${one}" ]`).join(" || ");
  writeFileSync(
    script,
    // What Node hands to it is nothing: whoever drops --clearenv hands on what this script has.
    `#!/usr/bin/env bash\nexport GEMINI_API_KEY=${SECRET}\nwords=()\nfor one in "$@"; do ${tests} || words+=("$one"); done\nexec bwrap "\${words[@]}"\n`,
  );
  chmodSync(script, 0o755);
  return script;
}

const NO_FILTER = { "supervise.py": [["confine.filter_syscalls(program)", "pass"]] } as const;
// Once more after the change of user, which hides by itself.
const SHOWN = ["confine.hide()", "confine.unhide()"] as const;
const UNHIDDEN = { "supervise.py": [SHOWN, SHOWN] } as const;

/** A program that says GOT and what, where it got something. */
function program(name: string, guard: string, source: () => string, how: string, without: () => Bench): void {
  const got = async (where: Bench): Promise<Got> =>
    /GOT .*/.exec((await where.attack(source())).output.head)?.[0];
  attack(name, {
    place: "sandbox of one machine",
    guard,
    attempt: () => got(bench),
    without: { how, attempt: () => got(without()) },
  });
}

program(
  "a port of this machine",
  "a network of its own",
  () => `
import socket
try: print("GOT", socket.create_connection(("127.0.0.1", ${port}), 2).recv(20))
except OSError as error: print(error)
`,
  "with the machine's network",
  () => opened({ bwrap: bwrapWithout("--unshare-net") }),
);

program(
  "the key of the LLM, in a process's variables",
  "no variables are handed on, hide()",
  () => `
import glob
for path in ["/proc/self/environ", *glob.glob("/proc/[0-9]*/environ")]:
    try: text = open(path).read()
    except OSError: continue
    if "${SECRET.slice(0, 7)}" in text: print("GOT the key in", path)
`,
  "with variables handed on, and hide() patched out",
  () => opened({ bwrap: bwrapWithout("--clearenv"), runnerDir: runnerWith(UNHIDDEN) }),
);

program(
  "the supervisor's memory",
  "hide()",
  () => `
try: print("GOT", len(open("/proc/1/maps").read()) > 0 and "maps of process 1")
except OSError as error: print(error)
`,
  "with hide() patched out",
  () => opened({ runnerDir: runnerWith(UNHIDDEN) }),
);

program(
  "ptrace of another process",
  "filter of system calls",
  () => `
import ctypes, os, platform, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(9)"])
time.sleep(0.2)
number = 101 if platform.machine() == "x86_64" else 117
print("GOT" if ctypes.CDLL(None).syscall(number, 16, child.pid, 0, 0) == 0 else "refused", "a traced process")
child.kill()
`,
  "with the filter patched out",
  () => opened({ runnerDir: runnerWith(NO_FILTER) }),
);

program(
  "memory that no process's size shows",
  "filter of system calls",
  () => `
import os
try: print("GOT", os.write(os.memfd_create("hidden"), bytes(1 << 20)), "bytes")
except OSError as error: print(error)
`,
  "with the filter patched out",
  () => opened({ runnerDir: runnerWith(NO_FILTER) }),
);

program(
  "a way to the hypervisor",
  "filter of address families",
  () => `
import socket
try: print("GOT", socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
except OSError as error: print(error)
`,
  "with the filter patched out",
  () => opened({ runnerDir: runnerWith(NO_FILTER) }),
);

const SMALL: Limits = { ...LIMITS, seconds: 8, memoryBytes: 200 * MB, diskBytes: 8 * MB, processes: 10 };

/** A program that takes more than its share, and says so where it was let: each is bounded, so that it may be let. */
function bomb(
  name: string,
  source: string,
  how: string,
  without: { limits?: Limits; bench?: () => Bench },
  limits = SMALL,
): void {
  const got = ({ ended, exitCode, output }: Outcome): Got =>
    ended === "Completed" && exitCode === 0 && (/GOT.*/.exec(output.head)?.[0] ?? "ran to its end");
  attack(name, {
    place: "sandbox of one machine",
    guard: "limits",
    attempt: async () => got(await bench.attack(source, { limits })),
    without: {
      how,
      attempt: async () =>
        got(await (without.bench?.() ?? bench).attack(source, { limits: without.limits ?? SMALL })),
    },
  });
}

bomb(
  "a fork bomb",
  "import os, time\nfor _ in range(30):\n    if os.fork() == 0: time.sleep(1); os._exit(0)\ntime.sleep(1)\nprint('GOT 30 processes')\n",
  "with more processes allowed",
  { limits: { ...SMALL, processes: 60 } },
);
bomb(
  "memory in several processes",
  "import os, time\nfor _ in range(3):\n    if os.fork() == 0: kept = bytearray(b'x') * (90 << 20); time.sleep(1.5); os._exit(0)\ntime.sleep(2)\nprint('GOT 270 MB')\n",
  "with more memory allowed",
  { limits: { ...SMALL, memoryBytes: 900 * MB } },
);
bomb(
  "a full disk",
  "open('filled', 'wb').write(bytes(20 << 20))\nprint('GOT 20 MB')\n",
  "with more disk allowed",
  { limits: { ...SMALL, diskBytes: 64 * MB } },
);
bomb(
  "more inodes than files are allowed",
  "import os, time\nfor n in range(120_000):\n    os.close(os.open(f'/tmp/{n}', os.O_CREAT | os.O_WRONLY))\ntime.sleep(2)\nprint('GOT 120,000 files')\n",
  "with inodes not counted",
  {
    bench: () =>
      opened({ runnerDir: runnerWith({ "supervise.py": [["INODES = 100_000", "INODES = 1 << 40"]] }) }),
  },
);
bomb(
  "a flood of output",
  "import os\nfor _ in range(1200): os.write(1, b'\\x1b[2J' + b'x' * 60_000 + b'\\n')\nprint('GOT 72 MB through')\n",
  "with output not counted",
  {
    bench: () =>
      opened({
        runnerDir: runnerWith({ "supervise.py": [['return self._stop("TooMuchOutput")', "pass"]] }),
      }),
  },
);
bomb(
  "time without end",
  "import time\ntime.sleep(3)\nprint('GOT three seconds')\n",
  "with more time allowed",
  { limits: SMALL },
  { ...SMALL, seconds: 1 },
);

/** Attacks that a program of Python tries by itself, on the runner. */
for (const [file, place] of [
  ["courier.py", "the courier's socket and a workspace"],
  ["packages.py", "the package index"],
] as const) {
  type Told = { attack: string; guard: string; how: string; got: (string | null)[]; through: string | null };
  const said = execFileSync(python, [join(import.meta.dirname, "programs", file), runnerDir, String(TIMES)], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${join(python, "..")}:${process.env.PATH}` },
  });
  for (const { attack: name, guard, how, got, through } of JSON.parse(said) as Told[])
    attack(name, {
      place,
      guard,
      attempt: (number) => got[number],
      without: { how, attempt: () => through },
    });
}
