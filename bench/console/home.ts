/** A home with a job of many steps and a large transcript that still grows, and with thousands of other jobs. */
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { type Home, openHome } from "../../operator/embedded/home.ts";
import { encode, journalPrefix } from "../../operator/evaluation/context.ts";
import { type Draft, journalOf, prepared, reply, toolFinished } from "../../test/builders/entries.ts";

export const LONG = "long-transcript";

export type Filled = {
  readonly bytes: number;
  /** Writes the next step of the long job. */
  readonly grow: () => Promise<void>;
};

/** @param bytes of the long job's journal, about */
export async function fill(path: string, jobs: number, steps: number, bytes: number): Promise<Filled> {
  const home = openHome(path);
  for (let number = 0; number < jobs; number++)
    await job(home, `job-${String(number).padStart(5, "0")}`, number);
  const long = await job(home, LONG, 0);
  const each = Math.floor(bytes / steps / 2);
  const prefix = journalPrefix(long);
  let sequence = 0;
  let written = 0;
  const append = async (drafts: readonly Draft[]): Promise<void> => {
    for (const entry of journalOf(...drafts)) {
      const content = encode({ ...entry, sequence });
      await home.store.put(`${prefix}/${String(sequence).padStart(6, "0")}.json`, content);
      sequence += 1;
      written += content.byteLength;
    }
  };
  await append([prepared()]);
  let step = 0;
  const grow = (): Promise<void> => append(turn(++step, each));
  while (step < steps) await grow();
  return { bytes: written, grow };
}

async function job(home: Home, name: string, number: number): Promise<TrainingJob> {
  const at = new Date(Date.UTC(2026, 0, 1) + number * 60_000).toISOString();
  const applied = home.cluster.apply(
    TrainingJob.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name, creationTimestamp: at },
      spec: { dataset: { datasetRef: { name: "customers" } }, target: "Churn" },
    }),
  );
  const over = name !== LONG;
  const state = over ? (number % 7 === 0 ? "ERROR" : "READY") : "TRAINING";
  await home.cluster.updateStatus(applied, {
    state,
    conditions: [
      {
        type: "Ready",
        status: over ? "True" : "Unknown",
        reason: over ? "Published" : "Ask",
        message: `what became of job ${number}`,
        lastTransitionTime: at,
      },
    ],
    progress: { step: 3, maxSteps: 30, activity: "Ask" },
    usage: { tokens: 1000 * (number % 50), seconds: 60 },
  });
  return applied;
}

/** A thought, a program of so many bytes that changes a little from step to step, and what it printed, of as many. */
function turn(step: number, bytes: number): Draft[] {
  const line = (index: number): string =>
    `    frame["column_${index}"] = frame["column_${index}"].fillna(${index % 13 === step % 13 ? step : 0})  # as the profile says\n`;
  const code = textOf(bytes, (index) => line(index));
  const output = textOf(bytes, (index) => `fold ${index % 5}: roc_auc=0.8${(index * 7919 + step) % 1000}\n`);
  return [
    reply(step, [], {
      parts: [
        { text: `Step ${step}: the last change helped a little; I try it on more columns.` },
        { functionCall: { name: "write_python_file", args: { path: "train.py", content: code } } },
      ],
    }),
    toolFinished(step, 0, "write_python_file", {
      response: { ok: true, output: { head: output, tail: "" } },
    }),
  ];
}

function textOf(bytes: number, line: (index: number) => string): string {
  let text = "";
  for (let index = 0; text.length < bytes; index++) text += line(index);
  return text.slice(0, bytes);
}
