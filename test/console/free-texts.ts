/** Where free text may stand: the places of a schema that take any string, found so that none is left out. */
import { z } from "zod";
import { Dataset } from "../../operator/api/dataset.ts";
import { JournalEntry } from "../../operator/api/journal.ts";
import { ModelManifest } from "../../operator/api/model-manifest.ts";
import { ModelDeployment } from "../../operator/api/modeldeployment.ts";
import { Profile } from "../../operator/api/profile.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";

type Schema = { readonly [keyword: string]: unknown };

const SCHEMAS = { Dataset, TrainingJob, ModelDeployment, ModelManifest, Profile };

/** Such as `Profile.columns[].name`; `{}` is any key, `{key}` the key itself, `*` anything at all. */
export function freeTexts(): readonly string[] {
  const found = new Set<string>();
  for (const [name, schema] of Object.entries(SCHEMAS)) walk(jsonSchema(schema), name, found);
  for (const option of JournalEntry.options) walk(jsonSchema(option), option.shape.type.value, found);
  return [...found].sort();
}

const jsonSchema = (schema: z.ZodType): Schema =>
  z.toJSONSchema(schema, { unrepresentable: "any", reused: "inline" }) as Schema;

/** Whether it could be markup. */
const isFree = ({ enum: values, const: value, format, pattern, maxLength = 99 }: Schema): boolean =>
  values === undefined &&
  value === undefined &&
  format === undefined &&
  Number(maxLength) >= "<b>".length &&
  (pattern === undefined || new RegExp(String(pattern)).test("<b>"));

function walk(schema: Schema, path: string, found: Set<string>): void {
  const { type, anyOf, oneOf, allOf, properties, items, additionalProperties, propertyNames } = schema;
  for (const some of [anyOf, oneOf, allOf]) {
    for (const one of (some ?? []) as Schema[]) walk(one, path, found);
  }
  if (type === "string" && isFree(schema)) found.add(path);
  if (type === undefined && !anyOf && !oneOf && !allOf && !("const" in schema)) found.add(`${path}*`);
  for (const [name, one] of Object.entries((properties ?? {}) as Record<string, Schema>)) {
    walk(one, `${path}.${name}`, found);
  }
  if (items) walk(items as Schema, `${path}[]`, found);
  if (typeof additionalProperties === "object" && additionalProperties !== null) {
    walk(additionalProperties as Schema, `${path}{}`, found);
  }
  if (propertyNames && isFree(propertyNames as Schema)) found.add(`${path}{key}`);
}
