/** How commands end: 0 well, 1 not READY, 2 bad input; one line says why. */

/** What the person who typed the command can mend: printed as one line, exit 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const EXIT = { ready: 0, error: 1, badInput: 2, interrupted: 130 } as const;

/** Reasons for which the fault lies in what was handed in: manifest, data, key. */
const BAD_INPUT: ReadonlySet<string> = new Set([
  "InvalidSpec",
  "InvalidSource",
  "MissingKey",
  "ConfigMapNotFound",
  "DatasetNotFound",
  "RecipeNotFound",
  "SecretNotFound",
]);

/** The exit code for a job that ended, or that stalled, for this reason. */
export function exitCodeOf(state: string | undefined, reason: string, refusedByIntake: boolean): number {
  if (state === "READY") return EXIT.ready;
  return refusedByIntake || BAD_INPUT.has(reason) ? EXIT.badInput : EXIT.error;
}
