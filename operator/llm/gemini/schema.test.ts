import { describe, expect, test } from "vitest";
import { z } from "zod";
import { complaintAbout } from "../../../test/fakes/gemini-check.ts";
import { executePythonFile } from "../../tools/execute-python-file.ts";
import { installDependencies } from "../../tools/install-dependencies.ts";
import { saveModelSettings } from "../../tools/save-model-settings.ts";
import { writePythonFile } from "../../tools/write-python-file.ts";
import { toGeminiParameters } from "./schema.ts";

const parameters = (properties: object, rest: object = {}) =>
  toGeminiParameters({ type: "object", properties: { it: properties }, ...rest });
const it = (schema: object) => (parameters(schema)?.properties as { it: unknown } | undefined)?.it;

/** The service's complaint about a tool with these parameters. */
const complaint = (converted: unknown) =>
  complaintAbout(
    {
      contents: [{ role: "user", parts: [{ text: "Go." }] }],
      tools: [
        {
          functionDeclarations: [
            { name: "f", description: "d", ...(converted ? { parameters: converted } : {}) },
          ],
        },
      ],
    },
    [],
  );

describe("toGeminiParameters", () => {
  test.each([installDependencies, writePythonFile, executePythonFile, saveModelSettings])(
    "the service takes the parameters of $name",
    (tool) => {
      const schema = z.toJSONSchema(tool.schema, { io: "input" }) as Record<string, unknown>;
      expect(complaint(schema)).toMatch(/^Invalid JSON payload/);
      expect(complaint(toGeminiParameters(schema))).toBeUndefined();
    },
  );

  test("leaves out $schema, additionalProperties, default and other keywords that are refused", () => {
    const converted = parameters(
      { type: "string", minLength: 1, default: "x", examples: ["y"], $comment: "z", pattern: "^a" },
      {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        additionalProperties: false,
        required: ["it", "gone"],
      },
    );
    expect(converted).toEqual({
      type: "OBJECT",
      properties: { it: { type: "STRING", minLength: 1, pattern: "^a" } },
      required: ["it"],
      propertyOrdering: ["it"],
    });
  });

  test.each([
    [{ const: "a" }, { type: "STRING", format: "enum", enum: ["a"] }],
    [{ enum: ["a", "b"] }, { type: "STRING", format: "enum", enum: ["a", "b"] }],
    [{ enum: [1, 2] }, { type: "NUMBER" }],
    [{ const: true }, { type: "BOOLEAN" }],
    [{ type: ["integer", "null"] }, { type: "INTEGER", nullable: true }],
    [
      { anyOf: [{ type: "string" }, { type: "null" }], description: "d" },
      { type: "STRING", nullable: true, description: "d" },
    ],
    [
      { oneOf: [{ type: "string" }, { type: "number" }] },
      { anyOf: [{ type: "STRING" }, { type: "NUMBER" }] },
    ],
    [{ type: ["string", "number"] }, { anyOf: [{ type: "STRING" }, { type: "NUMBER" }] }],
    [{ type: "string", format: "email" }, { type: "STRING" }],
    [
      { type: "string", format: "date-time" },
      { type: "STRING", format: "date-time" },
    ],
    [
      { type: "integer", exclusiveMinimum: 0, maximum: 9007199254740991 },
      { type: "INTEGER", minimum: 1 },
    ],
    [{ type: "array" }, { type: "ARRAY", items: { type: "STRING" } }],
    [
      { type: "array", prefixItems: [{ type: "string" }, { type: "number" }] },
      { type: "ARRAY", items: { anyOf: [{ type: "STRING" }, { type: "NUMBER" }] } },
    ],
    [{ type: "object", additionalProperties: { type: "number" } }, { type: "OBJECT" }],
    [
      {
        allOf: [
          { type: "object", properties: { a: { type: "string" } } },
          { properties: { b: true }, required: ["b"] },
        ],
      },
      {
        type: "OBJECT",
        properties: { a: { type: "STRING" }, b: { type: "STRING" } },
        required: ["b"],
        propertyOrdering: ["a", "b"],
      },
    ],
    [true, { type: "STRING" }],
    [{}, { type: "STRING" }],
  ])("%j becomes %j", (schema, expected) => {
    expect(it(schema as object)).toEqual(expected);
    expect(complaint(parameters(schema as object))).toBeUndefined();
  });

  test("follows references, and ends where they go round", () => {
    const definitions = {
      node: { type: "object", properties: { next: { $ref: "#/$defs/node" }, name: { type: "string" } } },
    };
    const converted = parameters({ $ref: "#/$defs/node" }, { $defs: definitions });
    expect(converted).toMatchObject({
      properties: { it: { properties: { next: { properties: { name: { type: "STRING" } } } } } },
    });
    expect(complaint(converted)).toBeUndefined();
    expect(complaint(parameters({ allOf: [{ $ref: "#/properties/it" }] }))).toBeUndefined();
  });

  test("a tool without parameters has none, as an object without properties is refused", () => {
    expect(toGeminiParameters({ type: "object", properties: {} })).toBeUndefined();
  });

  test("parameters that are no object are a mistake of ours", () => {
    expect(() => toGeminiParameters({ type: "string" })).toThrow(/must be a JSON Schema of type object/);
  });
});
