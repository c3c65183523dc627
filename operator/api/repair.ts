/** Parses a resource and, where fields of it are wrong, what is left without them: so that every problem is found at once. */
import type { z } from "zod";
import { schemaAt } from "./expectation.ts";
import type { Structural } from "./structural.ts";
import type { Path } from "./yaml.ts";

export type Repaired = {
  /** The resource with its defaults, without the fields at fault; undefined where too many are for it to make sense. */
  readonly value: unknown;
  readonly issues: readonly z.core.$ZodIssue[];
  /** The fields at fault, missing ones included; empty for a good resource. */
  readonly without: readonly Path[];
};

/** Beyond it rules are not looked at: each removal copies what is around it. */
const MAX_FAULTS = 100;

export function repair(schema: z.ZodType, structure: Structural, given: unknown): Repaired {
  const value = withoutNulls(given, structure);
  const { success, data, error } = schema.safeParse(value);
  if (success) return { value: data, issues: [], without: [] };
  // Fields that are not known stay: no rule speaks of them.
  const without = error.issues
    .filter((issue) => issue.code !== "unrecognized_keys")
    .map((issue): Path => issue.path.filter((segment) => typeof segment !== "symbol"));
  if (without.length > MAX_FAULTS) return { value: undefined, issues: error.issues, without };
  const left = without.reduce(remove, value);
  return { value: withDefaults(left, structure), issues: error.issues, without };
}

function remove(value: unknown, [segment, ...rest]: Path): unknown {
  if (segment === undefined) return undefined;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, segment)) return value;
  // An element of a list keeps its place, so that the paths of the others stay true.
  if (Array.isArray(value))
    return value.map((item, index) => (index === segment ? remove(item, rest) : item));
  const { [segment]: field, ...others } = value as Record<string | number, unknown>;
  return rest.length === 0 ? others : { ...others, [segment]: remove(field, rest) };
}

/** As the API server does: a field that has a default and stands there empty (`evaluation:`) gets its default. */
function withoutNulls(value: unknown, schema: Structural): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  // Without a prototype, a field called __proto__ is a field like any other, and refused like any other.
  const kept: Record<string, unknown> = Object.create(null);
  for (const [name, field] of Object.entries(value)) {
    const below = schemaAt(schema, [name]);
    if (field === null && below?.default !== undefined) continue;
    kept[name] = below ? withoutNulls(field, below) : field;
  }
  return kept;
}

function withDefaults(value: unknown, schema: Structural): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (!Object.hasOwn(filled, name) && field.default !== undefined)
      filled[name] = structuredClone(field.default);
    if (Object.hasOwn(filled, name)) filled[name] = withDefaults(filled[name], field);
  }
  return filled;
}
