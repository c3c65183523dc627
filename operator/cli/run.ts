/** `autoai run`: applies a manifest to the embedded home and works until every job of it is over. */
import { isDeepStrictEqual } from "node:util";
import { find, Journal } from "../agent/journal.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import type { Resource as ManifestResource } from "../api/validate.ts";
import type { Resource } from "../cluster/cluster.ts";
import { type Home, homePath, type Installation, installation, openHome } from "../embedded/home.ts";
import { LockedError, lockJob } from "../embedded/lock.ts";
import { type EmbeddedOperator, embeddedOperator } from "../embedded/operator.ts";
import { jobPrefix, ownerKey } from "../evaluation/context.ts";
import { check } from "./check.ts";
import { EXIT, exitCodeOf, UsageError } from "./exit.ts";
import { loadManifests } from "./manifest.ts";
import { createProgress, type Progress } from "./progress.ts";
import { briefly, withRemedy } from "./remedy.ts";
import { summaryLines } from "./summary.ts";

export type RunOptions = {
  readonly filename: string;
  readonly home?: string;
  readonly json?: boolean;
  readonly replace?: boolean;
  readonly unsafeNoSandbox?: boolean;
};

/** Failures of the platform in a row after which the run gives up; started again, it goes on where it was. */
const MAX_FAILURES = 5;

export async function run(options: RunOptions, env: NodeJS.ProcessEnv): Promise<number> {
  const documents = loadManifests(options.filename);
  const jobs = documents.filter((document): document is TrainingJob => document.kind === "TrainingJob");
  if (jobs.length === 0 && !documents.some(({ kind }) => kind === "Dataset")) {
    throw new UsageError(`${options.filename} holds no TrainingJob and no Dataset; there is nothing to run`);
  }
  const home = openHome(homePath(options.home, env));
  for (const document of documents) await check(document, documents, home, env);
  return runDocuments(home, installation(env), documents, options, env);
}

/** Applies the documents and works on them; also the second half of `retrain`. */
export async function runDocuments(
  opened: Home,
  install: Installation,
  documents: readonly ManifestResource[],
  options: Omit<RunOptions, "filename">,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const progress = createProgress(process.stderr);
  const keys = documents.filter(({ kind }) => kind === "TrainingJob").map(ownerKey);
  const unlock: (() => void)[] = [];
  try {
    for (const key of keys) unlock.push(lockJob(opened.path, key));
    // Read again: whoever held a lock until now may have written since.
    const home = openHome(opened.path);
    for (const document of documents) await apply(home, document, options.replace === true, progress);
    const failure = await work(home, install, keys, documents, options, env, progress);
    progress.end();
    return conclude(home, keys, documents, options.json === true, failure);
  } catch (error) {
    if (error instanceof LockedError) throw new UsageError(error.message);
    throw error;
  } finally {
    progress.end();
    for (const release of unlock) release();
  }
}

async function apply(
  home: Home,
  document: ManifestResource,
  replace: boolean,
  progress: Progress,
): Promise<void> {
  const namespace = document.metadata.namespace ?? "default";
  const { name } = document.metadata;
  switch (document.kind) {
    case "Secret": {
      const decoded = Object.entries(document.data ?? {}).map(([key, value]) => [
        key,
        Buffer.from(value, "base64").toString(),
      ]);
      home.cluster.setSecret(namespace, name, { ...Object.fromEntries(decoded), ...document.stringData });
      return;
    }
    case "ConfigMap":
      home.cluster.setConfigMap(namespace, name, {
        ...document.data,
        ...Object.fromEntries(
          Object.entries(document.binaryData ?? {}).map(([key, value]) => [
            key,
            Buffer.from(value, "base64"),
          ]),
        ),
      });
      return;
    default:
      await applyResource(home, document, `${namespace}/${name}`, replace, progress);
  }
}

/** Sticky ends are for the cluster: here, who runs a failed job again has mended something. */
async function applyResource(
  home: Home,
  document: Resource,
  key: string,
  replace: boolean,
  progress: Progress,
): Promise<void> {
  const present = await home.cluster.get(document.kind, key);
  const failed = present?.status?.conditions?.some(
    ({ type, status }) => type === "Stalled" && status === "True",
  );
  const over = present?.kind !== "TrainingJob" || present.status?.state === "ERROR";
  if (present && (replace || (failed && over))) {
    progress.line(
      `${document.kind} ${key}: ${replace ? "replaced" : "it ended in an error before"}; starting anew`,
    );
    await deleteResource(home, present, key);
  } else if (present && document.kind === "TrainingJob" && !isDeepStrictEqual(present.spec, document.spec)) {
    const changed = Object.keys({ ...present.spec, ...document.spec }).filter(
      (field) =>
        !isDeepStrictEqual(
          present.spec[field as keyof typeof present.spec],
          document.spec[field as keyof typeof document.spec],
        ),
    );
    const mutable = ["suspend", "deploy", "ttlSecondsAfterFinished"];
    if (changed.some((field) => !mutable.includes(field))) {
      throw new UsageError(
        `TrainingJob ${key} exists with another spec (${changed.map((field) => `spec.${field}`).join(", ")}), and a spec does not change: give --replace to train it anew, or give the job another name`,
      );
    }
  }
  home.cluster.apply(document);
}

async function deleteResource(home: Home, resource: Resource, key: string): Promise<void> {
  if (resource.kind === "TrainingJob") await home.store.deletePrefix(`${jobPrefix(resource)}/`);
  home.cluster.erase(resource.kind, key);
}

/** Runs the operator until every job is over; tells what made it give up, if anything did. */
async function work(
  home: Home,
  install: Installation,
  keys: readonly string[],
  documents: readonly ManifestResource[],
  options: Omit<RunOptions, "filename">,
  env: NodeJS.ProcessEnv,
  progress: Progress,
): Promise<string | undefined> {
  const jobs = await Promise.all(keys.map((key) => home.cluster.get("TrainingJob", key)));
  const allowUnsandboxed =
    options.unsafeNoSandbox === true ||
    (await every(jobs, async (job) => !job || !(await asksAnLlm(home, job, env))));
  let giveUp: (reason: string) => void = () => undefined;
  const given = new Promise<string>((resolve) => {
    giveUp = resolve;
  });
  const operator = embeddedOperator({
    home,
    installation: install,
    env,
    allowUnsandboxed,
    onFailure: (key, error, failures) => {
      const message = error instanceof Error ? error.message : String(error);
      if (failures < MAX_FAILURES) {
        progress.line(`${key}: ${briefly(message, home.path)}; trying again`);
        return;
      }
      giveUp(`${key}: gave up after ${failures} failures in a row: ${withRemedy(message, home.path)}`);
    },
  });
  const interrupted = () => giveUp("interrupted; run the same command again to go on");
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    return await Promise.race([given, untilOver(home, operator, keys, documents, progress)]);
  } finally {
    process.removeListener("SIGINT", interrupted);
    process.removeListener("SIGTERM", interrupted);
    await operator.stop();
  }
}

async function untilOver(
  home: Home,
  operator: EmbeddedOperator,
  keys: readonly string[],
  documents: readonly ManifestResource[],
  progress: Progress,
): Promise<undefined> {
  const waiting = new Set(keys);
  for (const document of documents)
    if (document.kind === "Dataset") waiting.add(`dataset:${ownerKey(document)}`);
  await new Promise<void>((resolve) => {
    const look = (resource: Resource): void => {
      if (resource.kind === "TrainingJob" && keys.includes(ownerKey(resource))) progress.show(resource);
      if (!isOver(resource)) return;
      waiting.delete(resource.kind === "Dataset" ? `dataset:${ownerKey(resource)}` : ownerKey(resource));
      if (waiting.size === 0) resolve();
    };
    home.cluster.watch(look);
    for (const document of documents) {
      if (document.kind === "Dataset" || document.kind === "TrainingJob") {
        operator.enqueue(document.kind, ownerKey(document));
      }
    }
    operator.start();
    for (const resource of [...home.cluster.list("Dataset"), ...home.cluster.list("TrainingJob")]) {
      if (isOver(resource)) look(resource);
    }
  });
  return undefined;
}

/** READY, or stalled: nothing more will come of it in this run. */
function isOver(resource: Resource): boolean {
  return Boolean(
    resource.status?.conditions?.some(
      ({ type, status }) => (type === "Ready" || type === "Stalled") && status === "True",
    ),
  );
}

async function conclude(
  home: Home,
  keys: readonly string[],
  documents: readonly ManifestResource[],
  json: boolean,
  failure: string | undefined,
): Promise<number> {
  const jobs: TrainingJob[] = [];
  let code: number = EXIT.ready;
  for (const key of keys) {
    const job = await home.cluster.get("TrainingJob", key);
    if (!job) continue;
    jobs.push(job);
    const stalled = job.status?.conditions?.find(({ type }) => type === "Stalled");
    const journal = await Journal.load(home.store, `${jobPrefix(job)}/journal`, { now: Date.now }, 0);
    const prepared = find(journal.entries, "DatasetPrepared") !== undefined;
    const refused = job.status?.state === "ERROR" && !prepared && stalled?.reason !== "EnvironmentFailed";
    code = Math.max(code, exitCodeOf(job.status?.state, stalled?.reason ?? "", refused));
    for (const line of summaryLines(job, home)) process.stderr.write(`${line}\n`);
  }
  for (const document of documents) {
    if (document.kind !== "Dataset") continue;
    const dataset = await home.cluster.get("Dataset", ownerKey(document));
    const stalled = dataset?.status?.conditions?.find(
      ({ type, status }) => type === "Stalled" && status === "True",
    );
    if (!stalled) continue;
    code = Math.max(code, EXIT.badInput);
    process.stderr.write(`Dataset ${document.metadata.name}: ${stalled.message}\n`);
  }
  if (json) {
    const [only] = jobs;
    const output = jobs.length === 1 ? only : { apiVersion: "v1", kind: "List", items: jobs };
    process.stdout.write(`${JSON.stringify(output, null, 2)}\n`);
  }
  if (failure === undefined) return code;
  process.stderr.write(`${failure}\n`);
  return failure.startsWith("interrupted") ? EXIT.interrupted : EXIT.error;
}

/** Whether code of this job is written by an LLM, now or when its recipe was. */
export async function asksAnLlm(home: Home, job: TrainingJob, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (job.spec.recipeFrom !== undefined) {
    const from = await home.cluster.get(
      "TrainingJob",
      `${job.metadata.namespace ?? "default"}/${job.spec.recipeFrom}`,
    );
    return from ? asksAnLlm(home, from, env) : false;
  }
  const journal = await Journal.load(home.store, `${jobPrefix(job)}/journal`, { now: Date.now }, 0);
  const wrote = journal.entries.some((entry) => entry.type === "ReplyReceived" && entry.model !== "offline");
  const { provider, apiKeySecretRef } = job.spec.llm;
  const willAsk =
    provider === "Gemini" || (provider === undefined && Boolean(apiKeySecretRef ?? env.GEMINI_API_KEY));
  return wrote || (willAsk && job.status?.state !== "READY");
}

async function every<T>(items: readonly T[], test: (item: T) => Promise<boolean>): Promise<boolean> {
  const results = await Promise.all(items.map(test));
  return results.every(Boolean);
}
