/** The health expressions of Flux, evaluated in the order and with the defaults that Flux has for them (its RFC 9). */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseCel } from "@marcbachmann/cel-js";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { formatProblem, validateManifests } from "../../operator/api/validate.ts";
import { chart, render, root } from "../chart/helm.ts";
import { STATES } from "./states.ts";

const gitops = join(root, "examples", "gitops");
const read = (...path: string[]) => readFileSync(join(gitops, ...path), "utf8");
const models = parse(read("flux", "models.yaml"));

type Expressions = { kind: string; inProgress: string; failed: string; current: string };
type Resource = {
  kind?: string;
  metadata?: { generation?: number };
  status?: { observedGeneration?: number };
};

function health(resource: Resource): string {
  const expressions = models.spec.healthCheckExprs.find((one: Expressions) => one.kind === resource.kind);
  const observed = resource.status?.observedGeneration;
  if (observed !== undefined && observed !== resource.metadata?.generation) return "InProgress";
  const holds = (expression: string) => parseCel(expression)(resource as Record<string, unknown>) === true;
  try {
    if (holds(expressions.inProgress)) return "InProgress";
    if (holds(expressions.failed)) return "Failed";
    return holds(expressions.current) ? "Current" : "InProgress";
  } catch {
    // An expression that cannot be evaluated leaves the resource unknown: Flux goes on waiting.
    return "Unknown";
  }
}

test.each(STATES)("$name: $flux", ({ flux, resource }) => {
  expect(health(resource as Resource)).toBe(flux);
});

test("there are expressions for each kind, of the version that is served", () => {
  expect(models.spec.healthCheckExprs.map((one: Expressions) => one.kind).sort()).toEqual([
    "Dataset",
    "ModelDeployment",
    "TrainingJob",
  ]);
  for (const { apiVersion } of models.spec.healthCheckExprs) expect(apiVersion).toBe("autoai.dev/v1alpha1");
});

test("the models wait for the operator, and both paths are there", () => {
  const operator = parse(read("flux", "operator.yaml"));
  expect(models.spec.dependsOn).toEqual([{ name: operator.metadata.name }]);
  for (const { spec } of [operator, models]) {
    expect(existsSync(join(root, spec.path))).toBe(true);
    expect(spec.wait).toBe(true);
    expect(spec.sourceRef.name).toBe(parse(read("flux", "source.yaml")).metadata.name);
  }
});

test("the HelmRelease is of the chart, with values that it takes", () => {
  const release = parseAllDocuments(read("flux", "release", "helmrelease.yaml"))[1]?.toJS();
  expect(join(root, release.spec.chart.spec.chart)).toBe(chart);
  const manifests = render(release.spec.values, { name: release.metadata.name, namespace: "autoai" });
  expect(JSON.stringify(manifests)).toContain("registry.example.org/ml/autoai-operator");
});

test("the models are valid", () => {
  const names = readdirSync(join(gitops, "models")).filter((name) => name.endsWith(".yaml"));
  const text = names.map((name) => read("models", name)).join("\n---\n");
  const { documents, problems } = validateManifests(text, { file: "models", embedded: false });
  expect(problems.map(formatProblem)).toEqual([]);
  expect(documents.length).toBe(2);
});
