/** What the console cannot do, in words for who asked. Anything else that is thrown is a fault of ours, and told to nobody. */
import { StoreError } from "../../operator/storage/artifact-store.ts";

export type Refusal =
  | "Unauthenticated"
  | "Denied"
  | "Missing"
  | "Conflict"
  | "Invalid"
  | "TooLarge"
  | "TooMany"
  | "Unavailable";

export const STATUS: Readonly<Record<Refusal, number>> = {
  Unauthenticated: 401,
  Denied: 403,
  Missing: 404,
  Conflict: 409,
  Invalid: 400,
  TooLarge: 413,
  TooMany: 429,
  Unavailable: 503,
};

export class ConsoleError extends Error {
  override readonly name = "ConsoleError";
  readonly refusal: Refusal;
  /** For programs: where an upload stands, which rows are wrong. Small, and nothing secret. */
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(refusal: Refusal, message: string, detail?: Readonly<Record<string, unknown>>) {
    super(message);
    this.refusal = refusal;
    this.detail = detail;
  }
}

/** What to tell of an error; undefined where it is a fault of ours. */
export function refusalOf(error: unknown): ConsoleError | undefined {
  if (error instanceof ConsoleError) return error;
  if (error instanceof StoreError && error.reason === "StoreUnavailable") {
    return new ConsoleError("Unavailable", "the store does not answer: try again in a moment");
  }
  return undefined;
}
