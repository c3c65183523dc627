/** The health script of Argo CD, run by the interpreter that Argo CD embeds (gopher-lua: Lua 5.1). */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { CASES } from "../chart/cases.ts";
import { chart, program, root } from "../chart/helm.ts";
import { DELETING, STATES } from "./states.ts";

const script = readFileSync(join(chart, "files", "argocd-health.lua"), "utf8");
const folder = join(root, "examples", "gitops", "argocd");

/** Argo CD hands the resource over as the global `obj` and takes what the script returns. */
function health(resource: unknown): { status: string; message: string } {
  const work = mkdtempSync(join(tmpdir(), "autoai-lua-"));
  try {
    const file = join(work, "health.lua");
    writeFileSync(
      file,
      `obj = ${lua(resource)}\nlocal function check()\n${script}\nend\nlocal hs = check()\nprint(hs.status)\nprint(hs.message)\n`,
    );
    const [status = "", ...message] = execFileSync(program("gopher-lua", "glua"), [file], {
      encoding: "utf8",
    }).split("\n");
    return { status, message: message.join("\n").trim() };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function lua(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(lua).join(", ")}}`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value).map(([key, field]) => `[${JSON.stringify(key)}] = ${lua(field)}`)}}`;
  }
  return JSON.stringify(value);
}

test.each([...STATES, ...DELETING])("$name: $argo", ({ argo, says, resource }) => {
  const { status, message } = health(resource);
  expect(status).toBe(argo);
  expect(message).toContain(says ?? "");
  expect(message).not.toBe("");
});

test("a status that holds no conditions yet is no reason to fail", () => {
  const resource = { metadata: { generation: 1 }, spec: {}, status: { observedGeneration: 1 } };
  expect(health(resource).status).toBe("Progressing");
});

describe("argocd-cm.yaml", () => {
  const { data } = parse(readFileSync(join(folder, "argocd-cm.yaml"), "utf8"));

  test("holds the chart's script for each kind", () => {
    const kinds = ["Dataset", "TrainingJob", "ModelDeployment"];
    expect(Object.keys(data).sort()).toEqual(
      kinds.map((kind) => `resource.customizations.health.autoai.dev_${kind}`).sort(),
    );
    for (const text of Object.values(data)) expect(text).toBe(script);
  });
});

test("the Application sets values that the chart knows, and brings the credentials itself", () => {
  const application = parseAllDocuments(readFileSync(join(folder, "operator.yaml"), "utf8"))[0]?.toJS();
  const { path, helm } = application.spec.source;
  expect(join(root, path)).toBe(chart);
  const known = new Set(CASES.map(({ set }) => Object.keys(set)[0]));
  expect(
    Object.keys(helm.valuesObject).map((key) => `${key}.${Object.keys(helm.valuesObject[key])[0]}`),
  ).toSatisfy((paths: string[]) => paths.every((one) => known.has(one)));
  expect(helm.valuesObject.store.existingSecret).toBeTruthy();
});
