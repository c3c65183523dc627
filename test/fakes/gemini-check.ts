/** Refuses what the Gemini API refuses: unknown fields, roles that do not alternate, calls without their answers. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

const TYPES = ["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"] as const;
const FORMATS = ["enum", "date-time", "float", "double", "int32", "int64"] as const;
const size = z.int().min(0).optional();

type Schema = {
  type?: (typeof TYPES)[number] | undefined;
  enum?: string[] | undefined;
  required?: string[] | undefined;
  properties?: Record<string, Schema> | undefined;
  items?: Schema | undefined;
  anyOf?: Schema[] | undefined;
};

const Schema: z.ZodType<Schema> = z
  .strictObject({
    type: z.enum(TYPES).optional(),
    format: z.enum(FORMATS).optional(),
    title: z.string().optional(),
    description: z.string().optional(),
    nullable: z.boolean().optional(),
    enum: z.array(z.string()).min(1).optional(),
    minItems: size,
    maxItems: size,
    minLength: size,
    maxLength: size,
    minProperties: size,
    maxProperties: size,
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    pattern: z.string().optional(),
    required: z.array(z.string()).optional(),
    propertyOrdering: z.array(z.string()).optional(),
    get properties() {
      return z.record(z.string(), Schema).optional();
    },
    get items() {
      return Schema.optional();
    },
    get anyOf() {
      return z.array(Schema).optional();
    },
  })
  .refine((schema) => schema.type !== undefined || schema.anyOf !== undefined, "type: must be specified")
  .refine(
    (schema) => schema.enum === undefined || schema.type === "STRING",
    "enum: only allowed for STRING type",
  )
  .refine((schema) => schema.type !== "ARRAY" || schema.items !== undefined, "items: missing field")
  .refine(
    ({ properties }) => properties === undefined || Object.keys(properties).length > 0,
    "properties: should be non-empty for OBJECT type",
  )
  .refine(
    ({ required, properties }) => (required ?? []).every((name) => properties && name in properties),
    "required: property is not defined",
  );

const json = z.record(z.string(), z.unknown());

const Part = z
  .strictObject({
    text: z.string().optional(),
    thought: z.boolean().optional(),
    thoughtSignature: z.string().optional(),
    functionCall: z
      .strictObject({ id: z.string().optional(), name: z.string().min(1), args: json.optional() })
      .optional(),
    functionResponse: z
      .strictObject({ id: z.string().optional(), name: z.string().min(1), response: json })
      .optional(),
  })
  .refine(
    ({ text, functionCall, functionResponse }) =>
      [text, functionCall, functionResponse].filter((field) => field !== undefined).length === 1,
    "part must have exactly one initialized field of oneof data",
  );

const Content = z.strictObject({ role: z.enum(["user", "model"]), parts: z.array(Part).min(1) });

export const GenerateContentBody = z.strictObject({
  contents: z.array(Content).min(1),
  systemInstruction: z.strictObject({ role: z.string().optional(), parts: z.array(Part).min(1) }).optional(),
  tools: z
    .array(
      z.strictObject({
        functionDeclarations: z.array(
          z.strictObject({
            name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$/),
            description: z.string().min(1),
            parameters: Schema.refine(
              (schema) => schema.type === "OBJECT" && schema.properties !== undefined,
              "parameters must be an OBJECT with properties",
            ).optional(),
          }),
        ),
      }),
    )
    .optional(),
  toolConfig: z.looseObject({}).optional(),
  generationConfig: z
    .strictObject({ maxOutputTokens: z.int().min(1).max(65_536), temperature: z.number(), seed: z.int() })
    .partial()
    .optional(),
  safetySettings: z.array(z.unknown()).optional(),
});
export type GenerateContentBody = z.infer<typeof GenerateContentBody>;

/** What the service would say against this body; undefined: nothing. `issued` are the parts with calls that it sent. */
export function complaintAbout(body: unknown, issued: readonly unknown[]): string | undefined {
  const parsed = GenerateContentBody.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `Invalid JSON payload received. ${issue?.message} at '${issue?.path.join(".")}'`;
  }
  const { contents } = parsed.data;
  const names = parsed.data.tools?.flatMap((tool) => tool.functionDeclarations.map(({ name }) => name)) ?? [];
  if (new Set(names).size < names.length) return "Duplicate function declaration found.";
  return pairing(contents) ?? signatures(contents, issued);
}

function pairing(contents: GenerateContentBody["contents"]): string | undefined {
  if (contents[0]?.role !== "user") return "Please ensure that multiturn requests begin with a user turn.";
  if (contents.at(-1)?.role !== "user") return "Please ensure that multiturn requests end with a user turn.";
  for (const [index, content] of contents.entries()) {
    const before = contents[index - 1];
    if (before?.role === content.role)
      return "Please ensure that multiturn requests alternate between user and model.";
    const foreign = content.role === "user" ? "functionCall" : "functionResponse";
    if (content.parts.some((part) => part[foreign]))
      return `Role ${content.role} must not hold a ${foreign} part.`;
    if (content.role === "model") continue;
    const calls = before?.parts.flatMap(({ functionCall }) => (functionCall ? [functionCall] : [])) ?? [];
    const answers = content.parts.flatMap(({ functionResponse }) =>
      functionResponse ? [functionResponse] : [],
    );
    if (answers.length !== calls.length) {
      return calls.length > 0 && answers.length === 0
        ? "Please ensure that function call turn is immediately followed by a function response turn."
        : "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.";
    }
    if (answers.length > 0 && answers.length < content.parts.length)
      return "Function responses must not be mixed with other parts.";
    const odd = answers.findIndex(
      (answer, at) => answer.name !== calls[at]?.name || answer.id !== calls[at]?.id,
    );
    if (odd >= 0)
      return `Function response ${odd} (${answers[odd]?.name}) does not answer call ${odd} (${calls[odd]?.name}).`;
  }
  return undefined;
}

/** Calls come back exactly as they were sent, signature included. Calls that another server sent are taken as they are. */
function signatures(
  contents: GenerateContentBody["contents"],
  issued: readonly unknown[],
): string | undefined {
  type PartWithCall = { functionCall: { id?: string } };
  const sent = issued as readonly PartWithCall[];
  for (const part of contents.flatMap(({ parts }) => parts)) {
    const call = part.functionCall;
    if (!call) continue;
    const same = sent.filter(({ functionCall }) =>
      call.id === undefined ? isDeepStrictEqual(functionCall, call) : functionCall.id === call.id,
    );
    if (same.length > 0 && !same.some((one) => isDeepStrictEqual(one, part))) {
      return `Function call ${call.name} is missing a thought_signature, or was changed since it was sent.`;
    }
  }
  return undefined;
}
