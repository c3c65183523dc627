/** What a request can be answered with other than predictions. One typed error each; app.ts turns them into replies. */

import { z } from "zod";

/** Faults of a file that are named. */
const FAULTS = 5;

/** A fault of one field, or of a row as a whole (`field` then absent). */
export type Problem = {
  /** Index of the row in the request; absent where the fault is the request's. */
  readonly row?: number;
  readonly field?: string;
  readonly problem: "Missing" | "Unknown" | "Type" | "Value" | "Length";
  readonly expected: string;
  readonly found: string;
};

/** Base of the errors that callers are told about. */
export class RequestError extends Error {
  override readonly name: string = "RequestError";
  readonly statusCode: number;
  readonly reason: string;
  /** Seconds after which it is worth asking again. */
  readonly retryAfter: number | undefined;
  constructor(statusCode: number, reason: string, message: string, retryAfter?: number) {
    super(message);
    this.statusCode = statusCode;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

/** 422: the rows are not what the model was trained on. */
export class InvalidRowsError extends RequestError {
  override readonly name = "InvalidRowsError";
  readonly problems: readonly Problem[];
  /** How many there are, of which some are listed. */
  readonly total: number;
  constructor(problems: readonly Problem[], total: number) {
    const first = problems[0];
    const where = first === undefined ? "" : `: ${describe(first)}`;
    const more = total > 1 ? ` (and ${total - 1} more)` : "";
    super(422, "InvalidRows", `the rows do not fit the model's schema${where}${more}`);
    this.problems = problems;
    this.total = total;
  }
}

/** 429: more is waiting than may wait. */
export class OverloadedError extends RequestError {
  override readonly name = "OverloadedError";
  constructor(waitingRows: number, retryAfter: number) {
    super(
      429,
      "Overloaded",
      `${waitingRows} rows are waiting already; ask again in ${retryAfter} s, or serve with more replicas`,
      retryAfter,
    );
  }
}

/** 503: no worker has the model just now. */
export class WorkerUnavailableError extends RequestError {
  override readonly name = "WorkerUnavailableError";
  constructor(why: string) {
    super(503, "WorkerUnavailable", `the model is not available: ${why}; it is being started again`, 1);
  }
}

/** 503: the request waited, or the model computed, for longer than a request may take. */
export class TimedOutError extends RequestError {
  override readonly name = "TimedOutError";
  constructor(milliseconds: number) {
    super(503, "TimedOut", `no prediction within ${milliseconds} ms; send fewer rows at once, or later`, 1);
  }
}

/** 500: the model itself failed on rows that fit its schema. */
export class ModelFailedError extends RequestError {
  override readonly name = "ModelFailedError";
  constructor(said: string) {
    super(500, "ModelFailed", `the model could not predict these rows: ${said}`);
  }
}

/** The package or the model may not be served; no retry will help. */
export class ModelRefusedError extends Error {
  override readonly name = "ModelRefusedError";
}

/** What zod, or whoever read a file, found wrong in it: one line. */
export function faultsOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return (error as Error).message;
  const named = error.issues.map(({ path, message }) => `${path.join(".") || "the whole"}: ${message}`);
  const more = named.length - FAULTS;
  return `${named.slice(0, FAULTS).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

export function describe({ row, field, expected, found }: Problem): string {
  const place = [row === undefined ? "" : `row ${row}`, field === undefined ? "" : JSON.stringify(field)];
  return `${place.filter(Boolean).join(", ") || "the request"}: expected ${expected}, found ${found}`;
}
