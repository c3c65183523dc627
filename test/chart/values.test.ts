/** values.yaml, values.schema.json, the README's table and the cases of rendered.test.ts speak of the same values. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CASES, EXTERNAL } from "./cases.ts";
import { chart, nested, tryRender } from "./helm.ts";
import { documented, leaves, readmeText, valuesText, withTable } from "./values-table.ts";

type Schema = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
};

const schema: Schema = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
const values = parse(valuesText());
const known = documented(valuesText());
const resolve = (part: Schema): Schema =>
  part.$ref ? (schema.$defs?.[part.$ref.split("/").at(-1) ?? ""] ?? {}) : part;
/** Values of which the schema does not know the keys, or whose keys are Kubernetes' own: they are documented as one. */
const open = new Set(known.map(({ path }) => path));

test("each value is documented by the comment above it", () => {
  expect(leaves(values, open).filter((path) => !open.has(path))).toEqual([]);
  for (const { path, text } of known) expect(text, path).toMatch(/^[A-Z].*[.:]$/);
});

test("the README's table is made of values.yaml; if not: node test/chart/values-table.ts --write", () => {
  expect(readmeText()).toBe(withTable(readmeText(), valuesText()));
});

test("each value has a case in which it is set", () => {
  const set = new Set(CASES.flatMap((one) => Object.keys(one.set)));
  expect(known.map(({ path }) => path).filter((path) => !set.has(path))).toEqual([]);
});

test("the schema knows the same values, and no object of ours takes others", () => {
  const paths = (part: Schema, path: string): string[] => {
    if (open.has(path)) return [path];
    expect(part.additionalProperties, path).toBe(false);
    return Object.entries(part.properties ?? {}).flatMap(([key, child]) =>
      paths(resolve(child), path === "" ? key : `${path}.${key}`),
    );
  };
  const { global: _, ...properties } = schema.properties ?? {};
  expect(paths({ ...schema, properties }, "").sort()).toEqual([...open].sort());
});

describe("refused, with the value and what was expected", () => {
  test.each([
    [{ replicas: 3 }, "additional properties 'replicas' not allowed"],
    [{ operator: { replica: 3 } }, "at '/operator': additional properties 'replica' not allowed"],
    [{ operator: { replicas: "two" } }, "at '/operator/replicas': got string, want integer"],
    [{ operator: { logLevel: "loud" } }, "at '/operator/logLevel': value must be one of 'trace', 'debug'"],
    [{ watchNamespaces: "team-a" }, "at '/watchNamespaces': got string, want array"],
    [{ watchNamespaces: ["Team A"] }, "at '/watchNamespaces/0': 'Team A' does not match pattern"],
    [{ watchNamespaces: ["a", "a"] }, "at '/watchNamespaces'"],
    [
      { artifacts: { onDelete: "Forget" } },
      "at '/artifacts/onDelete': value must be one of 'Retain', 'Delete'",
    ],
    [{ crds: { install: "yes please" } }, "at '/crds/install': got string, want boolean"],
    [{ image: { operator: { digest: "abc" } } }, "at '/image/operator/digest': 'abc' does not match pattern"],
    [{ minio: { persistence: { size: "big" } } }, "at '/minio/persistence/size'"],
    [{ store: { network: { cidr: "everywhere" } } }, "at '/store/network/cidr'"],
    [{ console: { oidc: { issuer: "http://sso.example.org" } } }, "at '/console/oidc/issuer'"],
    [{ console: { oidc: { scopes: "email" } } }, "at '/console/oidc/scopes'"],
    [
      { console: { oidc: { issuer: "https://sso.example.org" } } },
      "console.oidc: expected issuer and clientId, or neither; found one of them",
    ],
    [{ store: { endpoint: "https://user:secret@s3" } }, "at '/store/endpoint'"],
    [
      { store: { endpoint: "https://s3.example.org" } },
      "store.endpoint: expected none, because minio.enabled is true",
    ],
    [{ minio: { enabled: false } }, "store.endpoint: expected the address of an S3 endpoint"],
    [
      nested({ ...EXTERNAL, "store.existingSecret": "" }),
      "store.existingSecret: expected the name of a Secret with the store's credentials",
    ],
    [nested({ ...EXTERNAL, "store.network.cidr": "" }), "store.network: expected cidr or podLabels"],
    [
      nested({ ...EXTERNAL, "store.network.podLabels": { app: "store" } }),
      "store.network: expected cidr or podLabels; found both",
    ],
    [
      { environments: { enabled: true } },
      "environments.namespaces: expected the namespaces in which jobs run",
    ],
    [
      { environments: { enabled: true, volumeName: "one", namespaces: ["a", "b"] } },
      "environments.volumeName: expected a single namespace",
    ],
    [
      { operator: { extraEnv: [{ name: "AUTOAI_STORE_BUCKET", value: "x" }] } },
      'operator.extraEnv: expected variables that the chart does not set; found "AUTOAI_STORE_BUCKET"',
    ],
    [{ serviceAccount: { create: false } }, "serviceAccount.name: expected the name of a ServiceAccount"],
  ])("%j", (given, message) => {
    const { status, stderr } = tryRender(given);
    expect(status).not.toBe(0);
    expect(stderr).toContain(message);
  });
});
