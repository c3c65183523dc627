/**
 * Of every local test: each status that an operator wrote, into the cluster in memory or the API server in memory, was one that kstatus
 * can read. What tests put there themselves, in an operator's stead, is their own affair.
 */
import { subscribe } from "node:diagnostics_channel";
import { afterAll, afterEach, expect } from "vitest";
import { STATUS_WRITTEN, type StatusWritten } from "../../operator/cluster/memory.ts";

const written: StatusWritten[] = [];
subscribe(STATUS_WRITTEN, (message) => written.push(structuredClone(message as StatusWritten)));

async function look(): Promise<void> {
  if (written.length === 0) return;
  // Only now: most files write none, and the schemas take a while to load.
  const { statusFaults } = await import("../kstatus.ts");
  expect(written.splice(0).flatMap(statusFaults), "statuses that kstatus could not read").toEqual([]);
}
afterEach(look);
afterAll(look);
