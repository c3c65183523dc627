/** Names of pods: deterministic, so that a pod that is there already is the one that was meant. */
import { createHash } from "node:crypto";

const MAX = 63;

/** Name of the pod of the n-th attempt (from 1) at an execution; a label's value too. */
export function podName(execution: string, attempt: number): string {
  const suffix = attempt === 1 ? "" : `-${attempt}`;
  if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(execution) && execution.length + suffix.length <= MAX)
    return execution + suffix;
  const hash = createHash("sha256").update(execution).digest("hex").slice(0, 10);
  const readable = execution
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, MAX - hash.length - suffix.length - 1)
    .replaceAll(/^-+|-+$/g, "");
  return `${readable === "" ? "x" : readable}-${hash}${suffix}`;
}

/**
 * A user that no other execution has at the same time: limits of processes count by user, and the files of one are closed to
 * another. Deterministic, far above the users of images.
 */
export function userOf(pod: string): number {
  return 1_000_000 + (createHash("sha256").update(pod).digest().readUInt32BE(0) % 1_000_000_000);
}
