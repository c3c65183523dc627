/** Facts of the Python that environments are made from. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { PlatformError } from "./executor.ts";

const PythonFacts = z.object({
  /** The interpreter that was asked, with the packages of its environment. */
  own: z.string(),
  /** The interpreter itself, not that of a virtual environment; every symlink resolved. */
  executable: z.string(),
  basePrefix: z.string(),
  /** Virtual environment that was asked, or the base prefix. */
  prefix: z.string(),
  /** Such as 3.11. */
  version: z.string(),
  /** Such as linux-x86_64. */
  platform: z.string(),
});
export type PythonFacts = z.infer<typeof PythonFacts>;

const ASK = `
import json, os, sys, sysconfig
base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
print(json.dumps({
    "own": sys.executable, "executable": base, "basePrefix": os.path.realpath(sys.base_prefix), "prefix": sys.prefix,
    "version": "%d.%d" % sys.version_info[:2], "platform": sysconfig.get_platform(),
}))`;

/** Asks the runner's interpreter about itself. */
export async function askPython(python: string): Promise<PythonFacts> {
  try {
    const { stdout } = await promisify(execFile)(python, ["-I", "-B", "-c", ASK], { env: {} });
    return PythonFacts.parse(JSON.parse(stdout));
  } catch (error) {
    throw new PlatformError("PythonUnusable", `${python} does not run as Python 3.11 or later: ${error}`, {
      cause: error,
    });
  }
}

/**
 * Compiles the runner's modules where that is not done yet: every execution loads some, from mounts that it cannot
 * write to. Where it cannot be done, they are compiled each time.
 */
export async function compileRunner(python: PythonFacts, runnerDir: string): Promise<void> {
  const args = ["-I", "-S", "-m", "compileall", "-q", join(runnerDir, "autoai_runner")];
  await promisify(execFile)(python.executable, args, { env: {} }).catch(() => undefined);
}
