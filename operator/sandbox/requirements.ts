/** Requirements that a model may ask for: names with versions and extras, and nothing that uv reads as anything else. */

import { createHash } from "node:crypto";

const MAX_PACKAGES = 30;
const MAX_LENGTH = 200;
const NAME = "[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?";
const EXTRAS = `(?:\\[\\s*${NAME}(?:\\s*,\\s*${NAME})*\\s*\\])?`;
const VERSION = "(?:===|==|~=|!=|<=|>=|<|>)\\s*[A-Za-z0-9](?:[A-Za-z0-9.+!_*-]{0,62})";
const VERSIONS = `(?:\\s*(?:${VERSION}(?:\\s*,\\s*${VERSION})*|\\(\\s*${VERSION}(?:\\s*,\\s*${VERSION})*\\s*\\)))?`;
const REQUIREMENT = new RegExp(`^${NAME}\\s*${EXTRAS}${VERSIONS}$`);

/** Why these cannot be asked for, or undefined. */
export function requirementProblem(packages: readonly string[]): string | undefined {
  if (packages.length > MAX_PACKAGES) {
    return `${packages.length} packages were asked for; at most ${MAX_PACKAGES} can be installed`;
  }
  const wrong = packages.find((text) => text.length > MAX_LENGTH || !REQUIREMENT.test(text));
  if (wrong === undefined) return undefined;
  const shown = JSON.stringify(wrong.length > 80 ? `${wrong.slice(0, 80)}…` : wrong);
  return `${shown} is not the name of a package, with extras or versions if need be, such as "xgboost" or "lightgbm>=4,<5"; URLs, paths and options are not accepted`;
}

/**
 * The lock alone: one entry a package, sorted, without comments, its hashes sorted: equal locks are equal texts.
 * An entry is a line of a requirements file, with lines ending in a backslash continued.
 */
export function normaliseLock(text: string): string {
  const entries = text
    .replace(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")
    .map((line) => {
      const [requirement = "", ...hashes] = line.split(/\s+--hash=/);
      return [
        requirement.replace(/\s+/g, " ").trim(),
        ...hashes.map((hash) => `    --hash=${hash.trim()}`).sort(),
      ];
    })
    .sort(([one = ""], [other = ""]) => (one < other ? -1 : 1));
  return `${entries.map((lines) => lines.join(" \\\n")).join("\n")}\n`;
}

/** Name of the environment that a lock makes: of the lock, and of the Python it is for. */
export function environmentDigest(
  lock: string,
  python: { readonly version: string; readonly platform: string },
): string {
  return createHash("sha256").update(`${lock}# python ${python.version} ${python.platform}\n`).digest("hex");
}
