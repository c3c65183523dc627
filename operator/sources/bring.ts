/** Where the operator in a cluster finds a CSV: a ConfigMap, a public HTTPS address, or an S3 bucket. */
import type { Cluster } from "../cluster/cluster.ts";
import { StalledError, WaitingError } from "../engine/errors.ts";
import { type BringSource, configMapBytes } from "../reconcilers/dataset-source.ts";
import { isRecoverable } from "../reconcilers/stalls.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";
import { FetchError, type FetchOptions, fetchBytes } from "./https.ts";
import { Room } from "./room.ts";
import { type OwnStore, readS3 } from "./s3.ts";

/** 100 MB, as the intake counts them. */
export const MAX_DATASET_BYTES = 104_857_600;

/** Files of the largest size that are held in memory at once; of smaller ones accordingly more. */
const LARGEST_AT_ONCE = 2;

export type BringOptions = {
  readonly cluster: Pick<Cluster, "secret" | "configMap">;
  readonly store: ArtifactStore & { grantGet(key: string, seconds: number): Promise<string> };
  readonly own: OwnStore;
  /** For tests: how the network is reached. */
  readonly fetch?: Partial<FetchOptions>;
};

export function bringSource({ cluster, store, own, fetch = {} }: BringOptions): BringSource {
  const maxBytes = fetch.maxBytes ?? MAX_DATASET_BYTES;
  const room = new Room(maxBytes * LARGEST_AT_ONCE);
  return async (source, namespace, key) => {
    let release: (() => void) | undefined;
    const onSize = (bytes: number): void => {
      release = room.take(key, bytes);
    };
    const options: FetchOptions = { ...fetch, maxBytes, onSize };
    try {
      if (source.configMapKeyRef) {
        await store.put(key, await configMapBytes(cluster, namespace, source.configMapKeyRef));
      } else if (source.uri?.startsWith("https://")) {
        await store.put(key, await fetchBytes(source.uri, options));
      } else if (source.uri?.startsWith("s3://")) {
        const { uri, credentialsSecretRef } = source;
        const request = { uri, credentials: credentialsSecretRef?.name, namespace };
        await store.put(key, await readS3(request, { cluster, store, own, fetch: options }));
      } else {
        throw new StalledError("InvalidSource", "expected an address with s3:// or https://, or a ConfigMap");
      }
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      if (error.reason === "SourceUnavailable") throw new WaitingError(error.reason, error.message, 15);
      const retry = isRecoverable(error.reason) ? "; it is looked for again every 15 s" : "";
      throw new StalledError(error.reason, `${error.message}${retry}`, { cause: error });
    } finally {
      release?.();
    }
  };
}
