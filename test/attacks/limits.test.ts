/** Generated code that takes more than it was given: each is stopped, and told so. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, LIMITS, openBench } from "./bench.ts";

let bench: Bench;
beforeAll(() => {
  bench = openBench();
});
afterAll(() => bench.close());

const MB = 1024 ** 2;
const small = { limits: { ...LIMITS, memoryBytes: 200 * MB, diskBytes: 8 * MB, processes: 10 } };

describe("output", () => {
  it("of a gigabyte is stopped, with head, tail and the count of what was cut", async () => {
    const outcome = await bench.attack(`
import os
n = 0
while True:
    n += 1
    os.write(1, (f"{n:09d} ".encode() * 6000))
`);
    expect(outcome).toMatchObject({ ended: "TooMuchOutput", exitCode: null, signal: "SIGKILL" });
    expect(outcome.output.head).toHaveLength(2500);
    expect(outcome.output.tail).toHaveLength(2500);
    expect(outcome.output.truncated).toBeGreaterThan(40_000_000);
  });

  it("has its repeats folded, its escapes removed and its control characters spelt", async () => {
    const outcome = await bench.attack(String.raw`
import os, sys
os.write(1, b"same\n" * 5000)
os.write(1, b"\x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07 \xe2\x80\xaeright\x00 \xff\n")
os.write(1, b" 10%\r 50%\r100%\n")
sys.stderr.write("on stderr\n")
`);
    expect(outcome.output.head).toBe(
      "same\n... repeated 4999 times\nred bell\\x07 \\u202eright\\x00 \\xff\n100%\non stderr\n",
    );
  });
});

describe("processes", () => {
  it("of a fork bomb are ended", async () => {
    const outcome = await bench.attack(
      "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
      small,
    );
    expect(outcome.ended).toBe("TooManyProcesses");
  });

  it("of a fork bomb whose processes each open a session are ended", async () => {
    const source =
      "import os\nwhile True:\n    try:\n        if os.fork() == 0: os.setsid()\n    except OSError: pass\n";
    expect((await bench.attack(source, small)).ended).toBe("TooManyProcesses");
  });

  it("and threads together are bounded by the kernel", async () => {
    const outcome = await bench.attack(
      `
import threading, time
started = 0
try:
    for _ in range(2000):
        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
        started += 1
except RuntimeError: pass
print(started < 200)
`,
      { limits: { ...small.limits, memoryBytes: 4096 * MB } },
    );
    expect(outcome.output.head).toBe("True\n");
  });

  it("that detach themselves and ignore signals do not outlive the program", async () => {
    const marker = `daemon-${process.pid}`;
    const outcome = await bench.attack(
      `
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        os.execv("/environment/bin/python", ["python", "-c", "import time; time.sleep(1000)", sys.argv[1]])
    os._exit(0)
time.sleep(0.3)
`,
      { command: ["attack.py", marker] },
    );
    expect(outcome).toMatchObject({ ended: "Completed", exitCode: 0 });
    expect(commandLines().filter((line) => line.includes(marker))).toEqual([]);
  });
});

describe("the disk", () => {
  it.each(["filled", "/tmp/filled", "/dev/shm/filled"])(
    "full of one file at %s ends a program that goes on",
    async (path) => {
      const outcome = await bench.attack(
        `
while True:
    try:
        with open(${JSON.stringify(path)}, "ab", buffering=0) as f:
            while f.write(bytes(1 << 20)): pass
    except OSError: pass
`,
        small,
      );
      expect(outcome).toMatchObject({ ended: "DiskFull", signal: "SIGKILL" });
    },
  );

  it("full tells a program that fails on it", async () => {
    const outcome = await bench.attack("open('filled', 'wb').write(bytes(1 << 26))\n", small);
    expect(outcome).toMatchObject({ ended: "DiskFull", exitCode: 1 });
    expect(outcome.traceback).toMatch(/Errno 2[78]/);
  });

  it("full for a moment, and cleared, harms nobody", async () => {
    const source = `
import os
try: open("filled", "wb").write(bytes(1 << 26))
except OSError: os.unlink("filled")
print("cleared")
`;
    expect(await bench.attack(source, small)).toMatchObject({ ended: "Completed", exitCode: 0 });
  });

  it("ends a program that makes a million small files", async () => {
    const outcome = await bench.attack(
      `
import os
for n in range(1_000_000):
    try: os.close(os.open(f"/tmp/{n}", os.O_CREAT | os.O_WRONLY))
    except OSError: pass
`,
      { limits: { ...small.limits, seconds: 60 } },
    );
    expect(outcome).toMatchObject({ ended: "DiskFull", signal: "SIGKILL" });
  });
});

describe("memory", () => {
  it.each([4, 64])("of %d GB in one piece is refused before it is taken", async (gigabytes) => {
    const outcome = await bench.attack(`bytearray(${gigabytes} << 30)\n`, small);
    expect(outcome).toMatchObject({ ended: "OutOfMemory", exitCode: 1 });
  });

  it("taken by several processes together is counted", async () => {
    const outcome = await bench.attack(
      "import os, time\nfor _ in range(4): os.fork() or (bytearray(b'x') * (90 << 20), time.sleep(60))\ntime.sleep(60)\n".replace(
        "(bytearray(b'x') * (90 << 20), time.sleep(60))",
        "[bytearray(b'x') * (90 << 20), time.sleep(60)]",
      ),
      small,
    );
    expect(outcome).toMatchObject({ ended: "OutOfMemory", signal: "SIGKILL" });
    expect(outcome.peakMemoryBytes).toBeGreaterThan(200 * MB);
  });

  it("that is shared and anonymous is counted", async () => {
    const source = `
import mmap, time
maps = []
while True:
    maps.append(mmap.mmap(-1, 10 << 20)); maps[-1].write(b"x" * (10 << 20)); time.sleep(0.01)
`;
    expect((await bench.attack(source, small)).ended).toBe("OutOfMemory");
  });

  it("shared after a fork is counted once", async () => {
    const source = `
import os, time
data = bytearray(b"x") * (90 << 20)
for _ in range(4):
    if os.fork() == 0:
        time.sleep(1); os._exit(0)
time.sleep(1)
print("kept")
`;
    expect(await bench.attack(source, small)).toMatchObject({ ended: "Completed", exitCode: 0 });
  });
});

describe("time", () => {
  const short = { limits: { ...LIMITS, seconds: 1 } };

  it("over is told by SIGINT, so that the traceback shows where the program was", async () => {
    const outcome = await bench.attack("import time\nprint('before', flush=True)\ntime.sleep(60)\n", short);
    expect(outcome.ended).toBe("TimedOut");
    expect(outcome.traceback).toContain("time.sleep(60)");
    expect(outcome.output.head).toContain("before");
  });

  it("over ends a program that ignores every signal", async () => {
    const source = `
import signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: time.sleep(1)
`;
    const outcome = await bench.attack(source, short);
    expect(outcome).toMatchObject({ ended: "TimedOut", signal: "SIGKILL" });
    expect(outcome.seconds).toBeGreaterThan(5);
  });

  it("over ends a program that hides in atexit", async () => {
    const source = `
import atexit, time
def stay():
    while True:
        try: time.sleep(60)
        except KeyboardInterrupt: pass
atexit.register(stay)
`;
    expect(await bench.attack(source, short)).toMatchObject({ ended: "TimedOut", signal: "SIGKILL" });
  });
});

function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [readFileSync(`/proc/${name}/cmdline`, "utf8")];
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes("sleep(1000)"));
}
