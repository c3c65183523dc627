/** A schema in words: what a field has to be, and which fields there are. */
import { bare, closest } from "./closest.ts";
import { formatPath } from "./problem.ts";
import type { Structural } from "./structural.ts";
import type { Path } from "./yaml.ts";

/** The schema of a field; undefined where there is no such field. */
export function schemaAt(schema: Structural, path: Path): Structural | undefined {
  let node: Structural | undefined = schema;
  for (const segment of path) {
    if (typeof segment === "number") node = node?.items;
    else if (node?.properties && Object.hasOwn(node.properties, segment)) node = node.properties[segment];
    else node = typeof node?.additionalProperties === "object" ? node.additionalProperties : undefined;
  }
  return node;
}

/** "must be …" */
export function expectation(schema: Structural | undefined): string {
  if (!schema) return "must be something else";
  if (schema.enum) {
    const options = schema.enum.map((option) =>
      typeof option === "string" ? written(option) : String(option),
    );
    return options.length === 1 ? `must be ${options[0]}` : `must be one of ${options.join(", ")}`;
  }
  if (schema["x-kubernetes-int-or-string"]) return "must be a Kubernetes quantity, such as 500m, 2 or 4Gi";
  switch (schema.type) {
    case "integer":
    case "number":
      return `must be a whole number${range(schema)}`;
    case "boolean":
      return "must be true or false";
    case "string":
      return `must be text${lengths(schema)}`;
    case "array":
      return schema.maxItems === undefined
        ? "must be a list"
        : `must be a list of at most ${schema.maxItems}`;
    default: {
      const fields = Object.keys(schema.properties ?? {});
      return fields.length === 0
        ? "must be a set of fields"
        : `must be a set of fields (${fields.join(", ")})`;
    }
  }
}

/** A plain word needs no quotes in YAML; what does gets them. */
function written(option: string): string {
  return /^[A-Za-z][-\w./]*$/.test(option) ? option : JSON.stringify(option);
}

function range({ minimum, maximum }: Structural): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` of at least ${minimum}`;
  return maximum === undefined ? "" : ` of at most ${maximum}`;
}

function lengths({ minLength, maxLength }: Structural): string {
  if (maxLength === undefined) return "";
  return minLength ? ` of ${minLength} to ${maxLength} characters` : ` of at most ${maxLength} characters`;
}

/** What to do about a field that is not known where it stands. */
export function unknownFieldAction(root: Structural, path: Path): string {
  const name = String(path.at(-1));
  const here = Object.keys(schemaAt(root, path.slice(0, -1))?.properties ?? {});
  const near = closest(name, here);
  const elsewhere = allFields(root, []).find((other) => bare(String(other.at(-1))) === bare(name));
  if (near !== undefined && (!elsewhere || bare(near) === bare(name))) return `did you mean ${near}?`;
  if (elsewhere) return `it belongs at ${formatPath(elsewhere)}`;
  return here.length === 0 ? "leave it out" : `there are ${here.join(", ")}`;
}

/** Every field that a person may write. */
function allFields(schema: Structural, path: Path): Path[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (path.length === 0 && name === "status") return [];
    return [[...path, name], ...allFields(field, [...path, name])];
  });
}

export function nearestOption(schema: Structural | undefined, value: unknown): string | undefined {
  if (typeof value !== "string" || !schema?.enum) return undefined;
  return closest(
    value,
    schema.enum.filter((option) => typeof option === "string"),
  );
}
