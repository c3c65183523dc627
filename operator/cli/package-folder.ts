/** A model package into a folder: checked as it comes, and there whole or not at all. */
import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { ModelManifest } from "../api/model-manifest.ts";
import { MANIFEST_FILE } from "../evaluation/package.ts";
import {
  checked,
  DamagedPackageError,
  type PackageEntry,
  parsePackageManifest,
} from "../evaluation/package-entries.ts";
import { checkKey } from "../storage/key.ts";
import { UsageError } from "./exit.ts";

/** More than any operator writes. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

/**
 * Writes the entries below a folder that is not there yet, or is empty. Throws DamagedPackageError unless they are just the files
 * of the package with that digest; nothing is left then.
 *
 * @param entries model.json first
 */
export async function writePackage(
  folder: string,
  digest: string,
  entries: AsyncIterable<PackageEntry>,
): Promise<ModelManifest> {
  const target = resolve(folder);
  requireFree(target);
  mkdirSync(dirname(target), { recursive: true });
  const partial = `${target}.partial-${process.pid}`;
  mkdirSync(partial);
  try {
    const manifest = await receive(partial, digest, entries);
    if (existsSync(target)) rmSync(target, { recursive: true });
    renameSync(partial, target);
    return manifest;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Throws UsageError where something is there already. */
export function requireFree(folder: string): void {
  if (!existsSync(folder)) return;
  try {
    if (readdirSync(folder).length === 0) return;
  } catch {
    // Not a folder.
  }
  throw new UsageError(`${folder} is there already: give --output a folder that is not, or that is empty`);
}

async function receive(
  folder: string,
  digest: string,
  entries: AsyncIterable<PackageEntry>,
): Promise<ModelManifest> {
  let manifest: ModelManifest | undefined;
  const missing = new Map<string, { readonly sha256: string; readonly size: number }>();
  for await (const { path, size, body } of entries) {
    if (!manifest) {
      if (path !== MANIFEST_FILE || size > MAX_MANIFEST_BYTES) {
        throw new DamagedPackageError(`the package begins with ${JSON.stringify(path)}, expected model.json`);
      }
      const text = await buffer(body);
      manifest = parsePackageManifest(text, digest);
      for (const [name, facts] of Object.entries(manifest.files)) missing.set(name, facts);
      await pipeline([text], createWriteStream(join(folder, MANIFEST_FILE), { flags: "wx" }));
      continue;
    }
    const expected = missing.get(path);
    if (!expected) throw new DamagedPackageError(`model.json names no further file ${JSON.stringify(path)}`);
    missing.delete(path);
    // As the store's keys: no way out of the folder, whoever wrote model.json.
    checkKey(path);
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    await pipeline(
      body,
      checked(path, expected.size, expected.sha256),
      createWriteStream(file, { flags: "wx" }),
    );
  }
  if (!manifest || missing.size > 0) {
    const names = manifest ? [...missing.keys()].join(", ") : MANIFEST_FILE;
    throw new DamagedPackageError(`the package ended without ${names}`);
  }
  return manifest;
}
