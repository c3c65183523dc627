/** What the platform does wrong, as conditions name it: never an error of the agent, nor of what it wrote. */
import { PlatformError } from "../sandbox/executor.ts";
import { StoreError } from "../storage/artifact-store.ts";

/** The reason on the condition of what is tried again. */
export function platformReason(error: unknown): string {
  return error instanceof PlatformError || error instanceof StoreError ? error.reason : "InternalError";
}

/** Whether nothing helps until somebody mends something; the step goes on by itself then. */
export function isStalled(error: unknown): error is PlatformError {
  return error instanceof PlatformError && error.stalled;
}
