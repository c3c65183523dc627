/**
 * Where environments lie in the store: each below the namespace whose pods made it. The pods of a namespace hold grants to write
 * there, and who may read pods may use them: what one namespace writes, no other one runs.
 *
 * An archive is named by its environment, which is the digest of the lock, and by the SHA-256 of its own bytes. Made twice, it may differ in its
 * bytes (bytecode does), and then is another one, so that none takes the place of another. Whoever unpacks one compares its bytes
 * with its name (runner/autoai_runner/courier.py), a served model's with its model.json (fetch.py).
 */
import type { ArtifactStore } from "../storage/artifact-store.ts";

/** What the installations of a namespace may write below. */
export const environmentsPrefix = (namespace: string): string => `environments/${namespace}/`;
/** @param sha256 of the archive's bytes */
export const archiveKey = (namespace: string, digest: string, sha256: string): string =>
  `${environmentsPrefix(namespace)}${digest}/${sha256}.tar`;
export const environmentLockKey = (namespace: string, digest: string): string =>
  `${environmentsPrefix(namespace)}${digest}/lock.txt`;
export const environmentPackagesKey = (namespace: string, digest: string): string =>
  `${environmentsPrefix(namespace)}${digest}/packages.json`;

/** Of the embedded run, which has one user; and of operators that shared environments between namespaces. Nobody holds grants for these. */
const sharedTarKey = (digest: string): string => `environments/${digest}.tar`;
export const sharedLockKey = (digest: string): string => `environments/${digest}/lock.txt`;

/** SHA-256 of an archive that a namespace has of an environment; always the same of several. undefined where it has none. */
export async function archiveIn(
  store: Pick<ArtifactStore, "list">,
  namespace: string,
  digest: string,
): Promise<string | undefined> {
  const prefix = `${environmentsPrefix(namespace)}${digest}/`;
  const keys = await store.list(prefix);
  return keys.flatMap((key) => /^([0-9a-f]{64})\.tar$/.exec(key.slice(prefix.length))?.[1] ?? []).sort()[0];
}

/** Environments of which there is an archive of the namespace among these keys. */
export function archivedIn(namespace: string, keys: readonly string[]): string[] {
  const prefix = environmentsPrefix(namespace);
  const found = keys.flatMap(
    (key) => /^([0-9a-f]{64})\/[0-9a-f]{64}\.tar$/.exec(key.slice(prefix.length))?.[1] ?? [],
  );
  return [...new Set(found)];
}

/**
 * Where a namespace has the environment of a served model: the very archive that its model.json names. Models that were published
 * without one, by an earlier operator or where a claim held environments, take what there is of their lock. undefined where there is nothing.
 * @param archive SHA-256, as model.json has it
 */
export async function servedArchiveKey(
  store: Pick<ArtifactStore, "list" | "exists">,
  namespace: string,
  digest: string,
  archive: string | undefined,
): Promise<string | undefined> {
  const sha256 = archive ?? (await archiveIn(store, namespace, digest));
  const key = sha256 === undefined ? sharedTarKey(digest) : archiveKey(namespace, digest, sha256);
  return (await store.exists(key)) ? key : undefined;
}

/** Key of the lock of an environment as a namespace has it; where it has none, the key that it would have. */
export function environmentLockOf(
  store: Pick<ArtifactStore, "exists">,
  namespace: string,
  digest: string,
): Promise<string> {
  return present(store, environmentLockKey(namespace, digest), sharedLockKey(digest));
}

async function present(store: Pick<ArtifactStore, "exists">, own: string, shared: string): Promise<string> {
  if (await store.exists(own)) return own;
  return (await store.exists(shared)) ? shared : own;
}
