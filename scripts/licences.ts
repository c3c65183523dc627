/**
 * What AutoAI ships and under which licences: the packages of both lockfiles, those that are bundled into the console's pages among them.
 *
 *     node scripts/licences.ts           fails where a licence is not allowed, or docs/licences.md is not what it would write
 *     node scripts/licences.ts --write   writes docs/licences.md
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const TABLE = join(ROOT, "docs", "licences.md");

/** Permissive ones: they ask for their text to come along, and for nothing of our users. */
export const ALLOWED: ReadonlySet<string> = new Set([
  ...["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT"],
  ...["MIT-0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"],
]);
/** Of tools that build and test, and are in no image: also those that ask that changes of their own files be published. */
export const ALLOWED_FOR_TOOLS: ReadonlySet<string> = new Set([...ALLOWED, "MPL-2.0"]);

export type Package = { readonly name: string; readonly version: string; readonly licence: string };

/** Whether an SPDX expression can be met: with OR by either side, with AND by both. What is no expression is not met. */
export function isAllowed(expression: string, allowed: ReadonlySet<string> = ALLOWED): boolean {
  const tokens = expression.replaceAll(/[()]/g, " $& ").trim().split(/\s+/);
  let at = 0;
  const term = (): boolean => {
    const token = tokens[at++] ?? "";
    if (token !== "(") return allowed.has(token);
    const inside = either();
    if (tokens[at++] !== ")") at = Number.POSITIVE_INFINITY;
    return inside;
  };
  const both = (): boolean => {
    let met = term();
    while (tokens[at] === "AND") {
      at++;
      met = term() && met;
    }
    return met;
  };
  const either = (): boolean => {
    let met = both();
    while (tokens[at] === "OR") {
      at++;
      met = both() || met;
    }
    return met;
  };
  const met = either();
  return met && at === tokens.length;
}

type Locked = {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
};

export function npmLock(): Readonly<Record<string, Locked>> {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, Locked>;
  };
  return Object.fromEntries(Object.entries(lock.packages).filter(([path]) => path !== ""));
}

/** Name of the package at a place in the lock. */
export const nameAt = (path: string): string =>
  path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

/** Places in the lock of the packages that the console's pages import, and of what those depend on. */
export function bundled(lock: Readonly<Record<string, Locked>>): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (name: string, from: string): void => {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
      const path = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
      const locked = lock[path];
      if (locked !== undefined) {
        if (found.has(path)) return;
        found.add(path);
        for (const next of Object.keys(locked.dependencies ?? {})) visit(next, path);
        return;
      }
      if (at === "") return;
    }
  };
  const pages = join(ROOT, "console", "web", "src");
  for (const file of readdirSync(pages, { recursive: true, encoding: "utf8" })) {
    if (!/\.tsx?$/.test(file)) continue;
    for (const [, name = ""] of readFileSync(join(pages, file), "utf8").matchAll(
      /from "((?:@[^/"]+\/)?[^./"@][^/"]*)/g,
    ))
      visit(name, "");
  }
  return found;
}

/** Packages of package-lock.json: those that are in an image, and the tools, which are not. */
export function npmPackages(): { readonly shipped: Package[]; readonly tools: Package[] } {
  const lock = npmLock();
  const pages = bundled(lock);
  const shipped: Package[] = [];
  const tools: Package[] = [];
  for (const [path, { version = "", license = "none named", dev }] of Object.entries(lock)) {
    const name = nameAt(path);
    (dev && !pages.has(path) ? tools : shipped).push({ name, version, licence: license });
  }
  return { shipped, tools };
}

/** What packages say that were made before SPDX expressions had a field of their own. */
const METADATA = `
import importlib.metadata as metadata, json, re, sys
CLASSIFIED = {"BSD License": "BSD-3-Clause", "MIT License": "MIT", "Apache Software License": "Apache-2.0"}
found = []
for path in sys.argv[1:]:
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\\[[^]]*\\])?==([^ ;\\\\\\\\]+)", open(path).read(), re.M):
        known = metadata.metadata(name)
        licence = known.get("License-Expression") or known.get("License") or ""
        if not re.fullmatch(r"[-A-Za-z0-9.+() ]{1,80}", licence):
            classes = [line.split(" :: ")[-1] for line in known.get_all("Classifier") or [] if line.startswith("License")]
            licence = " AND ".join(CLASSIFIED.get(one, one) for one in classes)
        found.append({"name": name, "version": version, "licence": licence or "none named"})
print(json.dumps(found))
`;

/** Packages of the runner's lockfiles, as they are installed here. */
export function pythonPackages(): Package[] {
  const files = ["requirements", "environment", "bootstrap"].map((name) =>
    join(ROOT, "runner", `${name}.txt`),
  );
  const python = process.env.AUTOAI_PYTHON ?? join(ROOT, ".venv", "bin", "python");
  const found = JSON.parse(
    execFileSync(python, ["-c", METADATA, ...files], { encoding: "utf8" }),
  ) as Package[];
  return [...new Map(found.map((one) => [`${one.name} ${one.version}`, one])).values()];
}

/** Packages whose licence is not allowed. */
export function refused(
  packages: readonly Package[],
  allowed: ReadonlySet<string> = ALLOWED,
): readonly Package[] {
  return packages.filter(({ licence }) => !isAllowed(licence, allowed));
}

function rows(packages: readonly Package[]): string {
  const byLicence = Map.groupBy(packages, ({ licence }) => licence);
  return [...byLicence]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([licence, those]) => {
      const names = [...new Set(those.map(({ name, version }) => `${name} ${version}`))].sort();
      return `| ${licence} | ${names.length} | ${names.join(", ")} |`;
    })
    .join("\n");
}

export function table(): string {
  const { shipped } = npmPackages();
  const head = "| licence | packages | which |\n| --- | --- | --- |";
  return `# Licences

Written by \`node scripts/licences.ts --write\` from both lockfiles; [supply-chain.md](supply-chain.md) says what is allowed. Debian's packages in the base images are
not among these.

## npm: operator, inference server, console and its pages

${head}
${rows(shipped)}

## Python: the runner, and the base environment of generated code

${head}
${rows(pythonPackages())}
`;
}

if (import.meta.main) {
  const { shipped, tools } = npmPackages();
  const bad = [...refused([...shipped, ...pythonPackages()]), ...refused(tools, ALLOWED_FOR_TOOLS)];
  for (const { name, version, licence } of bad)
    console.error(`${name} ${version}: expected an allowed licence (scripts/licences.ts), found ${licence}`);
  if (process.argv.includes("--write")) writeFileSync(TABLE, table());
  else if (readFileSync(TABLE, "utf8") !== table()) {
    console.error("docs/licences.md is stale: run node scripts/licences.ts --write");
    process.exitCode = 1;
  }
  if (bad.length > 0) process.exitCode = 1;
}
