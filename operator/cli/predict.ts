import { createReadStream, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { candidates, find, Journal } from "../agent/journal.ts";
import { Profile } from "../api/profile.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { type Home, homePath, installation, openHome } from "../embedded/home.ts";
import { type Once, once } from "../embedded/once.ts";
import { MAX_DATASET_BYTES } from "../embedded/source.ts";
import { dataKey, journalPrefix, readJson } from "../evaluation/context.ts";
import { explain, MODEL_FILE } from "../evaluation/verify.ts";
import { EXIT, UsageError } from "./exit.ts";
import { readyJob } from "./jobs.ts";
import { asksAnLlm } from "./run.ts";
import { printable } from "./summary.ts";

export type PredictOptions = { input: string; output?: string; home?: string; unsafeNoSandbox?: boolean };

/** `autoai predict`: the rows of a CSV, brought into the form of the training data, through the published model. */
export async function predict(
  name: string,
  options: PredictOptions,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const home = openHome(homePath(options.home, env));
  const job = await readyJob(home, name);
  const rows = await readRows(options.input);
  const allowUnsandboxed = options.unsafeNoSandbox === true || !(await asksAnLlm(home, job, env));
  const runner = once(home, installation(env), allowUnsandboxed);
  try {
    const csv = await predictions(home, job, runner, rows, options.input);
    if (options.output === undefined) process.stdout.write(csv);
    else writeFileSync(options.output, csv);
    return EXIT.ready;
  } finally {
    await runner.end();
  }
}

async function readRows(file: string): Promise<Uint8Array> {
  if (file === "-") return buffer(process.stdin);
  try {
    const facts = await stat(file);
    if (!facts.isFile()) throw new UsageError(`${file} is not a file; expected a CSV`);
    if (facts.size > MAX_DATASET_BYTES) {
      throw new UsageError(
        `${file} has ${facts.size} bytes; at most ${MAX_DATASET_BYTES} are predicted at once: split it`,
      );
    }
    return await buffer(createReadStream(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new UsageError(`${file}: there is no such file`);
    throw error;
  }
}

export async function predictions(
  home: Home,
  job: TrainingJob,
  runner: Once,
  rows: Uint8Array,
  file: string,
): Promise<Uint8Array> {
  const { store } = home;
  const journal = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0);
  const published = find(journal.entries, "ModelPublished");
  const winner = candidates(journal.entries).find(({ number }) => number === published?.candidate);
  if (!published || !winner) throw new Error(`the journal of ${job.metadata.name} names no published model`);
  const [input, canonical, output] = ["input", "canonical", "output"].map(
    (part) => `${runner.prefix}/${part}.csv`,
  ) as [string, string, string];
  await store.put(input, rows);
  const normalized = await runner.run({
    kind: "Trusted",
    verb: "normalize",
    request: {
      input: "input.csv",
      profile: await readJson(store, dataKey(job, "profile.json"), Profile),
      target: job.spec.target,
      requireTarget: false,
      canonical: "canonical.csv",
    },
    inputs: { "input.csv": input },
    outputs: { "canonical.csv": canonical },
  });
  if (normalized.refusal) throw new UsageError(`${file}: ${normalized.refusal.message}`);
  const { warnings } = normalized.result as { warnings: { message: string }[] };
  for (const { message } of warnings) process.stderr.write(`warning: ${printable(message)}\n`);
  const outcome = await runner.run({
    kind: "Sandboxed",
    command: [
      "@predict",
      "--model",
      MODEL_FILE,
      "--entry",
      winner.recipe.entry,
      "--input",
      "rows.csv",
      "--output",
      "predictions.csv",
    ],
    environment: winner.recipe.environment,
    inputs: {
      ...Object.fromEntries(
        winner.recipe.files.map(({ path }) => [path, `${published.prefix}/recipe/${path}`]),
      ),
      [MODEL_FILE]: `${published.prefix}/${MODEL_FILE}`,
      "rows.csv": canonical,
    },
    outputs: { "predictions.csv": output },
  });
  if (outcome.ended !== "Completed" || outcome.exitCode !== 0) {
    const detail = outcome.traceback ?? outcome.output.tail;
    throw new Error(
      `the model could not predict these rows: the process ${explain(outcome)}\n${printable(detail)}`,
    );
  }
  return store.get(output);
}
