/** Imported before the command line by test/e2e/harness.ts: it ends at once when it writes a status that kstatus could not read. */
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import { STATUS_WRITTEN, type StatusWritten } from "../../operator/cluster/memory.ts";
import { statusFaults } from "../kstatus.ts";

subscribe(STATUS_WRITTEN, (message) => {
  const faults = statusFaults(message as StatusWritten);
  if (faults.length === 0) return;
  writeSync(2, `statuses that kstatus could not read:\n${faults.join("\n")}\n`);
  process.exit(70);
});
