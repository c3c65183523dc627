/**
 * A person with rights in one namespace and no key to the store, on a cluster with the operator in it: the notebook of
 * clients/python from a CSV to predictions, and the commands that fetch what its job made.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ModelManifest } from "../../operator/api/model-manifest.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { autoai, ROOT } from "../e2e/harness.ts";
import { withCluster } from "./cluster.ts";
import { environmentsClaim } from "./minio-pod.ts";

const MINUTES = 60_000;
const CLIENT = join(ROOT, "clients", "python");
const OPERATOR_NAMESPACE = "autoai-system";

const cluster = withCluster();
const folder = mkdtempSync(join(tmpdir(), "client-"));
let namespace = "";

/** A kubeconfig of a new account of the namespace: as one of a person who signs in with a token. */
async function account(name: string): Promise<string> {
  await cluster.kubectl("create", "serviceaccount", name, "-n", namespace);
  const token = (await cluster.kubectl("create", "token", name, "-n", namespace, "--duration=2h")).trim();
  const view = await cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json");
  const { clusters } = JSON.parse(view);
  const file = join(folder, name);
  writeFileSync(
    file,
    JSON.stringify({
      ...{ apiVersion: "v1", kind: "Config", "current-context": "c", clusters },
      users: [{ name, user: { token } }],
      contexts: [{ name: "c", context: { cluster: clusters[0].name, user: name, namespace } }],
    }),
  );
  return file;
}

/** What both accounts may: reach the operator, which asks who they are. */
const reachOperator = () => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "Role",
  metadata: { name: namespace, namespace: OPERATOR_NAMESPACE },
  rules: [{ apiGroups: [""], resources: ["services/proxy"], verbs: ["get"] }],
});
const bind = (name: string, where: string, role: object, ...accounts: string[]) => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: { name, namespace: where },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", ...role },
  subjects: accounts.map((one) => ({ kind: "ServiceAccount", name: one, namespace })),
});

let person = "";
let stranger = "";

beforeAll(async () => {
  await cluster.operator("running");
  namespace = await cluster.namespace("client");
  person = await account("person");
  stranger = await account("stranger");
  await cluster.apply(
    reachOperator(),
    bind(namespace, OPERATOR_NAMESPACE, { kind: "Role", name: namespace }, "person", "stranger"),
    bind("person", namespace, { kind: "ClusterRole", name: "edit" }, "person"),
    environmentsClaim(namespace),
  );
}, 5 * MINUTES);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  if (namespace === "") return;
  for (const kind of ["rolebinding", "role"])
    await cluster.run(["delete", kind, namespace, "-n", OPERATOR_NAMESPACE, "--ignore-not-found"]);
});

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

test(
  "the notebook goes from a CSV to predictions",
  async () => {
    const notebook = join(CLIENT, "examples", "churn.ipynb");
    const program = join(CLIENT, "tests", "notebook.py");
    const { stdout } = await promisify(execFile)(
      join(ROOT, ".venv", "bin", "python"),
      [program, notebook, "answer"],
      {
        cwd: folder,
        env: {
          ...process.env,
          PYTHONPATH: CLIENT,
          KUBECONFIG: person,
          AUTOAI_NAMESPACE: namespace,
          AUTOAI_EXAMPLES: join(ROOT, "examples"),
        },
        maxBuffer: 64 << 20,
      },
    );
    const { answer } = JSON.parse(stdout);
    expect(answer).toHaveLength(5);
    const { status } = TrainingJob.parse(await cluster.get("trainingjobs.autoai.dev", namespace, "churn"));
    expect(sha256(join(folder, "churn-model", "model.json"))).toBe(status?.model?.digest);
    const manifest = ModelManifest.parse(
      JSON.parse(readFileSync(join(folder, "churn-model", "model.json"), "utf8")),
    );
    for (const one of answer) expect(manifest.classes).toContain(String(one));
    for (const [path, { sha256: digest }] of Object.entries(manifest.files))
      expect(sha256(join(folder, "churn-model", path)), path).toBe(digest);
    expect(readFileSync(join(folder, "churn.html"), "utf8")).toMatch(/^<!doctype html>/i);
    // The rows go when their job does.
    const rows = await cluster.get<{ metadata: { ownerReferences: { name: string }[] } }>(
      "configmap",
      namespace,
      "churn-rows",
    );
    expect(rows?.metadata.ownerReferences[0]?.name).toBe("churn");
  },
  25 * MINUTES,
);

describe("the command line", () => {
  const fetched = (kubeconfig: string, ...args: string[]) =>
    autoai([...args, "-n", namespace], { env: { KUBECONFIG: kubeconfig } });

  test("fetches the same report and model", async () => {
    const report = join(folder, "report.html");
    const ended = await fetched(person, "report", "churn", "--output", report);
    expect(ended.code, ended.stderr).toBe(0);
    expect(sha256(report)).toBe(sha256(join(folder, "churn.html")));
    const copied = await fetched(person, "model", "churn", "--output", join(folder, "copy"));
    expect(copied.code, copied.stderr).toBe(0);
    for (const file of ["model.json", "trained_model.joblib"])
      expect(sha256(join(folder, "copy", file))).toBe(sha256(join(folder, "churn-model", file)));
  });

  test("fetches nothing for who may not get the job", async () => {
    const refused = await fetched(stranger, "report", "churn", "--output", join(folder, "none.html"));
    expect([refused.code, refused.stderr]).toEqual([
      2,
      `you may not get trainingjobs in namespace ${namespace}\n`,
    ]);
    const model = await fetched(stranger, "model", "churn", "--output", join(folder, "none"));
    expect([model.code, model.stderr]).toEqual([2, expect.stringContaining("forbidden")]);
  });
});
