/** On what, of what and when something was measured. */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, release } from "node:os";

export type Circumstances = { readonly commit: string; readonly machine: string; readonly at: string };

export function circumstances(root: string): Circumstances {
  const git = (...args: string[]) => execFileSync("git", ["-C", root, ...args], { encoding: "utf8" }).trim();
  return {
    commit: `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : "-dirty"}`,
    machine: `${availableParallelism()} of ${cpus().length} CPUs, ${process.arch}, Linux ${release()}, Node ${process.version}`,
    at: `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
  };
}
