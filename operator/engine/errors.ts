/** What a reconcile throws when it is not done. All else that is thrown is transient and backs off. */

/** Nothing is wrong; come back later. Whatever is waited for wakes the key; the time is only the safety net. */
export class WaitingError extends Error {
  override readonly name = "WaitingError";
  readonly reason: string;
  readonly requeueAfterSeconds: number;
  /** Whether the time until then is the platform's, and not that of the resource that waits. */
  readonly uncharged: boolean;
  constructor(reason: string, message: string, requeueAfterSeconds = 15, uncharged = false) {
    super(message);
    this.reason = reason;
    this.requeueAfterSeconds = requeueAfterSeconds;
    this.uncharged = uncharged;
  }
}

/** No retry will help until somebody changes something: the message says what. */
export class StalledError extends Error {
  override readonly name = "StalledError";
  readonly reason: string;
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * Waits for all of them, so that each gets started; then throws the first real failure, or else the first wait.
 */
export async function together<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  const reasons = settled.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  const failure = reasons.find((reason) => !(reason instanceof WaitingError)) ?? reasons[0];
  if (failure !== undefined) throw failure;
  return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}
