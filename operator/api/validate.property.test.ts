/** Manifests that nobody wrote by hand: whatever comes, a person gets lines, and nothing unknown gets through. */

import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { fc } from "../../test/properties.ts";
import { KINDS } from "./kinds.ts";
import { type Structural, structural } from "./structural.ts";
import { createManifestValidator, formatProblem } from "./validate.ts";

const FULL_JOB = {
  apiVersion: "autoai.dev/v1alpha1",
  kind: "TrainingJob",
  metadata: { name: "churn", namespace: "team", labels: { team: "a" } },
  spec: {
    dataset: { uri: "s3://data/churn.csv" },
    target: "Churn",
    task: "BinaryClassification",
    goal: "Find those who leave.",
    evaluation: { metric: "RocAuc", method: "Auto", folds: 5, split: "Group", column: "Household", seed: 3 },
    acceptance: { score: "0.9" },
    budget: { maxSteps: 10, maxSeconds: 60, maxTokens: 1000 },
    llm: { provider: "Gemini", name: "gemini-2.5-pro", apiKeySecretRef: { name: "gemini", key: "apiKey" } },
    sandbox: { resources: { cpu: "2", memory: "4Gi", disk: "2Gi" }, stepTimeoutSeconds: 60 },
    deploy: { replicas: 1 },
    suspend: false,
    ttlSecondsAfterFinished: 600,
  },
};
const FULL_DATASET = {
  apiVersion: "autoai.dev/v1alpha1",
  kind: "Dataset",
  metadata: { name: "churn" },
  spec: {
    source: { configMapKeyRef: { name: "rows", key: "rows.csv" } },
    format: { delimiter: ";", encoding: "utf-16" },
  },
};
const FULL_DEPLOYMENT = {
  apiVersion: "autoai.dev/v1alpha1",
  kind: "ModelDeployment",
  metadata: { name: "churn" },
  spec: {
    modelRef: { trainingJob: "churn" },
    followLatest: true,
    autoscaling: { minReplicas: 1, maxReplicas: 3, targetCpuPercent: 70 },
    resources: { cpu: "500m", memory: "1Gi" },
    predictionLog: { mode: "Sampled", samplePercent: 5 },
    limits: { maxRows: 10 },
  },
};
const GOOD = [FULL_JOB, FULL_DATASET, FULL_DEPLOYMENT];

const validate = createManifestValidator();

function check(text: string) {
  const result = validate(text, { file: "x.yaml", embedded: false });
  for (const problem of result.problems) {
    const line = formatProblem(problem);
    expect(line).toMatch(/^x\.yaml:[1-9]\d*:[1-9]\d*: \S/);
    expect(line).not.toContain("\n");
    expect(line.length).toBeLessThan(2000);
  }
  return result;
}

/** Every object in the value, by path. */
function objects(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return [path, ...Object.entries(value).flatMap(([key, child]) => objects(child, [...path, key]))];
}

function changed(
  value: unknown,
  path: readonly string[],
  change: (at: Record<string, unknown>) => void,
): unknown {
  const copy = structuredClone(value);
  change(path.reduce((node, key) => node[key] as Record<string, unknown>, copy as Record<string, unknown>));
  return copy;
}

test("the manifests that are changed below are good", () => {
  for (const manifest of GOOD) expect(check(stringify(manifest)).problems).toEqual([]);
});

test("arbitrary text gets a problem, never an exception", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc
      .array(
        fc.constantFrom(
          "a",
          ":",
          " ",
          "\n",
          "-",
          "[",
          "]",
          "{",
          "}",
          "&",
          "*",
          "'",
          '"',
          "\t",
          "|",
          ">",
          "!",
          "?",
          "#",
          "%",
          "<<",
          "---\n",
          ",",
        ),
        {
          maxLength: 60,
        },
      )
      .map((parts) => parts.join("")),
    fc.json(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const { documents, problems } = check(text);
      expect(documents).toEqual([]);
      expect(problems.length).toBeGreaterThan(0);
    }),
    { numRuns: 400 },
  );
});

test("a manifest with bytes cut out or put in gets problems or means what it says, never an exception", () => {
  const text = GOOD.map((manifest) => stringify(manifest)).join("---\n");
  const edits = fc.record({
    at: fc.nat(text.length),
    remove: fc.nat(20),
    insert: fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom("\t", "\n", ": ", "- ", "{", "---\n", "&a ", "*a"),
    ),
  });
  fc.assert(
    fc.property(edits, ({ at, remove, insert }) => {
      const { documents, problems } = check(text.slice(0, at) + insert + text.slice(at + remove));
      for (const document of documents) expect(unknownFields(document)).toEqual([]);
      expect(documents.length + problems.length).toBeGreaterThan(0);
    }),
    { numRuns: 300 },
  );
});

describe("a field that is not known is never let through", () => {
  const places = GOOD.flatMap((manifest) => objects(manifest).map((path) => ({ manifest, path })));
  /** Free-form by nature: any label may stand there. */
  const closed = places.filter(({ path }) => path.at(-1) !== "labels");
  const names = fc.oneof(
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.constantFrom(
      "__proto__",
      "constructor",
      "toString",
      "hasOwnProperty",
      "Target",
      "maxstep",
      "spec",
      "0",
    ),
  );

  test("wherever it stands and whatever it is called", () => {
    fc.assert(
      fc.property(fc.constantFrom(...closed), names, fc.jsonValue(), ({ manifest, path }, name, value) => {
        const at = path.reduce<Record<string, unknown>>(
          (node, key) => node[key] as Record<string, unknown>,
          manifest,
        );
        fc.pre(!Object.hasOwn(at, name) && !knownFields(manifest.kind, path).includes(name));
        const text = JSON.stringify(
          changed(manifest, path, (node) => {
            Object.defineProperty(node, name, { value, enumerable: true, configurable: true });
          }),
        );
        const { documents, problems } = check(text);
        expect(documents).toEqual([]);
        expect(problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 400 },
    );
  });
});

test("a value of another type, in any field, gives a problem that points at it or into what it broke", () => {
  const leaves = GOOD.flatMap((manifest) =>
    objects(manifest.spec, ["spec"]).flatMap((path) => {
      const node = path.reduce<Record<string, unknown>>(
        (at, key) => at[key] as Record<string, unknown>,
        manifest,
      );
      return Object.keys(node).map((key) => ({ manifest, path, key }));
    }),
  );
  const wrong = fc.oneof(
    fc.constant([]),
    fc.constant([1]),
    fc.constant(1.5),
    fc.constant(-1),
    fc.constant({ a: 1 }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...leaves), wrong, ({ manifest, path, key }, value) => {
      const { documents, problems } = check(
        stringify(
          changed(manifest, path, (node) => {
            node[key] = value;
          }),
        ),
      );
      expect(documents).toEqual([]);
      expect(problems.some(({ field }) => field.startsWith([...path, key].join(".")))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

const SCHEMAS = new Map<string, Structural>(KINDS.map(({ kind, schema }) => [kind, structural(schema)]));

function knownFields(kind: string, path: readonly string[]): string[] {
  const node = path.reduce<Structural | undefined>((at, key) => at?.properties?.[key], SCHEMAS.get(kind));
  return Object.keys(node?.properties ?? {});
}

/** Fields of a resource that its schema does not have. */
function unknownFields(resource: { readonly kind: string }): string[] {
  return objects(resource)
    .filter((path) => !["labels", "annotations"].includes(path.at(-1) ?? ""))
    .flatMap((path) => {
      const node = path.reduce<unknown>(
        (at, key) => (at as Record<string, unknown>)[key],
        resource,
      ) as object;
      const known = knownFields(resource.kind, path);
      return Object.keys(node).filter((key) => !known.includes(key));
    });
}
