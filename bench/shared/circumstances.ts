/** On what, of what and when something was measured. */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, release } from "node:os";

export type Circumstances = { readonly commit: string; readonly machine: string; readonly at: string };

export function circumstances(root: string): Circumstances {
  return {
    commit: commitOf(root),
    machine: `${availableParallelism()} of ${cpus().length} CPUs, ${process.arch}, Linux ${release()}, Node ${process.version}`,
    at: `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
  };
}

function commitOf(root: string): string {
  try {
    const describe = ["describe", "--always", "--dirty", "--exclude=*"];
    return execFileSync("git", describe, { cwd: root, encoding: "utf8" }).trim();
  } catch {
    // A tree without its history, as an archive has it.
    return "unknown";
  }
}
