/** Model packages for tests: small models that are really trained, in the form in which the operator publishes them. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ModelPackage } from "../../inference-server/package/verify.ts";
import { type Feature, ModelManifest } from "../../operator/api/model-manifest.ts";

export const ROOT = join(import.meta.dirname, "..", "..");
export const PYTHON = process.env.AUTOAI_PYTHON ?? join(ROOT, ".venv", "bin", "python");
export const RUNNER = join(ROOT, "runner");
const PROGRAMS = join(ROOT, "test", "fakes", "programs");

export type ModelKind = "logistic" | "ridge" | "boosting" | "boosting-regression" | "faulty" | "recipe";

/** A recipe's files by path, with the entry train.py, and what it is to learn. */
export type Recipe = { readonly files: Readonly<Record<string, string>>; readonly regression: boolean };

export type BuiltPackage = Disposable & ModelPackage;

export const FEATURES: readonly Feature[] = [
  { name: "id", type: "Identifier", nullable: false, example: "A-00001" },
  { name: "age", type: "Integer", nullable: false, min: "18", max: "79", example: 42 },
  { name: "income", type: "Number", nullable: true, example: 2500.5 },
  { name: "active", type: "Boolean", nullable: false, categories: ["True", "False"], example: "True" },
  { name: "plan", type: "Category", nullable: false, categories: ["basic", "plus", "pro"], example: "pro" },
  { name: "city", type: "Category", nullable: true, categories: ["Bern", "Basel", "Zug"], example: "Bern" },
  {
    name: "code",
    type: "Category",
    nullable: false,
    categories: ["00123", "00456", "00789"],
    example: "00123",
  },
  { name: "since", type: "Date", format: "YYYY-MM-DD", nullable: false, example: "2020-06-01" },
];

/** Columns that recipes have as well. */
export const RECIPE_FEATURES: readonly Feature[] = [
  ...FEATURES,
  { name: "ticket", type: "Text", nullable: true, example: "A/1 x" },
  { name: "until", type: "Date", format: "YYYY-MM-DD", nullable: true, example: "2023-01-20" },
  { name: "lat", type: "Number", nullable: false, min: "46", max: "48", example: 47.1 },
  { name: "long", type: "Number", nullable: false, min: "6", max: "10", example: 8.2 },
  { name: "visits", type: "Integer", nullable: false, min: "0", max: "5", example: 3 },
];

/** A row that fits. */
export const ROW = Object.fromEntries(
  FEATURES.map(({ name, example }) => [name, example === "True" ? true : example]),
);

/** Trains the model and packs it, in a directory of its own that goes when it is disposed of. */
export async function modelPackage(kind: ModelKind, recipe?: Recipe): Promise<BuiltPackage> {
  const directory = mkdtempSync(join(tmpdir(), "model-package-"));
  mkdirSync(join(directory, "recipe"));
  writeFileSync(join(directory, "recipe", "train.py"), "# trained by test/fakes/programs/model_package.py\n");
  if (kind === "faulty") copyFileSync(join(PROGRAMS, "faulty.py"), join(directory, "recipe", "faulty.py"));
  for (const [path, content] of Object.entries(recipe?.files ?? {})) {
    writeFileSync(join(directory, "recipe", path), content);
  }
  const regression = recipe?.regression ?? (kind === "ridge" || kind === "boosting-regression");
  const program = [
    join(PROGRAMS, "model_package.py"),
    kind,
    directory,
    ...(regression ? ["regression"] : []),
  ];
  await promisify(execFile)(PYTHON, program, { env: { PYTHONDONTWRITEBYTECODE: "1", OMP_NUM_THREADS: "1" } });
  return {
    ...packed(kind, directory, regression),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Writes the model.json of the files that lie there. */
export function packed(kind: string, directory: string, regression: boolean): ModelPackage {
  const manifest = manifestOf(kind, directory, regression);
  const bytes = Buffer.from(JSON.stringify(manifest));
  writeFileSync(join(directory, "model.json"), bytes);
  return { directory, digest: sha256(bytes), manifest };
}

function manifestOf(kind: string, directory: string, regression: boolean): ModelManifest {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "model.json")
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => {
      const body = readFileSync(path);
      return [path.slice(directory.length + 1), { sha256: sha256(body), size: body.length }];
    });
  const zero = { verified: 0.9, standardError: 0, final: 0.9, finalStandardError: 0, baselineFinal: 0.8 };
  return ModelManifest.parse({
    schemaVersion: 1,
    name: `A ${kind} model`,
    description: "Made by a test.",
    task: regression ? "Regression" : "BinaryClassification",
    target: "answer",
    classes: regression ? [] : ["no", "yes"],
    metric: regression ? "Rmse" : "RocAuc",
    features: kind === "recipe" ? RECIPE_FEATURES : FEATURES,
    scores: zero,
    provenance: {
      job: { name: kind },
      datasetSha256: "0".repeat(64),
      split: { by: "Random", method: "Holdout", folds: 0, seed: 0, finalPercent: 20 },
      publish: "AsScored",
      rows: 300,
      origin: "Agent",
      recipe: "0".repeat(64),
      environment: "0".repeat(64),
      operatorVersion: "0.0.0",
      createdAt: "2026-01-01T00:00:00Z",
    },
    files: Object.fromEntries(files),
  });
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
