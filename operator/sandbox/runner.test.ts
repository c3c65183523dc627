/** Trusted verbs and environments, with a runner and wheels made here: no network. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, LIMITS, openBench, python, runnerDir } from "../../test/attacks/bench.ts";
import type { InstallExecution, TrustedExecution } from "./executor.ts";

const VERBS = `
import json, os, socket, sys, time
verb, request = sys.argv[1], json.load(open(sys.argv[3]))
if verb == "double":
    os.makedirs("out", exist_ok=True)
    open("out/twice.txt", "w").write(open("in.txt").read() * 2)
    json.dump({"said": request["say"], "variables": sorted(os.environ)}, open("result.json", "w"))
elif verb == "refuse":
    json.dump({"reason": "RaggedRow", "message": "3 cells, not 2", "line": 7}, open("error.json", "w"))
    sys.exit(2)
elif verb == "reach":
    reached = []
    for path in request["paths"]:
        if os.path.exists(path): reached.append(path)
    try: open("in.txt", "w"); reached.append("in.txt written")
    except OSError: pass
    try: socket.create_connection(("127.0.0.1", request["port"]), 2); reached.append("network")
    except OSError: pass
    json.dump(reached, open("result.json", "w"))
elif verb == "hang": time.sleep(1000)
elif verb == "mute": pass
else: print("x" * 100000, file=sys.stderr); raise SystemError("a defect of ours")
`;

const WHEELS = `
import base64, hashlib, sys, zipfile
from pathlib import Path
def wheel(name, version, requires=(), files={}):
    info = f"{name}-{version}.dist-info"
    contents = {f"{name}/__init__.py": f"version = {version!r}\\n", **files,
        f"{info}/METADATA": "\\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]) + "\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    record = "".join(f"{p},sha256={base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).rstrip(b'=').decode()},{len(t)}\\n" for p, t in contents.items())
    path = Path(sys.argv[1]) / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as z:
        for p, t in {**contents, f"{info}/RECORD": record + f"{info}/RECORD,,\\n"}.items():
            z.writestr(zipfile.ZipInfo(p), t)
    return hashlib.sha256(path.read_bytes()).hexdigest()
evil = f"import os; open({sys.argv[2]!r}, 'w').write('ran')"
print(wheel("tiny_base", "1.0", files={"tiny.pth": evil + "\\n", "sitecustomize.py": evil + "\\n"}))
wheel("tiny_base", "2.0")
wheel("extra", "1.5", ["tiny-base"])
`;

let bench: Bench;
let home: string;
let marker: string;
let variables: NodeJS.ProcessEnv;
let index: Server;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "runner-"));
  marker = join(home, "ran");
  mkdirSync(join(home, "wheels"));
  mkdirSync(join(home, "runner"));
  cpSync(join(runnerDir, "autoai_runner"), join(home, "runner/autoai_runner"), { recursive: true });
  writeFileSync(join(home, "runner/autoai_runner/__main__.py"), VERBS);
  const hash = execFileSync(python, ["-c", WHEELS, join(home, "wheels"), marker], {
    encoding: "utf8",
  }).trim();
  writeFileSync(
    join(home, "runner/environment.txt"),
    `tiny-base==1.0 \\\n    --hash=sha256:${hash}\n    # via nothing\n`,
  );
  index = createServer((request, response) => serve(join(home, "wheels"), request.url ?? "", response));
  await new Promise<void>((done) => index.listen(0, "127.0.0.1", done));
  variables = {
    PATH: process.env.PATH,
    HOME: home,
    UV_DEFAULT_INDEX: `http://127.0.0.1:${(index.address() as { port: number }).port}/simple`,
    UV_CACHE_DIR: join(home, "cache"),
    UV_HTTP_RETRIES: "0",
    GEMINI_API_KEY: "secret",
  };
  bench = openBench({ home, runnerDir: join(home, "runner"), variables });
});
afterAll(() => {
  index.close();
  rmSync(home, { recursive: true, force: true });
});

/** A package index: /simple/NAME/ lists wheels, /FILE is one. */
function serve(directory: string, url: string, response: ServerResponse): void {
  const [, simple, name = ""] = url.split("/");
  if (simple !== "simple") {
    response.end(readFileSync(join(directory, simple ?? "")));
    return;
  }
  const wheels = readdirSync(directory).filter((file) => file.startsWith(`${name.replaceAll("-", "_")}-`));
  response.statusCode = wheels.length === 0 ? 404 : 200;
  response.setHeader("content-type", "text/html");
  const links = wheels.map((file) => {
    const hash = createHash("sha256")
      .update(readFileSync(join(directory, file)))
      .digest("hex");
    return `<a href="/${file}#sha256=${hash}">${file}</a>`;
  });
  response.end(`<!doctype html><html><body>${links.join("")}</body></html>`);
}

let count = 0;
function trusted(verb: string, request: unknown, more: Partial<TrustedExecution> = {}): TrustedExecution {
  const name = `${verb}-${++count}`;
  return {
    kind: "Trusted",
    name,
    owner: `t/${name}`,
    limits: LIMITS,
    inputs: {},
    outputs: {},
    outcomeKey: `o/${name}`,
    verb,
    request,
    ...more,
  };
}
function install(packages: string[]): InstallExecution {
  const name = `install-${++count}`;
  return {
    kind: "Install",
    name,
    owner: `i/${name}`,
    limits: { ...LIMITS, seconds: 100 },
    inputs: {},
    outputs: {},
    outcomeKey: `o/${name}`,
    packages,
  };
}

describe.each([
  ["inside bubblewrap", "bwrap", false],
  ["without bubblewrap", "/nonexistent/bwrap", false],
  ["by a worker inside bubblewrap", "bwrap", true],
  ["by a worker without bubblewrap", "/nonexistent/bwrap", true],
])("a verb of the runner, %s", (_where, bwrap, warm) => {
  let here: Bench;
  beforeAll(async () => {
    here = openBench({ home, store: bench.store, runnerDir: join(home, "runner"), variables, bwrap });
    if (warm) here.executor.warmUp();
    await here.store.put("in", new TextEncoder().encode("ab"));
  });
  afterAll(() => here.executor.close());

  it("reads its inputs, gives its result, and has its outputs stored", async () => {
    const outcome = await here.finish(
      trusted(
        "double",
        { say: "hi" },
        { inputs: { "in.txt": "in" }, outputs: { "out/twice.txt": "twice", "out/not": "not" } },
      ),
    );
    expect(outcome).toMatchObject({ ended: "Completed", exitCode: 0, result: { said: "hi" } });
    expect(JSON.stringify(outcome.result)).not.toContain("GEMINI");
    expect(new TextDecoder().decode(await here.store.get("twice"))).toBe("abab");
    expect(await here.store.exists("not")).toBe(false);
  });

  it("refuses what it was given as a value, and fails as an error of the platform", async () => {
    expect(await here.finish(trusted("refuse", {}))).toMatchObject({
      ended: "Refused",
      refusal: { reason: "RaggedRow", message: "3 cells, not 2", line: 7 },
    });
    const defect = await here.finish(trusted("defect", {})).catch((error) => error);
    expect(defect).toMatchObject({ reason: "RunnerFailed", message: /SystemError: a defect of ours/ });
    expect(defect.message.length).toBeLessThan(5000);
    await expect(here.finish(trusted("mute", {}))).rejects.toMatchObject({ reason: "RunnerFailed" });
    const hang = trusted("hang", {}, { limits: { ...LIMITS, seconds: 1 } });
    await expect(here.finish(hang)).rejects.toMatchObject({ reason: "RunnerTimedOut" });
  });
});

it("a verb of the runner reaches neither network, nor store, nor its own inputs for writing", async () => {
  const paths = [join(home, "store"), join(home, "environments"), "/etc/passwd", "/var", "/in.txt"];
  const { port } = index.address() as { port: number };
  await bench.store.put("in", new TextEncoder().encode("ab"));
  const outcome = await bench.finish(trusted("reach", { paths, port }, { inputs: { "in.txt": "in" } }));
  expect(outcome.result).toEqual([]);
});

describe("environments", () => {
  it("are installed from hashed locks, compiled, shared, and run nothing of their packages", async () => {
    const outcomes = await Promise.all([bench.finish(install([])), bench.finish(install([]))]);
    const [base] = outcomes;
    expect(base).toMatchObject({ ended: "Completed", packages: [{ name: "tiny-base", version: "1.0" }] });
    expect(outcomes[1]?.environment).toBe(base?.environment);
    expect(existsSync(marker)).toBe(false);
    const directory = join(home, "environments", base?.environment ?? "");
    const site = join(
      directory,
      "lib",
      execFileSync(python, ["-c", "import sys; print('python%d.%d' % sys.version_info[:2])"], {
        encoding: "utf8",
      }).trim(),
      "site-packages",
    );
    expect(existsSync(join(site, "tiny_base/__pycache__"))).toBe(true);
    const lock = new TextDecoder().decode(
      await bench.store.get(`environments/${base?.environment}/lock.txt`),
    );
    expect(lock).toMatch(/^tiny-base==1.0 \\\n {4}--hash=sha256:[0-9a-f]{64}\n$/);

    rmSync(directory, { recursive: true });
    const run = await bench.attack("import tiny_base; print(tiny_base.version, tiny_base.__file__)", {
      environment: base?.environment ?? "",
    });
    // In the sandbox, and only there, the package's own code may run: the trap is a live one.
    expect(run.output.head).toMatch(/tiny\.pth/);
    expect(run.output.head).toMatch(/^1\.0 \/environment\/lib\//m);
    expect(existsSync(marker)).toBe(false);
  });

  it("take packages on top of the base, and never change its versions", async () => {
    expect(await bench.finish(install(["extra"]))).toMatchObject({
      ended: "Completed",
      packages: [
        { name: "extra", version: "1.5" },
        { name: "tiny-base", version: "1.0" },
      ],
    });
    expect(await bench.finish(install(["tiny-base>=2"]))).toMatchObject({
      ended: "Refused",
      refusal: { reason: "ResolutionFailed", message: expect.stringContaining("tiny-base") },
    });
    expect(await bench.finish(install(["missing-package"]))).toMatchObject({
      refusal: { reason: "ResolutionFailed" },
    });
    expect(await bench.finish(install(["--index-url=http://x"]))).toMatchObject({
      refusal: { reason: "InvalidRequirement" },
    });
  });

  it("blame a wheel that is not the locked one on the platform", async () => {
    const other = mkdtempSync(join(tmpdir(), "runner-"));
    cpSync(join(home, "runner"), other, { recursive: true });
    writeFileSync(join(other, "environment.txt"), `tiny-base==1.0 --hash=sha256:${"0".repeat(64)}\n`);
    const forged = openBench({ home, store: bench.store, runnerDir: other, variables });
    await expect(forged.finish(install([]))).rejects.toMatchObject({
      reason: "InstallFailed",
      message: /hash/i,
    });
    rmSync(other, { recursive: true });
  });

  it("tell an index that does not answer from a package that does not fit", async () => {
    const unreachable = {
      ...variables,
      UV_CACHE_DIR: join(home, "cold"),
      UV_DEFAULT_INDEX: "http://127.0.0.1:9/simple",
    };
    const lonely = openBench({
      home,
      store: bench.store,
      runnerDir: join(home, "runner"),
      variables: unreachable,
    });
    await expect(lonely.finish(install(["extra"]))).rejects.toMatchObject({ reason: "IndexUnreachable" });
  });

  it("hand uv the way to the index, and no key", async () => {
    const seen = join(home, "seen");
    const uv = join(home, "uv");
    writeFileSync(uv, `#!/bin/sh\nenv > ${seen}\nexit 3\n`);
    chmodSync(uv, 0o755);
    const options = { home, store: bench.store, runnerDir: join(home, "runner"), uv };
    const spied = openBench({
      ...options,
      variables: { ...variables, UV_DEFAULT_INDEX: undefined, PIP_INDEX_URL: "http://index" },
    });
    await expect(spied.finish(install(["extra"]))).rejects.toMatchObject({ reason: "InstallFailed" });
    expect(readFileSync(seen, "utf8")).toContain("UV_DEFAULT_INDEX=http://index");
    expect(readFileSync(seen, "utf8")).not.toMatch(/GEMINI|secret/);
  });
});
