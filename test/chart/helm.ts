/** Helm and what it renders. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";

export const root = join(import.meta.dirname, "..", "..");
export const chart = join(root, "charts", "autoai");

/** Without a cluster helm has to be told what it renders for. */
const OFFLINE = ["--kube-version", "1.36.3"];

// biome-ignore lint/suspicious/noExplicitAny: manifests are looked into by path, and a wrong path fails the test.
export type Manifest = any;

export type Rendering = { readonly manifests: readonly Manifest[]; readonly notes: string };

const known = new Map<string, string>();

/**
 * Path of a program that test/cluster/build pins, or of the one of that name on the PATH.
 * Throws, with what to install, where there is neither it nor Go to build it with.
 */
export function program(component: string, name = component): string {
  const path = known.get(name) ?? find(component, name);
  known.set(name, path);
  return path;
}

function find(component: string, name: string): string {
  const build = join(root, "test", "cluster", "build");
  const built = spawnSync(build, [component], { encoding: "utf8" });
  if (built.status === 0) {
    return join(execFileSync(build, ["--directory", component], { encoding: "utf8" }).trim(), name);
  }
  const onPath = (process.env.PATH ?? "").split(":").map((folder) => join(folder, name));
  const found = onPath.find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`${name} is not on the PATH and was not built: ${built.stderr || built.error?.message}`);
  }
  return found;
}

export type HelmResult = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

export function runHelm(args: readonly string[], env: Record<string, string> = {}): HelmResult {
  return spawnSync(program("helm"), args, {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, HELM_KUBECONTEXT: "", ...env },
  });
}

/** Calls with the path of a file that holds the values. */
export function withValues<T>(values: unknown, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "autoai-values-"));
  try {
    const path = join(folder, "values.yaml");
    writeFileSync(path, stringify(values));
    return use(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const RELEASE = { name: "autoai", namespace: "platform" } as const;

export function tryRender(
  values: unknown,
  release: { name: string; namespace: string } = RELEASE,
): HelmResult {
  return withValues(values, (path) =>
    runHelm([
      "template",
      release.name,
      chart,
      "--namespace",
      release.namespace,
      "--values",
      path,
      ...OFFLINE,
    ]),
  );
}

/** Throws with helm's words where the chart cannot be rendered. */
export function render(
  values: unknown = {},
  release: { name: string; namespace: string } = RELEASE,
): Manifest[] {
  const { status, stdout, stderr } = tryRender(values, release);
  if (status !== 0) throw new Error(stderr);
  return parseManifests(stdout);
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text, { version: "1.1" }).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    const manifest = document.toJS();
    return manifest === null ? [] : [manifest];
  });
}

/** The one manifest of this kind, or of this kind and name. */
export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (one) => one.kind === kind && (name === undefined || one.metadata.name === name),
  );
  if (found.length !== 1) {
    throw new Error(`expected one ${kind} ${name ?? ""}, found ${found.map((one) => one.metadata.name)}`);
  }
  return found[0];
}

/** { "a.b": 1 } → { a: { b: 1 } } */
export function nested(flat: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(flat)) {
    const keys = path.split(".");
    let place = values;
    for (const key of keys.slice(0, -1)) {
      place[key] ??= {};
      place = place[key] as Record<string, unknown>;
    }
    place[keys.at(-1) ?? ""] = value;
  }
  return values;
}
