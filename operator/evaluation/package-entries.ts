/** The files of a model package on their way to somebody: each is checked against model.json while it flows. */
import { createHash } from "node:crypto";
import { type Readable, Transform } from "node:stream";
import { ModelManifest } from "../api/model-manifest.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";
import { type Streams, streamOf } from "../storage/streams.ts";
import { sha256 } from "./context.ts";
import { MANIFEST_FILE } from "./package.ts";

/** What is in the store is not what was published. */
export class DamagedPackageError extends Error {
  override readonly name = "DamagedPackageError";
}

export type PackageEntry = { readonly path: string; readonly size: number; readonly body: Readable };

export type Package = {
  readonly manifest: ModelManifest;
  /** model.json first, then the files that it names. A body that turns out to be another one breaks off with DamagedPackageError. */
  readonly entries: AsyncIterable<PackageEntry>;
};

/**
 * A package by its digest. Throws NotFoundError where there is none, DamagedPackageError where its model.json is another.
 *
 * @param prefix where it lies, as packagePrefix has it
 */
export async function openPackage(
  store: Pick<ArtifactStore, "get"> & Streams,
  prefix: string,
  digest: string,
): Promise<Package> {
  const text = await store.get(`${prefix}/${MANIFEST_FILE}`);
  const manifest = parsePackageManifest(text, digest);
  async function* entries(): AsyncGenerator<PackageEntry> {
    yield { path: MANIFEST_FILE, ...streamOf(text) };
    for (const [path, { size, sha256: expected }] of Object.entries(manifest.files)) {
      const stored = await store.open(`${prefix}/${path}`);
      const body = checked(path, size, expected);
      stored.body.once("error", (error) => body.destroy(error));
      body.once("close", () => stored.body.destroy());
      yield { path, size, body: stored.body.pipe(body) };
    }
  }
  return { manifest, entries: entries() };
}

/** Throws DamagedPackageError where this is not the model.json of that digest. */
export function parsePackageManifest(text: Uint8Array, digest: string): ModelManifest {
  const found = sha256(text);
  if (found !== digest) {
    throw new DamagedPackageError(
      `${MANIFEST_FILE} has the digest ${found}, expected ${digest}: it was changed since the model was published`,
    );
  }
  return ModelManifest.parse(JSON.parse(new TextDecoder().decode(text)));
}

/** Lets bytes through, and fails at their end unless they are those that were expected. */
export function checked(path: string, size: number, expected: string): Transform {
  const hash = createHash("sha256");
  let passed = 0;
  const damaged = (what: string) =>
    new DamagedPackageError(
      `${path} of the model package has ${what}: it was changed since it was published`,
    );
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.byteLength;
      hash.update(chunk);
      done(passed > size ? damaged(`more than ${size} bytes`) : null, chunk);
    },
    flush(done) {
      if (passed !== size) return done(damaged(`${passed} bytes, expected ${size}`));
      const found = hash.digest("hex");
      done(found === expected ? null : damaged(`the digest ${found}, expected ${expected}`));
    },
  });
}
