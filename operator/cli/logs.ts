/**
 * `autoai logs` and `autoai inspect -n`: the journal of a job in the cluster. It lies in the operator's store, which users have no
 * key to; the operator hands it out to who may get the job. It is reached through the API server, as the kubeconfig says.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { JournalEntry } from "../api/journal.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { EXIT } from "./exit.ts";
import { OperatorService, type OperatorServiceOptions } from "./operator-service.ts";
import { transcriptEntry, transcriptHead } from "./transcript.ts";

export type LogsOptions = OperatorServiceOptions & {
  readonly follow?: boolean;
  readonly json?: boolean;
};

type Answer = { readonly job: TrainingJob; readonly entries: readonly unknown[] };

const FOLLOW_SECONDS = 2;
/** Failures in a row before following is given up: an operator that is replaced is away for a few seconds. */
const PATIENCE = 15;

export async function logs(name: string, options: LogsOptions): Promise<number> {
  const operator = OperatorService.of(name, options, "trainingjobs");
  let after = -1;
  let failures = 0;
  for (let first = true; ; first = false) {
    let answer: Answer | undefined;
    try {
      answer = JSON.parse(await operator.get(`/journals/${options.namespace}/${name}`, { after })) as Answer;
      failures = 0;
    } catch (error) {
      if (first || !options.follow || !operator.isPassing(error) || ++failures > PATIENCE)
        throw operator.explained(error);
    }
    if (answer) {
      const entries = answer.entries.map((entry) => JournalEntry.parse(entry));
      print(answer.job, entries, first, options.json ?? false);
      after = entries.at(-1)?.sequence ?? after;
      const end = entries.find((entry) => entry.type === "JobFinished");
      if (options.follow && end) return end.state === "READY" ? EXIT.ready : EXIT.error;
      // It was over before this command began, or is not followed.
      if (!options.follow) return EXIT.ready;
    }
    await sleep(FOLLOW_SECONDS * 1000);
  }
}

function print(job: TrainingJob, entries: readonly JournalEntry[], first: boolean, json: boolean): void {
  if (json) {
    for (const entry of entries) process.stdout.write(`${JSON.stringify(entry)}\n`);
    return;
  }
  if (first) process.stdout.write(`${transcriptHead(job)}\n`);
  for (const entry of entries) process.stdout.write(`\n${transcriptEntry(entry)}\n`);
}
