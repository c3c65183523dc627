/** Where the author stands: what was called so far and what came of it, read from the conversation alone. */
import type { Part, ToolResponse, Turn } from "../language-model.ts";
import { functionCalls } from "../language-model.ts";

/** A call of a tool with its answer. */
export type Deed = {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly response: ToolResponse["response"];
};

/** Every answered call, oldest first. Calls pair with answers by order within their turn. */
export function deedsOf(turns: readonly Turn[]): Deed[] {
  const deeds: Deed[] = [];
  let calls: { name: string; args: Readonly<Record<string, unknown>> }[] = [];
  for (const turn of turns) {
    if (turn.role === "model") calls = callsOf(turn.parts);
    if (turn.role !== "tools") continue;
    for (const [index, { response }] of turn.responses.entries()) {
      const call = calls[index];
      if (call !== undefined) deeds.push({ ...call, response });
    }
    calls = [];
  }
  return deeds;
}

/** Whether the author has spoken before. */
export function isFirstReply(turns: readonly Turn[]): boolean {
  return turns.every((turn) => turn.role !== "model");
}

function callsOf(parts: readonly Part[]): { name: string; args: Readonly<Record<string, unknown>> }[] {
  return functionCalls(parts).map(({ name, args }) => ({
    name,
    args: typeof args === "object" && args !== null ? (args as Readonly<Record<string, unknown>>) : {},
  }));
}

export const TOOLS = {
  install: "install_dependencies",
  write: "write_python_file",
  execute: "execute_python_file",
  save: "save_model_settings",
} as const;

export type Tool = (typeof TOOLS)[keyof typeof TOOLS];

export function deedsNamed(deeds: readonly Deed[], name: Tool): Deed[] {
  return deeds.filter((deed) => deed.name === name);
}
