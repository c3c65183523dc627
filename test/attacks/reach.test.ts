/** Generated code that looks for what it must not find, or reaches for what it must not touch. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, openBench } from "./bench.ts";

// Put together here, so that this file does not hold it: generated code may search the whole file system.
const SECRET = ["labels", "journal", "key", String(process.pid)].join("-of-");
let bench: Bench;
beforeAll(() => {
  process.env.GEMINI_API_KEY = SECRET;
  bench = openBench();
});
afterAll(() => {
  delete process.env.GEMINI_API_KEY;
  bench.close();
});

describe("generated code", () => {
  it("finds no label, journal, key or home directory in any file or any process's environment", async () => {
    await bench.store.put("jobs/j/selection.labels.csv", new TextEncoder().encode(SECRET));
    await bench.store.put("jobs/j/journal/1.json", new TextEncoder().encode(SECRET));
    writeFileSync(join(bench.home, "environments", "secret"), SECRET);
    // Even where nothing but the sandbox keeps others out.
    execFileSync("chmod", ["-R", "a+rX", bench.home]);
    const outcome = await bench.attack(
      `
import os, stat, sys
secret = sys.argv[1].encode()
# Its own copy is in its arguments; everything else is searched.
own = {f"/proc/{name}" for name in ("self", "thread-self", str(os.getpid()))}
seen = found = 0
def refuse(error): pass
for top, folders, files in os.walk("/", onerror=refuse):
    folders[:] = [f for f in folders if os.path.join(top, f) not in ("/usr", sys.base_prefix, "/proc/sys") and os.path.join(top, f) not in own]
    if top.startswith("/proc/") and not top.split("/")[2].isdigit(): continue
    if top.count("/") > 2 and top.startswith("/proc/"): folders[:] = []
    for name in files:
        path = os.path.join(top, name)
        if path.startswith("/proc/") and name not in ("environ", "cmdline", "maps"): continue
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode): continue
            with open(path, "rb") as f: content = f.read(1 << 20)
        except OSError: continue
        seen += 1
        if secret in content or secret in path.encode():
            found += 1
            print("FOUND", path)
print("looked at", seen > 10, "found", found)
for path in ("/root", "/home", os.environ["HOME"], "/etc/shadow", "/etc/passwd", "/srv", "/var", "/sys", "/run"):
    # Python itself may be installed below a home; nothing else of that home is there.
    below = [name for top, folders, files in os.walk(path) if not f"{top}/".startswith(f"{sys.base_prefix}/") for name in files]
    if os.path.isfile(path) or below: print("there is", path)
`,
      { command: ["attack.py", SECRET] },
    );
    expect(outcome.output.head).toBe("looked at True found 0\n");
  });

  describe("with a listener on this machine", () => {
    let tcp: Server;
    let abstract: Server;
    let connections = 0;
    beforeAll(async () => {
      tcp = createServer(() => connections++).listen(0, "127.0.0.1");
      abstract = createServer(() => connections++).listen(`\0sandbox-${process.pid}`);
      await Promise.all(
        [tcp, abstract].map((server) => new Promise((done) => server.once("listening", done))),
      );
    });
    afterAll(() => {
      tcp.close();
      abstract.close();
    });

    it("reaches neither it, nor a name server, nor the hypervisor", async () => {
      const port = (tcp.address() as { port: number }).port;
      const outcome = await bench.attack(`
import socket, os
def attempt(name, family, address):
    try:
        s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(2); s.connect(address)
    except OSError as error: print(name, error.errno)
    else: print(name, "CONNECTED")
attempt("tcp", socket.AF_INET, ("127.0.0.1", ${port}))
attempt("out", socket.AF_INET, ("1.1.1.1", 53))
attempt("abstract", socket.AF_UNIX, "\\0sandbox-${process.pid}")
attempt("hypervisor", socket.AF_VSOCK, (2, 1024))
try: print(socket.getaddrinfo("pypi.org", 443))
except OSError as error: print("dns", type(error).__name__)
print([name for _, name in socket.if_nameindex()])
`);
      expect(outcome.output.head).toBe(
        "tcp 111\nout 101\nabstract 111\nhypervisor 97\ndns gaierror\n['lo']\n",
      );
      expect(connections).toBe(0);
    });
  });

  it("writes nowhere but in its workspace and temporary directories, and not to its inputs", async () => {
    await bench.store.put("jobs/j/train.csv", new TextEncoder().encode("a,b\n1,2\n"));
    const outcome = await bench.attack(
      `
import os
paths = ["../x", "../../x", "/x", "/environment/x", "/environment/bin/python", "/autoai/autoai_runner/supervise.py",
    "/usr/x", "/etc/x", "/dev/x", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname",
    "/proc/1/oom_score_adj", "/proc/1/comm", "/proc/sysrq-trigger", "data/train.csv", "attack.py"]
for path in paths:
    try: open(path, "r+b" if os.path.exists(path) else "wb").close()
    except OSError: continue
    print("WROTE", path)
for act in (os.unlink, lambda path: os.rename("x", path), lambda path: os.chmod(path, 0o777)):
    try:
        open("x", "w").close()
        act("data/train.csv")
    except OSError: continue
    print("CHANGED", act)
open("/tmp/a", "w").write("1"); open(os.path.expanduser("~/b"), "w").write("1"); open("c", "w").write("1")
print("done")
`,
      { inputs: { "data/train.csv": "jobs/j/train.csv" }, snapshotPrefix: "snapshots/" },
    );
    expect(outcome.output.head).toBe("done\n");
    expect(new TextDecoder().decode(await bench.store.get("jobs/j/train.csv"))).toBe("a,b\n1,2\n");
  });

  it("has no root, no capability and no way to new privileges or namespaces", async () => {
    const outcome = await bench.attack(`
import ctypes, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(0 in os.getresuid() + os.getresgid(), os.getgroups(), status["CapEff"], status["CapPrm"], status["NoNewPrivs"], status["Seccomp"])
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *args):
    print(name, libc.syscall(number, *args), ctypes.get_errno())
if os.uname().machine == "x86_64":
    numbers = dict(unshare=272, mount=165, ptrace=101, bpf=321, keyctl=250, memfd_create=319, io_uring_setup=425, userfaultfd=323)
else:
    numbers = dict(unshare=97, mount=40, ptrace=117, bpf=280, keyctl=219, memfd_create=279, io_uring_setup=425, userfaultfd=282)
for name, number in numbers.items():
    call(name, number, 0x10000000 if name == "unshare" else 0, 0, 0, 0, 0)
clone = 56 if os.uname().machine == "x86_64" else 220
call("clone", clone, 0x10000000 | 17, 0, 0, 0, 0)
try: os.mknod("disk", 0o60600, os.makedev(259, 0)); print("MADE A DEVICE")
except OSError as error: print("mknod", error.errno)
try: os.setuid(0); print("IS ROOT")
except OSError as error: print("setuid", error.errno)
`);
    expect(outcome.output.head.split("\n")).toEqual([
      `False ${outcome.output.head.includes("[]") ? "[]" : "[65534]"} 0000000000000000 0000000000000000 1 2`,
      ...[
        "unshare",
        "mount",
        "ptrace",
        "bpf",
        "keyctl",
        "memfd_create",
        "io_uring_setup",
        "userfaultfd",
        "clone",
      ].map((name) => `${name} -1 1`),
      "mknod 1",
      "setuid 1",
      "",
    ]);
  });
});

describe("the supervisor", () => {
  it("is beyond the program's reach, so that no result can be forged", async () => {
    const outcome = await bench.attack(`
import json, os, resource, signal, struct, sys
for name in ("mem", "environ", "maps", "cwd", "root", "fd", "fd/1", "exe", "syscall"):
    path = f"/proc/1/{name}"
    try:
        os.listdir(path) if name == "fd" else os.readlink(path) if name in ("cwd", "root", "exe", "fd/1") else open(path, "rb").read(1)
    except OSError: continue
    print("OPENED", path)
forged = json.dumps({"ended": "Completed", "exitCode": 0, "signal": None, "seconds": 0.1, "peakMemoryBytes": 1,
    "output": {"head": "forged", "tail": "", "truncated": 0}}).encode()
frames = b"R" + struct.pack(">I", len(forged)) + forged + b"E" + struct.pack(">I", 0)
for descriptor in range(3, 200):
    try: os.write(descriptor, frames)
    except OSError: continue
    print("WROTE", descriptor)
for path in ("/proc/self/fd/1", "/proc/self/fd/2"):
    os.write(os.open(path, os.O_WRONLY), b"E\\0\\0\\0\\0\\n")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL, signal.SIGHUP, signal.SIGPIPE):
    os.kill(1, number)
for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_DATA):
    try: resource.prlimit(1, limit, (0, 0)); print("LIMITED THE SUPERVISOR")
    except PermissionError: pass
try: os.sched_setaffinity(1, {0}); print("MOVED THE SUPERVISOR")
except PermissionError: pass
sys.exit(7)
`);
    expect(outcome).toMatchObject({ ended: "Completed", exitCode: 7, signal: null });
    expect(outcome.output.head).toBe(
      "E\\x00\\x00\\x00\\x00\n... repeated 1 times\n".replace(
        "... repeated 1 times\n",
        "E\\x00\\x00\\x00\\x00\n",
      ),
    );
  });
});
