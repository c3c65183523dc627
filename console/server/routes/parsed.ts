/** What comes in, as its schema has it. */
import type { z } from "zod";
import { ConsoleError } from "../errors.ts";

/** The value as its schema has it, or Invalid. */
export function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  throw new ConsoleError("Invalid", problemOf(error));
}

/** What is wrong first, in a sentence. */
export function problemOf({ issues }: z.ZodError): string {
  const { path, message } = issues[0] ?? { path: [], message: "is not as expected" };
  return `${path.join(".") || "the request"}: ${message}`.slice(0, 300);
}

export function bytes(body: unknown): Uint8Array {
  if (Buffer.isBuffer(body) && body.length > 0) return body;
  throw new ConsoleError("Invalid", "expected bytes as application/octet-stream");
}
