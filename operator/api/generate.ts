/**
 * Writes crds/ and docs/reference/ from the schemas; with --check it writes nothing, names each stale file and exits 1.
 * --root DIR: below that folder rather than the repository's.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { generatedFiles, OWNED_FOLDERS } from "./generated-files.ts";

const { values: options } = parseArgs({
  options: { check: { type: "boolean", default: false }, root: { type: "string" } },
});
const root = options.root ?? join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const expected = generatedFiles();

function present(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return undefined;
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}

const stale = Object.keys(expected).filter((path) => present(path) !== expected[path]);
const foreign = OWNED_FOLDERS.flatMap(filesIn).filter((path) => !(path in expected));

if (options.check) {
  for (const path of stale)
    console.error(`${path}: is not what operator/api makes of it; run: npm run generate`);
  for (const path of foreign) console.error(`${path}: is not generated from operator/api; delete it`);
  process.exitCode = stale.length + foreign.length > 0 ? 1 : 0;
} else {
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), expected[path] ?? "");
    console.log(`wrote ${path}`);
  }
  for (const path of foreign) {
    rmSync(join(root, path));
    console.log(`deleted ${path}`);
  }
}
