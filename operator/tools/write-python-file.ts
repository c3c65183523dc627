import { z } from "zod";
import { encode, execute, jobPrefix, named, sha256 } from "../evaluation/context.ts";
import type { WriteResult } from "./results.ts";
import type { Tool } from "./tool.ts";

const MAX_FILES = 100;

const Arguments = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(255)
    .describe("Relative to the workspace, ending in .py, such as train.py or features/dates.py."),
  content: z.string().max(200_000).describe("The whole file."),
});

/** Reads the source from its file and reports the first syntax error; runs none of it. */
const CHECK = `
import ast, json, sys
try:
    ast.parse(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1])
except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
    print(json.dumps({"message": getattr(error, "msg", None) or str(error) or type(error).__name__, "line": getattr(error, "lineno", None), "text": (getattr(error, "text", None) or "").strip()[:200]}))
`.trim();

const SyntaxProblem = z.object({ message: z.string(), line: z.int().nullable(), text: z.string() });

/** Writes a file of the recipe. It stays inside the workspace; a syntax error comes back at once and nothing is written. */
export const writePythonFile: Tool<z.infer<typeof Arguments>> = {
  name: "write_python_file",
  description:
    "Writes a Python file into the workspace, replacing what was there. Syntax errors are reported and nothing is written.",
  schema: Arguments,
  dependsOn: [],
  async run({ arguments: { path, content }, context, workspace, label }) {
    const problem = pathProblem(path);
    if (problem) return refused(problem);
    if (workspace.files.length >= MAX_FILES && !workspace.files.some((file) => file.path === path)) {
      return refused(`the workspace holds ${MAX_FILES} files, which is the most there may be`);
    }
    const digest = sha256(content);
    const key = `${jobPrefix(context.job)}/sources/${digest}.py`;
    await context.store.put(key, encode(content));
    const outcome = await execute(context, {
      kind: "Sandboxed",
      ...named(context, label, {
        seconds: 20,
        cpus: 1,
        memoryBytes: 512 * 1024 ** 2,
        diskBytes: 16 * 1024 ** 2,
        processes: 4,
      }),
      command: ["-c", CHECK, path],
      environment: workspace.environment,
      inputs: { [path]: key },
      outputs: {},
    });
    const output = outcome.output.head.trim();
    if (outcome.exitCode !== 0) return refused("the file could not be parsed as Python");
    if (output !== "") {
      const { message, line, text } = SyntaxProblem.parse(JSON.parse(output));
      const where = line === null ? "" : ` in line ${line}: ${text}`;
      return refused(`syntax error${where} (${message}); nothing was written`, line);
    }
    return {
      response: { ok: true, path, bytes: encode(content).byteLength } satisfies WriteResult,
      file: { path, key, sha256: digest },
    };
  },
};

/** Why the path may not be written, or undefined. */
export function pathProblem(path: string): string | undefined {
  const parts = path.split("/");
  if (path.startsWith("/") || parts.some((part) => part === "..")) {
    return `${path} lies outside the workspace; give a path relative to it, such as train.py`;
  }
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/.test(path) || parts.includes(".")) {
    return "a path is made of letters, digits, _, - and ., with / between folders, such as features/dates.py";
  }
  if (!path.endsWith(".py")) return `${path} does not end in .py; only Python files are written`;
  if (parts[0] === "data") return "data/ belongs to the operator; write beside it, such as train.py";
  return undefined;
}

function refused(error: string, line?: number | null): { response: WriteResult } {
  return { response: { ok: false, error, ...(line == null ? {} : { line }) } };
}
