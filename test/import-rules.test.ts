/** The linter refuses imports that point the wrong way. Violations are written into a copy of the folders' shape. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

type Diagnostic = {
  readonly category: string;
  readonly message: string;
  readonly location: { readonly path: string };
};

const REFUSED: readonly [file: string, source: string, because: string][] = [
  ["operator/api/x.ts", "../cluster/memory.ts", "api holds the contracts"],
  ["operator/agent/x.ts", "../cluster/cluster.ts", "agent knows no Kubernetes"],
  ["operator/agent/x.ts", "../sandbox/executor.ts", "agent knows no Kubernetes"],
  ["operator/engine/x.ts", "../api/trainingjob.ts", "knows no kind"],
  ["operator/engine/x.ts", "../reconcilers/dataset.ts", "knows no kind"],
  ["operator/llm/offline/x.ts", "../../agent/journal.ts", "stand on api alone"],
  ["operator/storage/x.ts", "../sandbox/executor.ts", "stand on api alone"],
  ["operator/cluster/x.ts", "../reconcilers/dataset.ts", "stand on api alone"],
  ["operator/serving/x.ts", "../engine/queue.ts", "stand on api alone"],
  ["operator/sandbox/x.ts", "../tools/tool.ts", "sandbox imports"],
  ["operator/evaluation/x.ts", "../tools/tool.ts", "evaluation imports"],
  ["operator/report/x.ts", "../agent/journal.ts", "report is a pure function"],
  ["operator/tools/x.ts", "../reconcilers/dataset.ts", "tools knows no Kubernetes"],
  ["operator/tools/x.ts", "../cluster/memory.ts", "tools knows no Kubernetes"],
  ["operator/reconcilers/trainingjob/x.ts", "../../storage/minio.ts", "reconcilers speaks to interfaces"],
  ["operator/reconcilers/x.ts", "../llm/gemini.ts", "reconcilers speaks to interfaces"],
  ["operator/reconcilers/x.ts", "../cli.ts", "nothing imports them"],
  ["operator/embedded/x.ts", "../cli/run.ts", "embedded is below cli"],
  ["inference-server/x.ts", "../operator/storage/minio.ts", "inference-server stands alone"],
  ["operator/reconcilers/x.ts", "@kubernetes/client-node", "Each SDK is imported by one file"],
  ["operator/storage/file-store.ts", "minio", "Each SDK is imported by one file"],
  ["operator/llm/offline.ts", "@google/generative-ai", "Each SDK is imported by one file"],
  ["operator/cli/x.ts", "yaml", "Each SDK is imported by one file"],
  ["operator/cluster/x.ts", "@marcbachmann/cel-js", "Each SDK is imported by one file"],
  ["operator/report/x.ts", "vega-lite", "Each SDK is imported by one file"],
  ["operator/embedded/x.ts", "commander", "Each SDK is imported by one file"],
  ["operator/embedded/x.ts", "../../console/server/app.ts", "console stands on all the others"],
  ["console/web/src/x.ts", "../../../operator/api/meta.ts", "pages know the console's server alone"],
  ["console/server/router/x.ts", "jose", "Each SDK is imported by one file"],
  ["console/server/router/x.ts", "openid-client", "Each SDK is imported by one file"],
];

const ACCEPTED: readonly [file: string, source: string][] = [
  ["operator/cluster/client-node.ts", "@kubernetes/client-node"],
  ["operator/storage/minio.ts", "minio"],
  ["operator/llm/gemini.ts", "@google/generative-ai"],
  ["operator/report/charts/svg.ts", "vega"],
  ["operator/cli.ts", "commander"],
  ["operator/cli.ts", "./storage/minio.ts"],
  ["operator/reconcilers/x.ts", "../cluster/cluster.ts"],
  ["operator/engine/x.ts", "../api/meta.ts"],
  ["operator/tools/x.ts", "../sandbox/executor.ts"],
  ["operator/agent/x.test.ts", "../cluster/memory.ts"],
  ["operator/cli/console.ts", "../../console/server/embedded/start.ts"],
  ["console/server/session.ts", "jose"],
  ["console/server/router/x.ts", "../../../operator/api/meta.ts"],
];

describe("imports", () => {
  let folder = "";
  let found: Diagnostic[] = [];
  const nameOf = (file: string, index: number) => file.replace(/(\.test)?\.ts$/, (end) => `-${index}${end}`);
  /** A file that is at home in a rule keeps its name; others get a number, so that each holds one import. */
  const fixed = new Set(ACCEPTED.map(([file]) => file).filter((file) => !/\/x(\.test)?\.ts$/.test(file)));

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "autoai-imports-"));
    for (const name of ["biome.json", "imports.grit"]) copyFileSync(join(root, name), join(folder, name));
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text, { flag: "a" });
    };
    for (const [index, [file, source]] of REFUSED.entries()) {
      write(nameOf(file, index), `import { thing } from "${source}";\nexport default thing;\n`);
    }
    for (const [index, [file, source]] of ACCEPTED.entries()) {
      write(fixed.has(file) ? file : nameOf(file, 1000 + index), `export * from "${source}";\n`);
    }
    write("operator/api/dynamic.ts", 'export const later = () => import("../cluster/memory.ts");\n');
    write("operator/api/types.ts", 'export type { Cluster } from "../cluster/cluster.ts";\n');
    found = lint(folder).filter(({ category }) => category === "plugin");
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const messages = (file: string) =>
    found.filter(({ location }) => location.path === file).map(({ message }) => message);

  test.each(REFUSED.map((row, index) => [...row, index] as const))(
    "%s may not import %s",
    (file, _, because, index) => {
      expect(messages(nameOf(file, index)).join("\n")).toContain(because);
    },
  );

  test.each(ACCEPTED.map((row, index) => [...row, index] as const))("%s may import %s", (file, _, index) => {
    expect(messages(fixed.has(file) ? file : nameOf(file, 1000 + index))).toEqual([]);
  });

  test("a dynamic import and a type are imports too", () => {
    expect(messages("operator/api/dynamic.ts").join()).toContain("api holds the contracts");
    expect(messages("operator/api/types.ts").join()).toContain("api holds the contracts");
  });
});

function lint(folder: string): Diagnostic[] {
  const biome = join(root, "node_modules", ".bin", "biome");
  const options = ["lint", "--vcs-enabled=false", "--reporter=json", "--max-diagnostics=none", "."];
  try {
    return JSON.parse(execFileSync(biome, options, { cwd: folder, encoding: "utf8", stdio: "pipe" }))
      .diagnostics;
  } catch (error) {
    return JSON.parse((error as { stdout: string }).stdout).diagnostics;
  }
}
