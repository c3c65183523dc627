/** What a tool is: a name, zod arguments, and one run that may be repeated with the same label. */
import type { z } from "zod";
import type { Workspace } from "../agent/journal.ts";
import type { EntryOf } from "../api/journal.ts";
import type { JobContext } from "../evaluation/context.ts";

/** What a call comes to: the response for the model, and what it changed. */
export type ToolEffect = Pick<
  EntryOf<"ToolFinished">,
  "response" | "file" | "workspace" | "environment" | "candidate"
>;

export type ToolCall<Arguments> = {
  readonly arguments: Arguments;
  readonly context: JobContext;
  readonly workspace: Workspace;
  /** Deterministic: the same step and call have the same label, in every operator. */
  readonly label: string;
  readonly step: number;
  /** What is left of the budget, the reserve not counted. */
  readonly secondsLeft: number;
};

export type Tool<Arguments = unknown> = {
  readonly name: string;
  readonly description: string;
  readonly schema: z.ZodType<Arguments>;
  /** Which parts of the workspace the result depends on: the same call on the same parts is not run again. */
  readonly dependsOn: readonly (keyof Workspace)[];
  /** Throws WaitingError while it is under way. What the call does wrong is a response with ok: false. */
  run(call: ToolCall<Arguments>): Promise<ToolEffect>;
};
