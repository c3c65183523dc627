/**
 * What stops generated code on one machine, by taking it away: each attack is refused as things are, and succeeds where the guard is
 * patched out. The runner's guards are lines of Python, in a copy of the runner; bubblewrap's are arguments, which a script drops.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { Limits } from "../../operator/sandbox/executor.ts";
import { type Bench, openBench, python, runnerDir } from "./bench.ts";
import { BOMBS, bombGot, SMALL } from "./bombs.ts";
import { attack, type Got, TIMES } from "./ledger.ts";
import { type Changes, copyWith } from "./unguarded.ts";

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

/** A runner without a guard, in a copy. */
function runnerWith(changes: Changes): string {
  const copy = mkdtempSync(join(folder, "runner-"));
  copyWith(runnerDir, copy, changes);
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

const SUPERVISE = "autoai_runner/supervise.py";
const NO_FILTER = { [SUPERVISE]: [["confine.filter_syscalls(program)", "pass"]] } as const;
// Once more after the change of user, which hides by itself.
const SHOWN = ["confine.hide()", "confine.unhide()"] as const;
const UNHIDDEN = { [SUPERVISE]: [SHOWN, SHOWN] } as const;

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

for (const { name, source, how, without, patch, limits } of BOMBS)
  attack(name, {
    place: "sandbox of one machine",
    guard: "limits",
    attempt: async () => bombGot(await bench.attack(source, { limits: { ...SMALL, ...limits } })),
    without: {
      how,
      attempt: async () => {
        const where =
          patch === undefined ? bench : opened({ runnerDir: runnerWith({ [SUPERVISE]: [patch] }) });
        return bombGot(await where.attack(source, { limits: { ...SMALL, ...without } }));
      },
    },
  });

/** A member of a tar that says it is a sparse file of 40 MB, of which nothing is in the tar. */
function sparse(): Buffer {
  const program = `
import io, sys, tarfile
size = 40 << 20
about = tarfile.TarInfo("hole")
about.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "hole", "GNU.sparse.realsize": str(size)}
map = b"1\\n%d\\n0\\n" % size
about.size = 512
out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT)
out.addfile(about, io.BytesIO(map.ljust(512, b"\\0")))
out.close()
`;
  return execFileSync(python, ["-c", program]);
}

attack("a tar bomb: a workspace that is a thousand times its tar", {
  place: "sandbox of one machine",
  guard: "limits",
  attempt: () => unpacked(SMALL),
  without: { how: "with more disk allowed", attempt: () => unpacked({ ...SMALL, diskBytes: 64 << 20 }) },
});
async function unpacked(limits: Limits): Promise<Got> {
  const tar = sparse();
  await bench.store.put("snapshots/bomb.tar", tar);
  const source = `import os\nprint("GOT", os.stat("hole").st_size, "bytes of ${tar.length}")\n`;
  return bombGot(await bench.attack(source, { limits, workspace: "snapshots/bomb.tar" }));
}

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
