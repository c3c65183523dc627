/** What zod found, in words that a person can act on. */
import type { z } from "zod";
import { expectation, nearestOption, schemaAt, unknownFieldAction } from "./expectation.ts";
import { quote } from "./problem.ts";
import type { Structural } from "./structural.ts";
import type { Path } from "./yaml.ts";

type Described = { path: Path; expected: string; found?: string; action?: string };

/** Of one object. A person stops reading long before. */
const MAX_UNKNOWN = 100;

/**
 * @param unquoted the text of a scalar that stands without quotes in the file
 */
export function describeIssue(
  issue: z.core.$ZodIssue,
  schema: Structural,
  resource: unknown,
  unquoted: (path: Path) => string | undefined,
): Described[] {
  const path = issue.path.filter((segment) => typeof segment !== "symbol");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, MAX_UNKNOWN).map((key) => {
      const field = [...path, key];
      return { path: field, expected: "is not a known field", action: unknownFieldAction(schema, field) };
    });
  }
  const node = schemaAt(schema, path);
  if (issue.code === "invalid_key") {
    return [{ path, expected: issue.issues[0]?.message ?? issue.message }];
  }
  const value = valueAt(resource, path);
  if (value === undefined) {
    const meaning = node?.description;
    return [
      {
        path,
        expected: "is missing",
        action: meaning === undefined ? expectation(node) : meaning.replace(/\.$/, ""),
      },
    ];
  }
  const expected =
    (issue.code === "invalid_format" || issue.code === "invalid_union") && value !== ""
      ? issue.message
      : expectation(node);
  return [{ path, expected, ...foundAt(value, node), ...actionFor(value, node, unquoted(path)) }];
}

/** A text where fields are expected may be a key that was meant for a Secret: it is not repeated. */
function foundAt(value: unknown, node: Structural | undefined): { found: string } {
  const scalar = typeof value !== "object" || value === null;
  const fieldsExpected = node?.properties !== undefined || node?.type === "object" || node?.type === "array";
  return {
    found:
      scalar && fieldsExpected && value !== null
        ? `a ${typeof value === "string" ? "text" : typeof value}`
        : quote(value),
  };
}

function actionFor(
  value: unknown,
  node: Structural | undefined,
  source: string | undefined,
): { action?: string } {
  const near = nearestOption(node, value);
  if (near !== undefined) return { action: `did you mean ${near}?` };
  if (value === null) return { action: "give it a value, or leave it out" };
  const scalar = typeof value === "number" || typeof value === "boolean";
  if (node?.type === "string" && scalar && source !== undefined) {
    return {
      action: `YAML takes ${source} for a ${typeof value}: write ${JSON.stringify(source)}, in quotes`,
    };
  }
  if (
    typeof value === "string" &&
    (node?.type === "integer" || node?.type === "boolean") &&
    source === undefined
  ) {
    if (/^(\d+|true|false)$/.test(value)) return { action: `write ${value}, without quotes` };
  }
  return {};
}

/** The value of a field as it was given; undefined where it is absent. */
export function valueAt(resource: unknown, path: Path): unknown {
  let node = resource;
  for (const segment of path) {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, segment)) return undefined;
    node = (node as Record<string | number, unknown>)[segment];
  }
  return node;
}
