/** JSON schemas of requests and replies, made of the model's own schema: what /docs shows, and clients are made from. */
import type { ModelManifest } from "../../operator/api/model-manifest.ts";
import type { Column, ModelSchema } from "./columns.ts";

export type JsonSchema = Record<string, unknown>;

/** A row that can be sent as it is. */
export function exampleRow({ columns }: ModelSchema): Record<string, unknown> {
  return Object.fromEntries(columns.map((column) => [column.name, exampleCell(column)]));
}

function exampleCell({ kind, feature }: Column): unknown {
  if (kind === "boolean" && typeof feature.example === "string") return feature.example === "True";
  return feature.example;
}

export function rowSchema(schema: ModelSchema): JsonSchema {
  return {
    type: "object",
    additionalProperties: false,
    required: schema.columns.filter(({ optional }) => !optional).map(({ name }) => name),
    properties: Object.fromEntries(schema.columns.map((column) => [column.name, cellSchema(column)])),
    examples: [exampleRow(schema)],
  };
}

function cellSchema({ kind, feature }: Column): JsonSchema {
  const { categories, min, max, nullable } = feature;
  const notes = [
    min !== undefined && max !== undefined ? `In training from ${min} to ${max}.` : "",
    categories?.length ? `In training: ${categories.slice(0, 10).join(", ")}.` : "",
    nullable ? "" : "Never missing in training.",
  ];
  const description = notes.filter(Boolean).join(" ");
  return { ...typeSchema(kind, feature.type), ...(description === "" ? {} : { description }) };
}

function typeSchema(kind: Column["kind"], type: string): JsonSchema {
  switch (kind) {
    case "integer":
      return { type: ["integer", "null"] };
    case "number":
      return { type: ["number", "null"] };
    case "boolean":
      return { type: ["boolean", "null"] };
    case "codes":
      return { type: ["string", "number", "null"] };
    default:
      return type === "Date" ? { type: ["string", "null"], format: "date" } : { type: ["string", "null"] };
  }
}

export function requestSchema(schema: ModelSchema, maxRows: number): JsonSchema {
  const row = exampleRow(schema);
  return {
    type: "object",
    oneOf: [
      {
        type: "object",
        title: "rows",
        required: ["rows"],
        additionalProperties: false,
        properties: { rows: { type: "array", minItems: 1, maxItems: maxRows, items: rowSchema(schema) } },
      },
      {
        type: "object",
        title: "columns",
        required: ["columns"],
        additionalProperties: false,
        properties: {
          columns: {
            type: "object",
            additionalProperties: false,
            required: schema.columns.filter(({ optional }) => !optional).map(({ name }) => name),
            properties: Object.fromEntries(
              schema.columns.map((column) => [
                column.name,
                { type: "array", minItems: 1, maxItems: maxRows, items: cellSchema(column) },
              ]),
            ),
          },
        },
      },
    ],
    examples: [{ rows: [row] }],
  };
}

export function replySchema({ classes }: ModelManifest): JsonSchema {
  const regression = classes.length === 0;
  return {
    type: "object",
    required: ["predictions", "model", "requestId", "warnings"],
    properties: {
      predictions: {
        type: "array",
        description: "One for each row, in their order.",
        items: regression ? { type: "number" } : { type: "string", enum: classes.slice(0, 100) },
      },
      ...(regression
        ? {}
        : {
            probabilities: {
              type: "array",
              description: "For each row, the probability of each class; absent where the model gives none.",
              items: { type: "object", additionalProperties: { type: "number", minimum: 0, maximum: 1 } },
            },
          }),
      model: {
        type: "object",
        required: ["name", "digest"],
        properties: { name: { type: "string" }, digest: { type: "string", pattern: "^[0-9a-f]{64}$" } },
      },
      requestId: { type: "string" },
      warnings: {
        type: "array",
        description: "Cells that the model has not seen the like of; the row was predicted all the same.",
        items: {
          type: "object",
          required: ["row", "field", "message"],
          properties: {
            row: { type: "integer" },
            field: { type: "string" },
            message: { type: "string" },
          },
        },
      },
    },
  };
}

export const ERROR_SCHEMA: JsonSchema = {
  type: "object",
  required: ["error", "reason", "requestId"],
  properties: {
    error: { type: "string", description: "What is wrong, in one sentence." },
    reason: { type: "string", description: "The same as one word, for programs." },
    requestId: { type: "string" },
    problems: {
      type: "array",
      description: "Every fault of the rows, at most 100.",
      items: {
        type: "object",
        required: ["problem", "expected", "found"],
        properties: {
          row: { type: "integer" },
          field: { type: "string" },
          problem: { type: "string", enum: ["Missing", "Unknown", "Type", "Value", "Length"] },
          expected: { type: "string" },
          found: { type: "string" },
        },
      },
    },
  },
};
