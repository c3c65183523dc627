/** Owners of executions, as pods carry them. */
import { createHash } from "node:crypto";

/** Value of the label autoai.dev/owner: an owner's name may hold what a label may not, and be longer than 63 characters. */
export function ownerHash(owner: string): string {
  return createHash("sha256").update(owner).digest("hex").slice(0, 32);
}

/** Namespace of `namespace/name` or `dataset:namespace/name`. Throws where the owner is neither. */
export function ownerNamespace(owner: string): string {
  const found = /^(?:[a-z]+:)?([a-z0-9-]+)\/[^/]+$/.exec(owner)?.[1];
  if (found === undefined)
    throw new Error(
      `owner ${JSON.stringify(owner)} is not of the form namespace/name or kind:namespace/name`,
    );
  return found;
}
