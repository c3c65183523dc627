/** Generated code that leaves tricks in its workspace: what is kept is plain files, whatever is there. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Bench, LIMITS, openBench } from "./bench.ts";

let bench: Bench;
beforeAll(() => {
  bench = openBench();
});
afterAll(() => bench.close());

/** Leaves something, and looks in the next execution at what of it was kept. */
async function kept(source: string): Promise<{ notKept: string[]; found: string }> {
  const first = await bench.attack(source, { snapshotPrefix: "snapshots/" });
  expect(first).toMatchObject({ ended: "Completed", exitCode: 0 });
  const second = await bench.attack(
    `
import os
for top, folders, files in os.walk("."):
    folders.sort()
    for name in sorted(files):
        path = os.path.join(top, name)
        if path != "./attack.py": print(path[:60], os.path.islink(path), os.stat(path).st_size)
`,
    { workspace: `snapshots/${first.workspace}.tar` },
  );
  expect(second).toMatchObject({ ended: "Completed", exitCode: 0 });
  return { notKept: first.notKept ?? [], found: second.output.head };
}

it("keeps files and folders, and gives equal content equal names", async () => {
  const source = (pause: string) =>
    `import os, time\n${pause}\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\nopen('z', 'w').close()\nos.chmod('z', 0)\nos.chmod('a', 0)\n`;
  expect(await kept(source(""))).toEqual({ notKept: [], found: "./z False 0\n./a/b/c False 1\n" });
  const names = await Promise.all(
    ["", "time.sleep(1.1)"].map((pause) => bench.attack(source(pause), { snapshotPrefix: "snapshots/" })),
  );
  expect(names[0]?.workspace).toMatch(/^[0-9a-f]{64}$/);
  expect(names[0]?.workspace).toBe(names[1]?.workspace);
});

it("refuses links, devices, pipes and sockets, and says so", async () => {
  const { notKept, found } = await kept(`
import os, socket
os.symlink("/etc/passwd", "link"); os.symlink("..", "up"); os.symlink("missing", "dangling")
open("original", "w").write("x"); os.link("original", "second")
os.mkfifo("pipe")
socket.socket(socket.AF_UNIX).bind("socket")
open("plain", "w").write("kept")
`);
  expect(found).toBe("./plain False 4\n");
  expect(notKept).toEqual([
    "dangling: symbolic link",
    "link: symbolic link",
    "original: hard link",
    "pipe: neither file nor directory",
    "second: hard link",
    "socket: neither file nor directory",
    "up: symbolic link",
  ]);
});

it("refuses names that mislead, and shows them without acting on them", async () => {
  const { notKept, found } = await kept(String.raw`
import os
for name in (b"a\nb", b"\x1b[2Jc", b"\xff\xfe", "\u202etxt.py".encode(), b"back\\slash", b"x" * 255):
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
`);
  expect(found).toBe(`./${"x".repeat(58)} False 0\n`);
  expect(notKept).toHaveLength(5);
  expect(notKept.join("")).toMatch(/^[ -~]*$/);
});

it("bounds files, their number and their depth", async () => {
  const many = await kept("for n in range(1500): open(f'{n:04}', 'w').close()\n");
  expect(many.notKept).toHaveLength(32);
  expect(many.notKept.at(-1)).toBe("and 469 more");
  const sparse = await kept("open('large', 'wb').truncate(10 << 20)\nopen('fits', 'wb').write(b'x')\n");
  expect(sparse).toEqual({ notKept: [], found: "./fits False 1\n./large False 10485760\n" });
  const deep = await kept(
    "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nopen('bottom', 'w').close()\n",
  );
  expect(deep.found).toBe("");
  expect(deep.notKept[0]).toMatch(/^(d\/){32}d: deeper than 32 directories/);
});

it("takes an output only where it is a plain file of the workspace", async () => {
  const outputs = {
    link: "o/link",
    pipe: "o/pipe",
    folder: "o/folder",
    missing: "o/missing",
    plain: "o/plain",
  };
  const outcome = await bench.attack(
    `
import os
os.symlink("/proc/self/environ", "link"); os.mkfifo("pipe"); os.mkdir("folder"); open("plain", "w").write("kept")
`,
    { outputs },
  );
  expect(outcome).toMatchObject({ ended: "Completed", exitCode: 0 });
  expect(await bench.store.list("o/")).toEqual(["o/plain"]);
});

it("leaves no core dump", async () => {
  const outcome = await bench.attack("import os\nos.abort()\n", { snapshotPrefix: "snapshots/" });
  expect(outcome).toMatchObject({ ended: "Completed", exitCode: null, signal: "SIGABRT", notKept: [] });
  const after = await bench.attack("import os\nprint(os.listdir())\n", {
    workspace: `snapshots/${outcome.workspace}.tar`,
  });
  expect(after.output.head).toBe("['attack.py']\n");
});

it("tells a workspace that does not fit the disk from a fault of the platform", async () => {
  const first = await bench.attack("open('large', 'wb').write(bytes(20 << 20))\n", {
    snapshotPrefix: "snapshots/",
  });
  const outcome = await bench.attack("print('runs')\n", {
    workspace: `snapshots/${first.workspace}.tar`,
    limits: { ...LIMITS, diskBytes: 4 << 20 },
  });
  expect(outcome).toMatchObject({ ended: "DiskFull", exitCode: null });
});
