/** The model package on disk, checked by digest before anything of it is loaded. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ModelManifest, Sha256 } from "../../operator/api/model-manifest.ts";
import { faultsOf, ModelRefusedError } from "../errors.ts";

export const MANIFEST_FILE = "model.json";
const MANIFEST_BYTES = 16 * 1024 ** 2;

export type ModelPackage = {
  readonly directory: string;
  /** SHA-256 of model.json, which names every other file by its own. */
  readonly digest: string;
  readonly manifest: ModelManifest;
};

/**
 * Checks model.json against the digest and every file against model.json.
 * @param digest absent: whatever model.json is, as with a package that was never published
 * @throws ModelRefusedError that names the file, the digest that was expected and the one that was found
 */
export async function verifyPackage(directory: string, digest?: string): Promise<ModelPackage> {
  if (digest !== undefined && !Sha256.safeParse(digest).success) {
    throw new ModelRefusedError(
      `${JSON.stringify(digest)} is no digest: expected a SHA-256 in lower case hexadecimal`,
    );
  }
  const path = join(directory, MANIFEST_FILE);
  await checkFile(path, MANIFEST_FILE, undefined);
  const bytes = await readFile(path);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (digest !== undefined && found !== digest) {
    throw new ModelRefusedError(
      `${path} is not the model that was asked for: expected digest ${digest}, found ${found}. Nothing was loaded: fetch the package again`,
    );
  }
  const manifest = parse(bytes, path);
  for (const [name, { sha256, size }] of Object.entries(manifest.files)) {
    if (name.split("/").some((part) => part === "" || part === "." || part === "..")) {
      throw new ModelRefusedError(
        `${path} names ${JSON.stringify(name)}, which is no path below the package`,
      );
    }
    const file = join(directory, name);
    await checkFile(file, name, size);
    const actual = await digestOf(file);
    if (actual !== sha256) {
      throw new ModelRefusedError(
        `${name} was changed after the model was published: expected digest ${sha256}, found ${actual}. Nothing was loaded: fetch the package again`,
      );
    }
  }
  return { directory, digest: found, manifest };
}

async function checkFile(path: string, name: string, size: number | undefined): Promise<void> {
  const facts = await lstat(path).catch(() => undefined);
  if (!facts?.isFile()) {
    throw new ModelRefusedError(
      `the model package lacks ${name}: expected a regular file, found ${facts ? "something else" : "nothing"} at ${path}. Nothing was loaded: fetch the package again`,
    );
  }
  if (size !== undefined ? facts.size !== size : facts.size > MANIFEST_BYTES) {
    throw new ModelRefusedError(
      `${name} was changed after the model was published: expected ${size ?? `at most ${MANIFEST_BYTES}`} bytes, found ${facts.size}. Nothing was loaded: fetch the package again`,
    );
  }
}

function parse(bytes: Buffer, path: string): ModelManifest {
  try {
    return ModelManifest.parse(JSON.parse(bytes.toString("utf8")));
  } catch (error) {
    throw new ModelRefusedError(`${path} is no manifest of a model package: ${faultsOf(error)}`, {
      cause: error,
    });
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
