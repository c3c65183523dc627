/**
 * JSON Schema → the service's Schema, a subset of OpenAPI 3.0 with types in capitals.
 *
 * Source: https://ai.google.dev/api/caching#Schema. A keyword that it does not know is refused with 400, so only known
 * ones are passed on. What is lost in translation is checked by the tools' own schemas when a call comes in.
 */
import { isObject } from "./contents.ts";

export type GeminiSchema = { readonly [keyword: string]: unknown };
type JsonSchema = Readonly<Record<string, unknown>>;

/** Keywords that mean the same in both. */
const SAME = [
  "title",
  "description",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "minProperties",
  "maxProperties",
  "pattern",
];

const FORMATS: Readonly<Record<string, readonly string[]>> = {
  STRING: ["date-time"],
  NUMBER: ["float", "double"],
  INTEGER: ["int32", "int64"],
};

/** Beyond it, recursive schemas are cut: the innermost objects and arrays say only that they are such. */
const MAX_DEPTH = 8;

/** Parameters of a tool; undefined where it takes none, as the service refuses a parameter object without properties. */
export function toGeminiParameters(schema: JsonSchema): GeminiSchema | undefined {
  const converted = convert(schema, schema, 0);
  if (converted.type === "OBJECT") return converted.properties === undefined ? undefined : converted;
  throw new TypeError("the parameters of a tool must be a JSON Schema of type object");
}

function convert(source: unknown, root: JsonSchema, depth: number): GeminiSchema {
  // `true`, the empty schema and what lies too deep: anything goes, for which text is the nearest word.
  if (!isObject(source) || depth > MAX_DEPTH) return { type: "STRING" };
  const schema = flatten(source, root, depth);
  const { alternatives, nullable } = withoutNull(schema);
  const common = { ...pick(schema, SAME), ...(nullable ? { nullable: true } : {}) };

  const [only] = alternatives;
  if (alternatives.length === 1) return { ...convert(only, root, depth + 1), ...common };
  if (alternatives.length > 1) {
    return { ...common, anyOf: alternatives.map((alternative) => convert(alternative, root, depth + 1)) };
  }

  const values = Array.isArray(schema.enum) ? schema.enum : "const" in schema ? [schema.const] : undefined;
  const type = typeOf(schema, values);
  if (type === "STRING" && values) return { ...common, type, format: "enum", enum: values.map(String) };
  if (type === "OBJECT") return { ...common, type, ...objectKeywords(schema, root, depth) };
  if (type === "ARRAY") return { ...common, type, items: convert(itemsOf(schema), root, depth + 1) };
  const format = FORMATS[type]?.find((known) => known === schema.format);
  return { ...common, ...limits(schema, type), type, ...(format ? { format } : {}) };
}

/** Follows a local $ref and merges allOf. */
function flatten(schema: JsonSchema, root: JsonSchema, depth: number): JsonSchema {
  let flat = schema;
  for (let hops = 0; hops < MAX_DEPTH && typeof flat.$ref === "string"; hops++) {
    const { $ref, ...siblings } = flat;
    const target = resolve($ref as string, root);
    flat = { ...(isObject(target) ? target : {}), ...siblings };
  }
  if (!Array.isArray(flat.allOf) || depth > MAX_DEPTH) return flat;
  const { allOf, ...merged }: Record<string, unknown> = flat;
  for (const part of (allOf as unknown[]).filter(isObject)) {
    const next = flatten(part, root, depth + 1);
    const properties = { ...(merged.properties as object), ...(next.properties as object) };
    const required = [...strings(merged.required), ...strings(next.required)];
    Object.assign(merged, next);
    if (Object.keys(properties).length > 0) Object.assign(merged, { properties });
    if (required.length > 0) Object.assign(merged, { required });
  }
  return merged;
}

function resolve(ref: string, root: JsonSchema): unknown {
  if (ref === "#") return root;
  return ref
    .replace(/^#\//, "")
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((at, step) => (isObject(at) ? at[step] : undefined), root);
}

/** anyOf, oneOf and lists of types without null, which is a flag here. */
function withoutNull(schema: JsonSchema): { alternatives: JsonSchema[]; nullable: boolean } {
  const given = [schema.anyOf, schema.oneOf].find(Array.isArray) as unknown[] | undefined;
  const listed =
    given?.filter(isObject) ??
    (Array.isArray(schema.type) && schema.type.length > 1
      ? schema.type.map((type): JsonSchema => ({ ...schema, type }))
      : []);
  const alternatives = listed.filter(
    (alternative) => alternative.type !== "null" && alternative.const !== null,
  );
  return { alternatives, nullable: alternatives.length < listed.length || schema.nullable === true };
}

function typeOf(schema: JsonSchema, values: readonly unknown[] | undefined): string {
  const stated = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (typeof stated === "string" && stated !== "null") return stated.toUpperCase();
  if (values?.every((value) => typeof value === "boolean")) return "BOOLEAN";
  if (values?.every((value) => typeof value === "number")) return "NUMBER";
  if (isObject(schema.properties) || schema.additionalProperties !== undefined) return "OBJECT";
  return schema.items !== undefined || schema.prefixItems !== undefined ? "ARRAY" : "STRING";
}

function objectKeywords(schema: JsonSchema, root: JsonSchema, depth: number): GeminiSchema {
  const properties = Object.entries(isObject(schema.properties) ? schema.properties : {});
  // A map (`additionalProperties`) is told as an object of which nothing more is said.
  if (properties.length === 0 || depth >= MAX_DEPTH) return {};
  const names = properties.map(([name]) => name);
  const required = [...new Set(strings(schema.required))].filter((name) => names.includes(name));
  return {
    properties: Object.fromEntries(
      properties.map(([name, value]) => [name, convert(value, root, depth + 1)]),
    ),
    ...(required.length > 0 ? { required } : {}),
    propertyOrdering: names,
  };
}

function itemsOf(schema: JsonSchema): unknown {
  if (Array.isArray(schema.prefixItems)) return { anyOf: schema.prefixItems };
  return Array.isArray(schema.items) ? { anyOf: schema.items } : schema.items;
}

/** Exclusive bounds do not exist there: for integers they are the next one, for numbers the bound itself. */
function limits(schema: JsonSchema, type: string): GeminiSchema {
  const step = type === "INTEGER" ? 1 : 0;
  const { exclusiveMinimum: above, exclusiveMaximum: below, minimum, maximum } = schema;
  return {
    ...(isBound(minimum) ? { minimum } : {}),
    ...(isBound(maximum) ? { maximum } : {}),
    ...(typeof above === "number" ? { minimum: above + step } : {}),
    ...(typeof below === "number" ? { maximum: below - step } : {}),
  };
}

/** zod bounds every integer by what a double can count; the service need not hear of it. */
function isBound(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER;
}

function pick(schema: JsonSchema, keywords: readonly string[]): GeminiSchema {
  return Object.fromEntries(
    keywords.flatMap((word) => (schema[word] === undefined ? [] : [[word, schema[word]]])),
  );
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
