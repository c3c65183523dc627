import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clusterModel, clusterReport } from "./cluster-artifacts.ts";
import { UsageError } from "./exit.ts";
import { inferences } from "./inferences.ts";
import { logs } from "./logs.ts";

const OPTIONS = { namespace: "team", operatorNamespace: "autoai-system", operatorService: "autoai" };

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe.each([
  // `autoai inspect -n` is this one too.
  ["logs", () => logs("churn", OPTIONS)],
  ["inferences", () => inferences("churn", { ...OPTIONS, since: "1h" }, process.env)],
  ["report", () => clusterReport("churn", { ...OPTIONS, output: join(folder, "report.html") })],
  ["model", () => clusterModel("churn", { ...OPTIONS, output: join(folder, "model") })],
])("%s", (_, command) => {
  const failure = async (kubeconfig: string): Promise<Error> => {
    vi.stubEnv("KUBECONFIG", kubeconfig);
    return command().then(
      () => Promise.reject(new Error("it did not fail")),
      (error: Error) => error,
    );
  };

  test("where the kubeconfig is not there, says where it was looked for and what to do", async () => {
    const path = join(folder, "none");
    const error = await failure(path);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(
      `expected a kubeconfig where KUBECONFIG points, at ${path}, found: ENOENT: no such file or directory, open '${path}'. ` +
        "Set KUBECONFIG to the path of your cluster's, or unset it to use ~/.kube/config",
    );
  });

  test("where it is no YAML, says so in one line, without what stands in it", async () => {
    const path = join(folder, "spoilt");
    writeFileSync(path, "users:\n  - name: ada\n  token: [very-secret\n");
    const { message } = await failure(path);
    expect(message).toMatch(/^expected a kubeconfig where KUBECONFIG points.* Set KUBECONFIG.*$/);
    expect(message).not.toContain("very-secret");
  });

  test("where it is a folder, the same", async () => {
    const { message } = await failure(folder);
    expect(message).toMatch(
      /^expected a kubeconfig where KUBECONFIG points.* found: EISDIR.* Set KUBECONFIG/,
    );
  });
});
