/**
 * Under which uid the store keeps what belongs to a resource. It is the resource's own, until it is restored from a backup: then the API
 * server gives it another one, and the annotation, which backups carry, says which one it had.
 */
import type { ObjectMeta } from "./meta.ts";

/** Annotation that the operator puts on each Dataset and TrainingJob: the uid under which the store knows it. */
export const ORIGIN = "autoai.dev/origin";

/** Random and of a fixed form, so that it can be part of a key of the store whoever wrote it. */
const UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Named = { readonly metadata: Pick<ObjectMeta, "annotations" | "uid"> };

/** The uid in the annotation; the resource's own where there is none, or none of that form. */
export function originOf({ metadata }: Named): string {
  const origin = metadata.annotations?.[ORIGIN];
  return origin !== undefined && UID.test(origin) ? origin : (metadata.uid ?? "");
}

/** What of the origin is part of the store's keys: eight hexadecimal digits. */
export function shortOrigin(resource: Named): string {
  return originOf(resource).replaceAll("-", "").slice(0, 8);
}
