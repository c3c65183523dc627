/**
 * The cluster that the tests of this folder run on: the one that E2E_CONTEXT or KUBECONFIG names, or else this machine's own,
 * which `make cluster` brings up. Namespaces made here are restricted, named for their test, and removed after it.
 */
import { type ExecFileException, execFile, execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll } from "vitest";
import { type Choice, choice } from "./choice.ts";

const OURS = "datasets.autoai.dev,trainingjobs.autoai.dev,modeldeployments.autoai.dev";
const here = fileURLToPath(new URL(".", import.meta.url));

export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
} & Readonly<Record<string, unknown>>;

/** What a command printed and how it ended; -1 where it was killed. */
export type Answer = { readonly code: number; readonly out: string; readonly errors: string };

export type Cluster = {
  /** Path of a kubeconfig whose current context is the cluster. */
  readonly kubeconfig: string;
  /** Whether it is this machine's own node (test/cluster/start), with all that the README says of it. */
  readonly own: boolean;
  /** The name of a test that is run on this machine's own node alone: on other clusters, where it is skipped, with the reason. */
  ownOnly(name: string, why: string): string;
  /** kubectl itself, and the flags that name the cluster, for what runs on in the background. */
  readonly program: string;
  readonly flags: readonly string[];
  /** kubectl's standard output. Throws with its errors when it fails. */
  kubectl(...args: string[]): Promise<string>;
  /** kubectl with something on its standard input, whatever comes of it. */
  run(args: readonly string[], input?: string): Promise<Answer>;
  /** Applies manifests, by the server. */
  apply(...manifests: Manifest[]): Promise<void>;
  /** An object as the API server has it; undefined where it is not there. */
  get<T = Manifest>(kind: string, namespace: string, name: string): Promise<T | undefined>;
  /** A new namespace under Pod Security `restricted`, which goes when the file's tests are done, AutoAI's resources before that. */
  namespace(prefix: string, labels?: Readonly<Record<string, string>>): Promise<string>;
  /**
   * Installs the chart as `make cluster` does, with an operator for all namespaces, and waits until it is ready; or sees to
   * it that no such operator runs, for tests that run one of their own.
   * @param values of the chart beside those of `make cluster`
   */
  operator(wanted: "running" | "absent", values?: Readonly<Record<string, unknown>>): Promise<void>;
  /** AutoAI's CRDs as this tree has them, without the chart. */
  kinds(): Promise<void>;
  /** A program in a pod's container. */
  exec(namespace: string, pod: string, ...command: string[]): Promise<Answer>;
};

/** Calls until something comes back, ten times a second. Throws with what was waited for after `seconds`. */
export async function eventually<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + seconds * 1_000;
  while (true) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${seconds} s`);
    await sleep(100);
  }
}

type AtEnd = (clear: () => Promise<void>) => void;

function ownKubeconfig({ kubeconfig = "" }: Choice): string {
  if (existsSync(kubeconfig)) return kubeconfig;
  throw new Error(
    `expected a cluster, found no kubeconfig at ${kubeconfig}: run 'make cluster', or name one in KUBECONFIG`,
  );
}

/** A kubeconfig with the chosen context and nothing else, for programs that are told of one file; gone when the tests are done. */
function alone(program: string, { kubeconfig, context }: Choice, atEnd: AtEnd): string {
  const named = context === undefined ? [] : ["--context", context];
  const view = spawnSync(program, ["config", "view", "--minify", "--flatten", "--raw", ...named], {
    encoding: "utf8",
  });
  if (view.status !== 0) {
    const where = `${kubeconfig ?? "kubectl's own kubeconfig"}${context === undefined ? "" : `, context ${context}`}`;
    const isThere = kubeconfig === undefined || kubeconfig.split(delimiter).some((path) => existsSync(path));
    const found = isThere ? (view.error?.message ?? view.stderr.trim()) : "no such file";
    throw new Error(
      `expected a cluster in ${where}, found: ${found}. Name another one in KUBECONFIG or ` +
        "E2E_CONTEXT, or unset both to use a cluster of this machine's own",
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "autoai-kubeconfig-"));
  atEnd(async () => rmSync(folder, { recursive: true }));
  const file = join(folder, "kubeconfig");
  writeFileSync(file, view.stdout, { mode: 0o600 });
  return file;
}

/**
 * The cluster, for the tests of one file; call it at the file's top. Throws where there is none, with what to do.
 * @param atEnd told what is to be done in the end; where absent, that is when the file's tests are done
 */
export function withCluster(atEnd: AtEnd = afterAll): Cluster {
  const chosen = choice();
  const { own } = chosen;
  const built = join(
    execFileSync(join(here, "build"), ["--directory", "kubernetes"], { encoding: "utf8" }).trim(),
    "kubectl",
  );
  const program = existsSync(built) ? built : "kubectl";
  const kubeconfig = own ? ownKubeconfig(chosen) : alone(program, chosen, atEnd);
  const flags = ["--kubeconfig", kubeconfig];

  const run = (args: readonly string[], input?: string) =>
    new Promise<Answer>((resolve, reject) => {
      const done = (error: ExecFileException | null, out: string, errors: string) => {
        if (error !== null && typeof error.code === "string")
          reject(error); // kubectl itself is not there
        else resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, errors });
      };
      const child = execFile(program, [...flags, ...args], { maxBuffer: 64 << 20 }, done);
      child.stdin?.on("error", () => {}); // kubectl may end without reading it
      child.stdin?.end(input);
    });
  const kubectl = async (...args: string[]) => {
    const answer = await run(args);
    if (answer.code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${answer.errors}`);
    return answer.out;
  };
  const apply = async (...manifests: Manifest[]) => {
    const list = { apiVersion: "v1", kind: "List", items: manifests };
    const answer = await run(["apply", "--server-side", "-f", "-"], JSON.stringify(list));
    if (answer.code !== 0) throw new Error(`kubectl apply: ${answer.errors}`);
  };
  const get = async <T>(kind: string, namespace: string, name: string) => {
    const out = await kubectl("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json");
    return out === "" ? undefined : (JSON.parse(out) as T);
  };

  const namespaces: string[] = [];
  const namespace = async (prefix: string, labels: Readonly<Record<string, string>> = {}) => {
    const name = `${prefix}-${randomBytes(3).toString("hex")}`;
    namespaces.push(name);
    await apply({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted", ...labels } },
    });
    // Pods are refused until their namespace has its account.
    await eventually(`the default ServiceAccount of ${name}`, 30, () =>
      get("serviceaccount", name, "default"),
    );
    return name;
  };
  atEnd(async () => {
    // While there is an operator to take finalizers off; of the rest the cluster disposes in its own time.
    await Promise.all(
      namespaces.map(async (name) => {
        const answer = await run(["delete", OURS, "--all", "-n", name, "--timeout=100s"]);
        const isKnown = !answer.errors.includes("the server doesn't have a resource type");
        if (answer.code !== 0 && isKnown) throw new Error(`kubectl delete ${OURS}: ${answer.errors}`);
      }),
    );
    if (namespaces.length > 0)
      await kubectl("delete", "namespace", ...namespaces, "--ignore-not-found", "--wait=false");
  });

  const exec = (pod_namespace: string, pod: string, ...command: string[]) =>
    run(["exec", "-n", pod_namespace, pod, "--", ...command]);
  const operator: Cluster["operator"] = async (wanted, values = {}) => {
    if (wanted === "running") {
      const sets = Object.entries(values).map(
        ([path, value]) => `--set-json=${path}=${JSON.stringify(value)}`,
      );
      const env = own ? { ...process.env, KUBECONFIG: kubeconfig } : process.env;
      await promisify(execFile)(join(here, "install"), sets, { env });
      return;
    }
    const labels = "app.kubernetes.io/name=autoai,app.kubernetes.io/component=operator";
    const release = ["--namespace", "autoai-system", "--selector", labels];
    const there = await kubectl("get", "deployment", ...release, "-o", "name");
    if (there.trim() === "") return;
    await kubectl("scale", "deployment", ...release, "--replicas=0");
    await kubectl("wait", "pod", ...release, "--for=delete", "--timeout=120s");
  };
  const kinds = async () => {
    const applied = await run([
      "apply",
      "--server-side",
      "--force-conflicts",
      "-f",
      join(here, "../../crds"),
    ]);
    if (/error/i.test(applied.errors)) throw new Error(applied.errors);
    await kubectl("wait", "crd/trainingjobs.autoai.dev", "--for=condition=Established", "--timeout=30s");
  };
  return {
    kubeconfig,
    own,
    ownOnly: (name, why) => (own ? name : `${name} [on a node of this machine's own alone: ${why}]`),
    program,
    flags,
    kubectl,
    run,
    apply,
    get,
    namespace,
    operator,
    kinds,
    exec,
  };
}
