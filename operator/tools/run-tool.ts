/** Runs one call of the agent: checks the arguments, knows a repeated call, and makes the journal's entry. */
import { z } from "zod";
import { type Workspace, workspaceAfter } from "../agent/journal.ts";
import type { JournalDraft, JournalEntry } from "../api/journal.ts";
import { type JobContext, sha256 } from "../evaluation/context.ts";
import type { FunctionCall, ToolDeclaration } from "../llm/language-model.ts";
import { executePythonFile } from "./execute-python-file.ts";
import { installDependencies } from "./install-dependencies.ts";
import { saveModelSettings } from "./save-model-settings.ts";
import type { Tool, ToolEffect } from "./tool.ts";
import { writePythonFile } from "./write-python-file.ts";

const TOOLS: readonly Tool[] = [
  installDependencies as Tool,
  writePythonFile as Tool,
  executePythonFile as Tool,
  saveModelSettings as Tool,
];

/** The tools as the model is told of them. */
export const TOOL_DECLARATIONS: readonly ToolDeclaration[] = TOOLS.map(({ name, description, schema }) => ({
  name,
  description,
  parameters: z.toJSONSchema(schema, { io: "input" }) as Record<string, unknown>,
}));

export type ToolRequest = {
  readonly step: number;
  readonly index: number;
  readonly call: FunctionCall;
  readonly secondsLeft: number;
};

/** The journal's entry for the call. Throws WaitingError while it is under way. */
export async function runTool(context: JobContext, request: ToolRequest): Promise<JournalDraft> {
  const { step, index, call } = request;
  const { entries } = context.journal;
  const workspace = workspaceAfter(entries);
  const tool = TOOLS.find(({ name }) => name === call.name);
  const digest = callDigest(call, tool, workspace);
  const effect = repeatedOf(entries, digest, tool) ?? (await effectOf(context, request, tool, workspace));
  return {
    type: "ToolFinished",
    step,
    call: index,
    ...(call.id === undefined ? {} : { id: call.id }),
    name: call.name,
    digest,
    ...effect,
  };
}

async function effectOf(
  context: JobContext,
  { step, index, call, secondsLeft }: ToolRequest,
  tool: Tool | undefined,
  workspace: Workspace,
): Promise<ToolEffect> {
  if (!tool) {
    const names = TOOLS.map(({ name }) => name).join(", ");
    return {
      response: { ok: false, error: `there is no tool ${call.name.slice(0, 64)}; the tools are ${names}` },
    };
  }
  const parsed = tool.schema.safeParse(call.args);
  if (!parsed.success) {
    return {
      response: {
        ok: false,
        error: `the arguments of ${tool.name} are wrong: ${z.prettifyError(parsed.error).slice(0, 1500)}`,
      },
    };
  }
  return tool.run({
    arguments: parsed.data,
    context,
    workspace,
    label: `s${step}c${index}`,
    step,
    secondsLeft,
  });
}

/** Names the call by all that its result depends on. */
function callDigest(call: FunctionCall, tool: Tool | undefined, workspace: Workspace): string {
  const parts = tool?.dependsOn.map((part) => workspace[part]) ?? [];
  return sha256(JSON.stringify([call.name, call.args, parts]));
}

/**
 * The answer to the same call on the same files and environment, where it is the last one of its tool: it is not run
 * again. An earlier one may have been made on another scratch workspace, and is.
 */
function repeatedOf(
  entries: readonly JournalEntry[],
  digest: string,
  tool: Tool | undefined,
): ToolEffect | undefined {
  const last = entries.findLast((entry) => entry.type === "ToolFinished" && entry.name === tool?.name);
  if (last?.type !== "ToolFinished" || last.digest !== digest) return undefined;
  return {
    response: {
      ...last.response,
      repeated: "the same call as before, on the same files: it was not run again",
    },
  };
}
