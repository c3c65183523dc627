import { z } from "zod";
import { dataKey, execute, jobPrefix, named, sandboxLimits } from "../evaluation/context.ts";
import { explain, sources } from "../evaluation/verify.ts";
import type { Outcome } from "../sandbox/executor.ts";
import type { ExecuteResult } from "./results.ts";
import type { Tool } from "./tool.ts";

const Arguments = z.strictObject({
  path: z.string().min(1).max(255).describe("A file that was written with write_python_file."),
  args: z.array(z.string().max(1000)).max(32).default([]).describe("Command-line arguments."),
});

/** Runs a file in the sandbox. The workspace afterwards is what the next execution finds. */
export const executePythonFile: Tool<z.infer<typeof Arguments>> = {
  name: "execute_python_file",
  description:
    "Runs a Python file of the workspace, without network, with data/train.csv. Returns exit code, the first and last 2,500 characters of output, the traceback, seconds and peak memory. Files it leaves are there for the next execution, but not for the recipe.",
  schema: Arguments,
  dependsOn: ["files", "environment"],
  async run({ arguments: { path, args }, context, workspace, label, secondsLeft }) {
    if (!workspace.files.some((file) => file.path === path)) {
      const paths = workspace.files.map((file) => file.path).join(", ") || "none yet";
      return {
        response: {
          ok: false,
          error: `there is no ${path} in the workspace; files: ${paths}. Write it first with write_python_file`,
        },
      };
    }
    const limits = sandboxLimits(context, secondsLeft);
    const snapshotPrefix = `${jobPrefix(context.job)}/workspaces/`;
    const outcome = await execute(context, {
      kind: "Sandboxed",
      ...named(context, label, limits),
      command: [path, ...args],
      environment: workspace.environment,
      ...(workspace.snapshot === undefined ? {} : { workspace: workspace.snapshot }),
      snapshotPrefix,
      inputs: {
        ...sources(workspace),
        "data/train.csv": dataKey(context.job, "train.csv"),
        "data/task.json": dataKey(context.job, "task.json"),
      },
      outputs: {},
    });
    return {
      response: { ...executeResult(outcome, limits.seconds) },
      ...(outcome.workspace === undefined ? {} : { workspace: `${snapshotPrefix}${outcome.workspace}.tar` }),
    };
  },
};

function executeResult(outcome: Outcome, limitSeconds: number): ExecuteResult {
  const ok = outcome.ended === "Completed" && outcome.exitCode === 0;
  return {
    ok,
    ended: outcome.ended,
    exitCode: outcome.exitCode,
    seconds: Math.round(outcome.seconds * 10) / 10,
    peakMemoryMb: Math.round(outcome.peakMemoryBytes / 1024 ** 2),
    output: outcome.output,
    ...(outcome.traceback === undefined ? {} : { traceback: outcome.traceback }),
    ...(outcome.ended === "Completed"
      ? {}
      : { error: `the program ${explain(outcome)}${advice(outcome, limitSeconds)}` }),
    ...(outcome.notKept?.length ? { notKept: outcome.notKept } : {}),
  };
}

function advice(outcome: Outcome, limitSeconds: number): string {
  if (outcome.ended === "TimedOut") return `; the limit is ${limitSeconds} s: do less, or on fewer rows`;
  if (outcome.ended === "TooMuchOutput") return "; print summaries";
  return "";
}
