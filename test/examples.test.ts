/** The examples as files: valid, complete, and made of data that can be made again. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatProblem, validateManifests } from "../operator/api/validate.ts";

const root = join(import.meta.dirname, "..");
const examples = join(root, "examples");
const manifests = readdirSync(examples).filter((name) => name.endsWith(".yaml"));

describe.each(manifests)("%s", (name) => {
  const text = readFileSync(join(examples, name), "utf8");
  const { documents, problems } = validateManifests(text, { file: name, embedded: true });

  test("is valid", () => {
    expect(problems.map(formatProblem)).toEqual([]);
    expect(documents.length).toBeGreaterThan(0);
  });

  test("names files that are there, beside it", () => {
    for (const [, path] of text.matchAll(/uri: file:(\S+)/g)) {
      expect(path).toMatch(/^data\//);
      expect(existsSync(join(examples, path ?? "")), path).toBe(true);
    }
  });

  test("names columns that its data have", () => {
    const datasets = new Map(
      documents.flatMap((one) =>
        one.kind === "Dataset" ? [[one.metadata.name, one.spec.source.uri] as const] : [],
      ),
    );
    for (const job of documents.filter((one) => one.kind === "TrainingJob")) {
      const uri = job.spec.dataset.uri ?? datasets.get(job.spec.dataset.datasetRef?.name ?? "");
      const header = readFileSync(join(examples, uri?.replace(/^file:/, "") ?? ""), "utf8").split("\n")[0];
      expect(header?.split(",")).toContain(job.spec.target);
    }
  });
});

test("each task, Gemini, a shared data set and a deployment have an example", () => {
  const all = manifests.map((name) => readFileSync(join(examples, name), "utf8")).join("\n");
  for (const part of [
    "task: BinaryClassification",
    "task: MulticlassClassification",
    "task: Regression",
    "provider: Gemini",
    "provider: Offline",
    "kind: Dataset",
    "kind: ModelDeployment",
  ]) {
    expect(all).toContain(part);
  }
});

test("the data are what their generator makes, byte for byte", () => {
  const folder = mkdtempSync(join(tmpdir(), "autoai-examples-"));
  try {
    execFileSync(join(root, ".venv", "bin", "python"), [
      join(examples, "data", "generate.py"),
      "--out",
      folder,
    ]);
    const made = readdirSync(folder).sort();
    expect(made).toEqual(
      readdirSync(join(examples, "data"))
        .filter((name) => name.endsWith(".csv"))
        .sort(),
    );
    for (const name of made) {
      expect(readFileSync(join(folder, name)).equals(readFileSync(join(examples, "data", name))), name).toBe(
        true,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
