/** The reference: a page a kind, field by field, and a page for each of the two file formats. */
import { z } from "zod";
import { Candidate, JournalEntry, Recipe, SourceFile } from "./journal.ts";
import type { Kind } from "./kinds.ts";
import { API_VERSION } from "./meta.ts";
import { ModelManifest } from "./model-manifest.ts";
import { DataWarning, ScoreResult } from "./profile.ts";
import { RULES, type Rule } from "./rule.ts";
import { type Structural, structural } from "./structural.ts";

const NOTICE = "<!-- Generated from operator/api by `npm run generate`; do not edit. -->";

export function kindPage(kind: Kind): string {
  const schema = structural(kind.schema);
  const { spec, status } = schema.properties ?? {};
  return page(kind.kind, [
    kind.description,
    `\`apiVersion: ${API_VERSION}\`, \`kind: ${kind.kind}\`; for kubectl \`${kind.plural}\`, \`${kind.shortNames.join("`, `")}\`, and one of \`autoai\`.`,
    "## spec",
    ...(spec?.description ? [spec.description] : []),
    fieldTable(spec, "spec"),
    "## Rules",
    "They hold in the cluster and, offline, in `autoai validate`.",
    rulesList(schema),
    "## status",
    ...(status?.description ? [status.description] : []),
    fieldTable(status, "status"),
    "## Columns of `kubectl get`",
    table(
      ["Column", "From", "Meaning"],
      kind.columns.map(({ name, jsonPath, description, priority }) => [
        name.toUpperCase(),
        code(jsonPath),
        priority ? `${description} With \`-o wide\`.` : description,
      ]),
    ),
  ]);
}

export function modelManifestPage(): string {
  return page("model.json", [
    "What a model package says of itself. The SHA-256 of this file is the digest of the package: it holds the digest of every other file.",
    fieldTable(jsonSchema(ModelManifest), ""),
  ]);
}

export function journalPage(): string {
  const { anyOf, oneOf } = jsonSchema(JournalEntry) as Structural & { oneOf?: Structural[] };
  const shared = new Map(
    Object.entries({ Candidate, ScoreResult, Recipe, SourceFile, DataWarning }).map(([name, schema]) => [
      identity(jsonSchema(schema)),
      { name, schema: jsonSchema(schema) },
    ]),
  );
  const section = (name: string, schema: Structural, level: string) => [
    `${level} ${name}`,
    ...(schema.description ? [schema.description] : []),
    fieldTable(schema, "", (field) => shared.get(identity(field))?.name),
  ];
  return page("Journal entry", [
    "The journal of a job is a numbered list of entries, each written once and never changed; the status of the job is a projection of it. An entry is one JSON object, of one of these types.",
    ...(oneOf ?? anyOf ?? []).flatMap((entry) =>
      section(String(entry.properties?.type?.enum?.[0] ?? "Entry"), entry, "##"),
    ),
    "## Shared parts",
    ...[...shared.values()].flatMap(({ name, schema }) => section(name, schema, "###")),
  ]);
}

/** A schema is the same wherever it stands, whatever the field is described as. */
function identity({ description: _, ...schema }: Structural): string {
  return JSON.stringify(schema);
}

export function indexPage(pages: readonly { readonly title: string; readonly file: string }[]): string {
  return page("Reference", [
    "Generated from the schemas in `operator/api`, as are the CustomResourceDefinitions in `crds/`.",
    pages.map(({ title, file }) => `- [${title}](${file})`).join("\n"),
  ]);
}

function page(title: string, blocks: readonly string[]): string {
  return `${[`# ${title}`, NOTICE, ...blocks].join("\n\n")}\n`;
}

function jsonSchema(schema: z.ZodType): Structural {
  return z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", reused: "inline" }) as Structural;
}

/** Tells under which heading of the page a schema stands by itself, if it does. */
type Elsewhere = (schema: Structural) => string | undefined;

function fieldTable(
  schema: Structural | undefined,
  prefix: string,
  elsewhere: Elsewhere = () => undefined,
): string {
  const rows = schema ? fieldRows(schema, prefix, elsewhere) : [];
  return table(["Field", "Type", "Default", "Bounds", "Meaning"], rows);
}

function fieldRows(schema: Structural, prefix: string, elsewhere: Elsewhere): string[][] {
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    const meaning = [required.includes(name) ? "**Required.**" : "", field.description ?? ""]
      .join(" ")
      .trim();
    const row = [code(path), typeOf(field, elsewhere), defaultOf(field), boundsOf(field), meaning];
    return [row, ...rowsBelow(field, path, elsewhere)];
  });
}

function rowsBelow(field: Structural, path: string, elsewhere: Elsewhere): string[][] {
  const { items, additionalProperties } = field;
  if (elsewhere(field) !== undefined) return [];
  if (items) return rowsBelow(items, `${path}[]`, elsewhere);
  if (typeof additionalProperties === "object" && !field.properties) {
    return rowsBelow(additionalProperties, `${path}.*`, elsewhere);
  }
  return fieldRows(field, path, elsewhere);
}

function typeOf(field: Structural, elsewhere: Elsewhere): string {
  const heading = elsewhere(field);
  if (heading !== undefined) return `[${heading}](#${heading.toLowerCase()})`;
  if (field["x-kubernetes-int-or-string"]) return "quantity";
  if (field.anyOf) return field.anyOf.map((option) => typeOf(option, elsewhere)).join(" or ");
  if (field.enum) return "enum";
  if (field.items) return `list of ${typeOf(field.items, elsewhere)}`;
  if (field.format === "date-time") return "time";
  if (typeof field.additionalProperties === "object" && !field.properties) {
    return `map of ${typeOf(field.additionalProperties, elsewhere)}`;
  }
  return field.type ?? "any";
}

function defaultOf(field: Structural): string {
  if (field.default === undefined || typeof field.default === "object") return "";
  return code(JSON.stringify(field.default));
}

function boundsOf(field: Structural): string {
  const { minimum, maximum, minLength, maxLength, maxItems } = field;
  const parts = [
    field.enum ? field.enum.map((option) => code(JSON.stringify(option))).join(", ") : "",
    span(minimum, maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum, ""),
    span(minLength, maxLength, " characters"),
    span(undefined, maxItems, " elements"),
    ...(field[RULES] ?? []).filter(isForm).map(({ message }) => message),
  ];
  return parts.filter((part) => part !== "").join("; ");
}

function span(least: number | undefined, most: number | undefined, unit: string): string {
  if (least !== undefined && least > Number.MIN_SAFE_INTEGER && most !== undefined)
    return `${least} to ${most}${unit}`;
  if (most !== undefined) return `at most ${most}${unit}`;
  return least !== undefined && least > Number.MIN_SAFE_INTEGER ? `at least ${least}${unit}` : "";
}

/** Rules that relate fields; what a field has to look like by itself stands in its row. */
function rulesList(schema: Structural): string {
  const byMessage = new Map<string, string[]>();
  for (const { path, rule } of rulesBelow(schema, "")) {
    const message = rule.where === "Cluster" ? `${rule.message} (in a cluster)` : rule.message;
    byMessage.set(message, [...(byMessage.get(message) ?? []), code(path)]);
  }
  return [...byMessage].map(([message, paths]) => `- ${paths.join(", ")}: ${message}.`).join("\n");
}

/** Whether the rule says what one field looks like. */
function isForm({ rule }: Rule): boolean {
  return /^(string\(self\)|self)\.matches\(/.test(rule);
}

function rulesBelow(schema: Structural, path: string): { path: string; rule: Rule }[] {
  const own = (schema[RULES] ?? [])
    .filter((rule) => !isForm(rule))
    .map((rule) => ({ path: `${path}${rule.fieldPath ?? ""}`.replace(/^\./, ""), rule }));
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    return rulesBelow(field, path === "" ? name : `${path}.${name}`);
  });
  return [...own, ...below];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}
