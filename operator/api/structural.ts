/** zod → the structural OpenAPI v3 schema that a CustomResourceDefinition takes. */
import { z } from "zod";
import { RULES, type Rule } from "./rule.ts";

/** The part of OpenAPI v3 that Kubernetes allows in a structural schema, as far as AutoAI uses it. */
export type Structural = {
  description?: string;
  type?: "object" | "array" | "string" | "integer" | "boolean" | "number";
  format?: string;
  default?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  required?: string[];
  properties?: Record<string, Structural>;
  additionalProperties?: Structural | boolean;
  items?: Structural;
  anyOf?: Structural[];
  nullable?: boolean;
  [RULES]?: Rule[];
  "x-kubernetes-list-type"?: "map" | "set" | "atomic";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-int-or-string"?: true;
  "x-kubernetes-preserve-unknown-fields"?: true;
};

/** The schema of what a person writes: fields with a default are optional. Rules stand in it with their `where`. */
export function structural(schema: z.ZodType): Structural {
  const generated = z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", reused: "inline" });
  return simplify(generated as Structural);
}

function simplify(node: Structural): Structural {
  const { description, anyOf, properties, items, additionalProperties, ...plain } = node;
  const result: Structural = { ...(description === undefined ? {} : { description }), ...plain };
  if (node["x-kubernetes-int-or-string"]) {
    result.anyOf = [{ type: "integer" }, { type: "string" }];
    return result;
  }
  if (node.type === "integer") integerFormat(result);
  // The rule that says the same in words takes the pattern's place; Kubernetes itself checks date-time.
  if (node.format === "date-time" || node[RULES]?.some((rule) => rule.rule.startsWith("self.matches("))) {
    delete result.pattern;
  }
  if (properties && Object.keys(properties).length > 0) {
    result.properties = mapValues(properties, simplify);
    if (result.default !== undefined) result.default = wholeDefault(result);
  }
  if (items) result.items = simplify(items);
  if (typeof additionalProperties === "object") {
    if (Object.keys(additionalProperties).length > 0)
      result.additionalProperties = simplify(additionalProperties);
    else result["x-kubernetes-preserve-unknown-fields"] = true;
  }
  return result;
}

/** The API server checks an object's default against the object's rules before it fills in the defaults below. */
function wholeDefault(node: Structural): Record<string, unknown> {
  const given = node.default as Record<string, unknown>;
  const fields = Object.entries(node.properties ?? {}).filter(([, field]) => field.default !== undefined);
  return { ...Object.fromEntries(fields.map(([name, field]) => [name, field.default])), ...given };
}

/** zod bounds every integer by what a double holds; Kubernetes says int32 or int64 instead. */
function integerFormat(node: Structural): void {
  const { minimum, maximum } = node;
  node.format = maximum !== undefined && maximum <= 2_147_483_647 ? "int32" : "int64";
  if (maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
  if (minimum === Number.MIN_SAFE_INTEGER) delete node.minimum;
}

export function mapValues<A, B>(
  object: Readonly<Record<string, A>>,
  change: (value: A) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
