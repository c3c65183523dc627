import { describe, expect, test } from "vitest";
import { createRuleEvaluator } from "./cel.ts";
import { customResourceDefinition } from "./crd.ts";
import { KINDS } from "./kinds.ts";
import { RULES } from "./rule.ts";
import { type Structural, structural } from "./structural.ts";

type Node = { readonly path: string; readonly schema: Structural };

function nodes(schema: Structural, path: string): Node[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    nodes(field, `${path}.${name}`),
  );
  return [{ path, schema }, ...below, ...(schema.items ? nodes(schema.items, `${path}[]`) : [])];
}

function rootOf(kind: (typeof KINDS)[number]): Structural {
  const { spec } = customResourceDefinition(kind) as {
    spec: { versions: [{ schema: { openAPIV3Schema: Structural } }] };
  };
  return spec.versions[0].schema.openAPIV3Schema;
}

describe.each(KINDS)("the CRD of $kind", (kind) => {
  const root = rootOf(kind);
  const fields = ["spec", "status"].flatMap((part) => nodes(root.properties?.[part] ?? {}, part));

  test("is structural: a type everywhere, no union but int-or-string, nothing that is left open", () => {
    for (const { path, schema } of nodes(root, "")) {
      const intOrString = schema["x-kubernetes-int-or-string"] === true;
      expect(intOrString || schema.type !== undefined, path).toBe(true);
      expect(intOrString || schema.anyOf === undefined, path).toBe(true);
      for (const keyword of ["oneOf", "allOf", "$ref", "additionalProperties", "const"]) {
        expect(schema, path).not.toHaveProperty(keyword);
      }
    }
  });

  test("describes every field, and bounds every text, number and list", () => {
    for (const { path, schema } of fields.filter(({ path }) => !path.endsWith("]"))) {
      expect(schema.description, path).toMatch(/\S/);
    }
    for (const { path, schema } of fields) {
      const bounded =
        schema.enum !== undefined || schema.format === "date-time" || schema.maxLength !== undefined;
      if (schema.type === "string") expect(bounded, path).toBe(true);
      if (schema.type === "integer") expect(schema.minimum, path).toBeDefined();
      if (schema.type === "integer") expect(["int32", "int64"], path).toContain(schema.format);
      if (schema.type === "array") expect(schema.maxItems, path).toBeDefined();
    }
    expect(fields.length).toBeGreaterThan(20);
  });

  test("has no floats: scores are decimal strings", () => {
    expect(fields.filter(({ schema }) => schema.type === "number")).toEqual([]);
  });

  test("writes an object's default out in full, as the API server checks it before it fills in more", () => {
    for (const { path, schema } of fields) {
      if (schema.default === undefined || schema.type !== "object") continue;
      for (const [name, field] of Object.entries(schema.properties ?? {})) {
        if (field.default !== undefined) expect(schema.default, path).toHaveProperty([name], field.default);
      }
    }
  });

  test("has rules with a message each, which name no place of ours", () => {
    const rules = nodes(root, "").flatMap(({ schema }) => schema[RULES] ?? []);
    expect(rules.length).toBeGreaterThan(2);
    for (const rule of rules) {
      expect(Object.keys(rule).filter((key) => !["rule", "message", "fieldPath"].includes(key))).toEqual([]);
      expect(rule.message).toMatch(/^[a-z].{10,}/);
    }
  });

  test("keeps status apart, and merges conditions by type", () => {
    const { versions, scope } = customResourceDefinition(kind).spec as {
      scope: string;
      versions: [{ subresources: Record<string, unknown> }];
    };
    expect(scope).toBe("Namespaced");
    expect(versions[0].subresources).toHaveProperty("status");
    expect(root.properties?.status?.properties?.conditions).toMatchObject({
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    });
  });
});

test("kubectl get tj shows STATE, SCORE, BASELINE, STEP and AGE", () => {
  const columns = KINDS.find(({ kind }) => kind === "TrainingJob")?.columns ?? [];
  expect(
    columns.filter(({ priority }) => priority === undefined).map(({ name }) => name.toUpperCase()),
  ).toEqual(["STATE", "SCORE", "BASELINE", "STEP", "AGE"]);
});

test("short names collide neither with each other nor with those of Kubernetes and Cluster API", () => {
  const taken =
    "cm cs ds deploy ep ev hpa ing limits md ms netpol no ns pc pdb po pv pvc quota rc rs sa sc sts svc crd cj csr".split(
      " ",
    );
  const ours = KINDS.flatMap(({ shortNames }) => shortNames);
  expect(new Set([...ours, ...taken]).size).toBe(ours.length + taken.length);
});

test("a rule that fails to evaluate is a problem, not a pass", () => {
  const schema: Structural = {
    type: "object",
    properties: { a: { type: "string" } },
    [RULES]: [{ rule: "self.b == 'x'", message: "must have b" }],
  };
  const evaluate = createRuleEvaluator();
  expect(evaluate(schema, { a: "1" }, { embedded: true })).toMatchObject([
    { message: expect.stringMatching("^must have b") },
  ]);
});

test("a rule of the cluster alone is left out of the embedded run", () => {
  const schema: Structural = {
    type: "string",
    [RULES]: [{ rule: "self == 'x'", message: "must be x", where: "Cluster" }],
  };
  expect(createRuleEvaluator()(schema, "y", { embedded: true })).toEqual([]);
  expect(createRuleEvaluator()(schema, "y", { embedded: false })).toHaveLength(1);
});

test("a text is bounded as Kubernetes bounds it, and its pattern said in words", () => {
  const { properties } = structural(KINDS[1]?.schema as never);
  const uri = properties?.spec?.properties?.dataset?.properties?.uri;
  expect(uri).toMatchObject({ type: "string", maxLength: 2048 });
  expect(uri).not.toHaveProperty("pattern");
  expect(uri?.[RULES]?.[0]?.message).toContain("must be s3://bucket/key");
});
