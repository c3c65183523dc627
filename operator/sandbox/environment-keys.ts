/**
 * Where environments lie in the store: each below the namespace whose pods made it. The pods of a namespace hold grants to write
 * there, and who may read pods may use them: what one namespace writes, no other one runs.
 */
import type { ArtifactStore } from "../storage/artifact-store.ts";

/** What the installations of a namespace may write below. */
export const environmentsPrefix = (namespace: string): string => `environments/${namespace}/`;
export const environmentTarKey = (namespace: string, digest: string): string =>
  `${environmentsPrefix(namespace)}${digest}.tar`;
export const environmentLockKey = (namespace: string, digest: string): string =>
  `${environmentsPrefix(namespace)}${digest}/lock.txt`;
export const environmentPackagesKey = (namespace: string, digest: string): string =>
  `${environmentsPrefix(namespace)}${digest}/packages.json`;

/** Of the embedded run, which has one user; and of operators that shared environments between namespaces. Nobody holds grants for these. */
const sharedTarKey = (digest: string): string => `environments/${digest}.tar`;
export const sharedLockKey = (digest: string): string => `environments/${digest}/lock.txt`;

/** Key of the tar of an environment as a namespace has it; where it has none, the key that it would have. */
export function environmentTarOf(
  store: Pick<ArtifactStore, "exists">,
  namespace: string,
  digest: string,
): Promise<string> {
  return present(store, environmentTarKey(namespace, digest), sharedTarKey(digest));
}

/** As environmentTarOf, of its lock. */
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
