/** Stalls that end by themselves once their cause is gone, and how soon that is noticed. */

/** Reasons that somebody can mend in the cluster. With all others the resource is over: its spec is immutable. */
const RECOVERABLE: ReadonlySet<string> = new Set([
  "ConfigMapNotFound",
  "DatasetNotFound",
  "LlmRefused",
  "MissingKey",
  "ModelNotReady",
  "RecipeNotFound",
  "SandboxUnavailable",
  "SecretNotFound",
  "SourceNotFound",
  "SourceRefused",
]);

export function isRecoverable(reason: string): boolean {
  return RECOVERABLE.has(reason);
}

/** How soon a stalled resource looks whether its cause is gone. */
export const STALLED_SECONDS = 15;
