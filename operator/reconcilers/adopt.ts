/** What the operator does with a resource when it first sees it: notes in the store what it is, and on the resource where that lies. */
import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { Dataset } from "../api/dataset.ts";
import { ORIGIN, originOf } from "../api/origin.ts";
import { TrainingJob } from "../api/trainingjob.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { encode } from "../evaluation/context.ts";
import { type ArtifactStore, NotFoundError } from "../storage/artifact-store.ts";
import { FINALIZER } from "./cleanup.ts";

export type Adopter = { readonly cluster: Cluster; readonly store: ArtifactStore };

/** What may be edited while the artifacts stay what they are. */
const MUTABLE: Readonly<Record<"Dataset" | "TrainingJob", readonly string[]>> = {
  Dataset: [],
  TrainingJob: ["suspend", "deploy", "ttlSecondsAfterFinished"],
};
const SPECS: Readonly<Record<"Dataset" | "TrainingJob", z.ZodType>> = {
  Dataset: Dataset.shape.spec,
  TrainingJob: TrainingJob.shape.spec,
};

/**
 * Puts the finalizer and the origin on. One that was restored from a backup, and so has the origin of another object, keeps it where the
 * store has that object's spec, and it is the same as this one's: then it goes on from there. Anything else begins anew. May be called again.
 * The resource as it is afterwards; undefined where it is gone.
 * @param prefixOf prefix in the store of everything that belongs to a resource
 */
export async function adopt<R extends Dataset | TrainingJob>(
  { cluster, store }: Adopter,
  resource: R,
  prefixOf: (resource: R) => string,
): Promise<R | undefined> {
  const { uid = "", annotations, finalizers } = resource.metadata;
  const origin = originOf(resource);
  if (annotations?.[ORIGIN] === uid && finalizers?.includes(FINALIZER)) return resource;
  if (origin !== uid && (await isKept(store, `${prefixOf(resource)}/spec.json`, resource))) {
    if (finalizers?.includes(FINALIZER)) return resource;
    return cluster.setFinalizer(resource, FINALIZER, true);
  }
  if (origin !== uid) {
    const message = `annotation ${ORIGIN} names ${origin}, under which the store has nothing of this spec: begun anew`;
    await cluster.event(resource, "Warning", "OriginUnknown", message);
  }
  const own = {
    ...resource,
    metadata: { ...resource.metadata, annotations: { ...annotations, [ORIGIN]: uid } },
  };
  await store.create(`${prefixOf(own)}/spec.json`, encode(fixedPart(resource, resource.spec)));
  return cluster.setFinalizer(resource, FINALIZER, true, { [ORIGIN]: uid });
}

async function isKept(store: ArtifactStore, key: string, resource: Dataset | TrainingJob): Promise<boolean> {
  try {
    const kept: unknown = JSON.parse(new TextDecoder().decode(await store.get(key)));
    return isDeepStrictEqual(normal(resource, kept), normal(resource, resource.spec));
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}

/** With the defaults of this version: one that wrote it before may have known fewer fields. As it stands where it does not parse. */
function normal(resource: Dataset | TrainingJob, spec: unknown): unknown {
  const parsed = SPECS[resource.kind].safeParse(spec);
  return fixedPart(resource, parsed.success ? parsed.data : spec);
}

function fixedPart({ kind }: Dataset | TrainingJob, spec: unknown): unknown {
  const fields = Object.entries(spec as object).filter(([field]) => !MUTABLE[kind].includes(field));
  return JSON.parse(JSON.stringify(Object.fromEntries(fields)));
}
