/** A directory of the node for every claim of the storage class `standard`; it goes when the claim does. */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ApiException, type CoreV1Api } from "@kubernetes/client-node";
import type { Stored } from "./mirror.ts";

export type Claim = Stored & {
  readonly spec: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly accessModes?: string[];
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
};
export type Volume = Stored & {
  readonly spec: { readonly storageClassName?: string; readonly hostPath?: { readonly path: string } };
  readonly status?: { readonly phase?: string };
};

/** Brings volumes in line with the claims; may be called again at any time. */
export function volumeKeeper(core: CoreV1Api, directory: string) {
  return async (claims: readonly Claim[], volumes: readonly Volume[]): Promise<void> => {
    for (const { metadata, spec } of claims) {
      if (spec.storageClassName !== "standard" || spec.volumeName !== undefined) continue;
      const path = join(directory, metadata.uid);
      mkdirSync(path, { recursive: true });
      chmodSync(path, 0o777); // pods run as users of their own, and a hostPath is not given to them
      await unless(409, () =>
        core.createPersistentVolume({
          body: {
            metadata: { name: `pvc-${metadata.uid}` },
            spec: {
              storageClassName: "standard",
              accessModes: spec.accessModes ?? ["ReadWriteOnce"],
              capacity: { storage: spec.resources?.requests?.storage ?? "1Gi" },
              persistentVolumeReclaimPolicy: "Retain", // this keeper reclaims
              claimRef: {
                kind: "PersistentVolumeClaim",
                namespace: metadata.namespace ?? "",
                name: metadata.name,
                uid: metadata.uid,
              },
              hostPath: { path, type: "Directory" },
            },
          },
        }),
      );
    }
    for (const { metadata, spec, status } of volumes) {
      if (spec.storageClassName !== "standard" || status?.phase !== "Released") continue;
      if (metadata.deletionTimestamp !== undefined) continue;
      if (spec.hostPath?.path.startsWith(directory))
        rmSync(spec.hostPath.path, { recursive: true, force: true });
      await unless(404, () => core.deletePersistentVolume({ name: metadata.name }));
    }
  };
}

async function unless(code: number, call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof ApiException) || error.code !== code) throw error;
  }
}
