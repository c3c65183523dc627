/**
 * Of every local test: each status that an operator wrote, into the cluster in memory or the API server in memory, was one that kstatus
 * can read. What tests put there themselves, in an operator's stead, is their own affair.
 */
import { subscribe } from "node:diagnostics_channel";
import { afterAll, afterEach, expect } from "vitest";
import { STATUS_WRITTEN, type StatusWritten } from "../../operator/cluster/memory.ts";

type Judge = typeof import("../kstatus.ts").statusFaults;
let judge: Judge | undefined;
let loading: Promise<Judge> | undefined;
/** Until the judge is there: most files write none, and the schemas take a while to load. */
const written: StatusWritten[] = [];
const faults: string[] = [];

subscribe(STATUS_WRITTEN, (message) => {
  if (judge) faults.push(...judge(message as StatusWritten));
  else written.push(structuredClone(message as StatusWritten));
  loading ??= import("../kstatus.ts").then(({ statusFaults }) => {
    judge = statusFaults;
    return statusFaults;
  });
});

async function look(): Promise<void> {
  const judged = (await loading) ?? (() => []);
  faults.push(...written.splice(0).flatMap(judged));
  expect(faults.splice(0), "statuses that kstatus could not read").toEqual([]);
}
afterEach(look);
afterAll(look);
