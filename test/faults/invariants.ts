/** What must hold of a job wherever it runs: by its journal, and by every version of it that was seen. */
import { isDeepStrictEqual } from "node:util";
import { candidates, find, tokensUsed } from "../../operator/agent/journal.ts";
import type { JournalEntry } from "../../operator/api/journal.ts";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import type { Resource } from "../../operator/cluster/cluster.ts";
import { functionCalls } from "../../operator/llm/language-model.ts";
import { kstatusFaults } from "../kstatus.ts";

/** States that never change. */
export const ENDED: ReadonlySet<string> = new Set(["READY", "ERROR"]);

/**
 * What is wrong with a version of a resource, seen after an earlier one of it.
 * @param hasGap versions between the two may not have been seen
 */
export function versionFaults(resource: Resource, before: Resource | undefined, hasGap = false): string[] {
  const isSame = before?.metadata.uid === resource.metadata.uid;
  const earlier = isSame ? before : undefined;
  // A new spec is seen with the old status, until the next reconcile.
  if (isDeepStrictEqual(earlier?.status, resource.status)) return [];
  const faults = kstatusFaults(resource, hasGap ? undefined : earlier);
  const [was, is] = [earlier, resource].map((one) =>
    one?.kind === "TrainingJob" ? one.status?.state : undefined,
  );
  if (ENDED.has(was ?? "") && is !== was) faults.push(`went from ${was} to ${is}`);
  return faults.map((fault) => `${resource.kind} ${resource.metadata.name}: ${fault}`);
}

/** What is wrong with the journal of a job that is over, and with what its status says of it. */
export function journalFaults(job: TrainingJob, entries: readonly JournalEntry[]): string[] {
  const faults: string[] = [];
  const must = (isSo: boolean, what: string): void => {
    if (!isSo) faults.push(`${job.metadata.name}: ${what}`);
  };
  for (const type of ["DatasetPrepared", "AgentStopped", "ModelPublished", "JobFinished"] as const)
    must(entries.filter((entry) => entry.type === type).length <= 1, `there is more than one ${type}`);
  const end = find(entries, "JobFinished");
  must(end !== undefined && entries.at(-1) === end, "JobFinished is not the last entry");
  must(job.status?.state === end?.state, `the status says ${job.status?.state}, the journal ${end?.state}`);
  const count = candidates(entries).length;
  must((end?.state === "READY") === count > 0, `${end?.state} (${end?.reason}) with ${count} candidates`);
  must(job.status?.usage?.tokens === tokensUsed(entries), "the status has other tokens than the journal");
  checkSteps(entries, job.spec.budget.maxSteps, must);
  return faults;
}

/** Replies are numbered through, and each call of one was answered once, in its order, before the next reply. */
function checkSteps(
  entries: readonly JournalEntry[],
  maxSteps: number,
  must: (isSo: boolean, what: string) => void,
): void {
  let step = 0;
  let open: string[] = [];
  for (const entry of entries) {
    if (entry.type === "ReplyReceived") {
      must(entry.step === step + 1, `reply ${entry.step} follows reply ${step}`);
      must(open.length === 0, `reply ${entry.step} came before ${open.join()} was answered`);
      step = entry.step;
      open = functionCalls(entry.parts).map((call) => call.name);
    }
    if (entry.type === "ToolFinished")
      must(entry.step === step && entry.name === open.shift(), `a result of ${entry.name} out of turn`);
  }
  must(step <= maxSteps, `${step} steps of ${maxSteps}`);
}
