/** Which cluster the tests of test/cluster run on, with programs that stand for kind and Docker: what they are asked is written down. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const scripts = fileURLToPath(new URL("cluster/", import.meta.url));
const OWN_DIRECTORY = "/nonexistent/autoai-cluster";

/** Programs by name, each a shell script, ahead of the machine's own. */
function machine(programs: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "autoai-choice-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const asked = join(folder, "asked");
  writeFileSync(asked, "");
  for (const [name, body] of Object.entries(programs)) {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho "$(basename "$0") $*" >> ${asked}\n${body}\n`);
    chmodSync(path, 0o755);
  }
  const run = (script: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(join(scripts, script), args, {
      encoding: "utf8",
      env: {
        PATH: `${folder}:/usr/bin:/bin`,
        HOME: folder,
        XDG_CACHE_HOME: folder,
        AUTOAI_CLUSTER_DIR: OWN_DIRECTORY,
        ...env,
      },
    });
    return { status, out: stdout.trim(), errors: stderr };
  };
  return { run, asked: () => readFileSync(asked, "utf8").trim().split("\n") };
}

/** Docker answers, and there is kind, with no cluster yet. */
const KIND = { kind: "true", docker: "true" };
/** Nobody who could start a node of the machine's own. */
const NOBODY = { id: "echo 1000" };

test.each([
  ["the one that E2E_CONTEXT names", KIND, { E2E_CONTEXT: "staging" }, "given"],
  ["the one that KUBECONFIG names", KIND, { KUBECONFIG: "/home/somebody/.kube/config" }, "given"],
  ["kind, where Docker answers", KIND, {}, "kind"],
  ["kind, by the context that was exported for it", KIND, { E2E_CONTEXT: "kind-autoai" }, "kind"],
  [
    "the machine's own, where Docker does not answer",
    { ...KIND, docker: "exit 1", id: "echo 0", go: "true" },
    {},
    "own",
  ],
  [
    "the machine's own, by the kubeconfig that was exported for it",
    { id: "echo 0", go: "true" },
    { KUBECONFIG: `${OWN_DIRECTORY}/kubeconfig` },
    "own",
  ],
  ["none, without any of the three", NOBODY, {}, "none"],
] as const)("the tests' cluster is %s", (_, programs, env, choice) => {
  expect(machine({ uname: "echo Linux", ...programs }, env).run("which").out).toBe(choice);
});

test("where there is none it is said what would do, and bringing one up fails with that", () => {
  const here = machine({ uname: "echo Linux", ...NOBODY });
  const { status, errors } = here.run("up", "--without-operator");
  expect(status).not.toBe(0);
  expect(errors).toMatch(/KUBECONFIG or E2E_CONTEXT.*Docker and kind.*root on Linux/);
});

test("helm is told where a given cluster has its images, its packages and its context from", () => {
  const env = {
    E2E_CONTEXT: "staging",
    E2E_IMAGE_REGISTRY: "registry.example",
    E2E_IMAGE_TAG: "mine",
    E2E_MINIO_IMAGE: "registry.example:5000/minio:2",
    E2E_PACKAGE_INDEX: "https://packages.example/simple",
    // Of this machine, and not of the cluster.
    UV_DEFAULT_INDEX: "http://127.0.0.1/simple",
  };
  const { out, errors, status } = machine({}, env).run("chart-arguments");
  expect(status, errors).toBe(0);
  expect(out.split("\n")).toEqual([
    ...["--kube-context", "staging", "--values", join(scripts, "values.yaml")],
    ...["--set", "image.registry=registry.example,image.tag=mine"],
    ...["--set", "minio.image.repository=registry.example:5000/minio,minio.image.tag=2"],
    ...["--set-string", "jobs.packageIndex.url=https://packages.example/simple"],
  ]);
});

test("kind gets a cluster, each of the project's images, and its context is to be exported", () => {
  const here = machine(KIND);
  const { status, out, errors } = here.run("up", "--without-operator");
  expect(status, errors).toBe(0);
  expect(out).toBe("export E2E_CONTEXT=kind-autoai");
  const asked = here.asked();
  expect(asked).toContain("kind create cluster --name autoai --wait 120s");
  for (const target of ["operator", "runner", "inference-server", "console"]) {
    const image = `autoai-${target}:dev`;
    expect(
      asked.some((line) => line.startsWith(`docker build --quiet --target ${target} --tag ${image} `)),
    ).toBe(true);
    expect(asked).toContain(`kind load docker-image --name autoai ${image}`);
  }
});

test("a kind cluster that is there is used, and taken down by its name", () => {
  const here = machine({ ...KIND, kind: 'case "$*" in "get clusters") echo autoai ;; esac' });
  expect(here.run("which", "--up").status).toBe(0);
  expect(here.run("up", "--without-operator").status).toBe(0);
  expect(here.asked()).not.toContain("kind create cluster --name autoai --wait 120s");
  expect(here.run("down").status).toBe(0);
  expect(here.asked()).toContain("kind delete cluster --name autoai");
});
