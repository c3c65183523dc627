/** What the steps of a job work with, and where each thing of a job lies in the store. */
import { createHash } from "node:crypto";
import type { Journal } from "../agent/journal.ts";
import { originOf, shortOrigin } from "../api/origin.ts";
import { parseQuantity } from "../api/quantity.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { StalledError, WaitingError } from "../engine/errors.ts";
import type { Execution, Executor, Limits, Outcome } from "../sandbox/executor.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";
import type { ImmutableCache } from "../storage/immutable-cache.ts";

export type JobContext = {
  readonly job: TrainingJob;
  readonly journal: Journal;
  readonly store: ArtifactStore;
  readonly executor: Executor;
  /** Text of the two baseline recipes. */
  readonly baselines: { readonly prior: string; readonly boosting: string };
  readonly version: string;
  /** Keys of files that an execution of a job left, as found before; absent: they are looked for each time. */
  readonly kept?: ImmutableCache<true>;
};

/** `namespace/name`: the key of the queue and the owner of executions. */
export function ownerKey(job: { metadata: { namespace?: string | undefined; name: string } }): string {
  return `${job.metadata.namespace ?? "default"}/${job.metadata.name}`;
}

/** Everything of one job lies below this. */
export function jobPrefix(job: TrainingJob): string {
  return `jobs/${ownerKey(job)}-${shortOrigin(job)}`;
}

export const journalPrefix = (job: TrainingJob): string => `${jobPrefix(job)}/journal`;
export const dataKey = (job: TrainingJob, file: string): string => `${jobPrefix(job)}/data/${file}`;
export const reportKey = (job: TrainingJob): string => `${jobPrefix(job)}/report.html`;
export const reportDataKey = (job: TrainingJob): string => `${jobPrefix(job)}/report.json`;

/** Where the execution `label` of a job leaves its files. */
export function executionKey(job: TrainingJob, label: string, file: string): string {
  return `${jobPrefix(job)}/executions/${label}/${file}`;
}

/** Deterministic, unique, and short enough for a pod: `<job>-<hash>-<label>`. */
function executionName(job: TrainingJob, label: string): string {
  const hash = createHash("sha256")
    .update(`${ownerKey(job)}-${originOf(job)}-${label}`)
    .digest("hex");
  return `${job.metadata.name.slice(0, 30).replace(/-+$/, "")}-${hash.slice(0, 8)}-${label.slice(0, 22)}`;
}

/** The parts of an execution that follow from the job and the label. */
export function named(
  context: JobContext,
  label: string,
  limits: Limits,
): { name: string; owner: string; limits: Limits; outcomeKey: string } {
  return {
    name: executionName(context.job, label),
    owner: ownerKey(context.job),
    limits,
    outcomeKey: executionKey(context.job, label, "outcome.json"),
  };
}

/** The outcome of an execution; WaitingError while it is under way. */
export async function execute(context: JobContext, execution: Execution): Promise<Outcome> {
  const outcome = await context.executor.ensure(execution);
  if (!outcome) throw new WaitingError("Executing", `waiting for ${execution.name}`);
  return outcome;
}

/** The result of a trusted execution. What it refuses is the user's to mend, and stalls the job. */
export async function executeTrusted(
  context: JobContext,
  label: string,
  verb: string,
  request: unknown,
  files: { inputs?: Record<string, string>; outputs?: Record<string, string> },
): Promise<unknown> {
  const outcome = await execute(context, {
    kind: "Trusted",
    ...named(context, label, TRUSTED_LIMITS),
    verb,
    request,
    inputs: files.inputs ?? {},
    outputs: files.outputs ?? {},
  });
  if (outcome.refusal) throw new RefusedError(outcome.refusal);
  return outcome.result;
}

/** The runner found fault with the data or with what generated code made of it. */
export class RefusedError extends StalledError {
  readonly refusal: NonNullable<Outcome["refusal"]>;
  constructor(refusal: NonNullable<Outcome["refusal"]>) {
    super(refusal.reason, refusal.message);
    this.refusal = refusal;
  }
}

/** Bounds of our own code: wide, since it is streaming and bounded by itself. */
const TRUSTED_LIMITS: Limits = {
  seconds: 600,
  cpus: 2,
  memoryBytes: 2 * 1024 ** 3,
  diskBytes: 4 * 1024 ** 3,
  processes: 64,
};

/** What generated code of this job is allowed, for at most so many seconds. */
export function sandboxLimits(context: JobContext, seconds: number): Limits {
  const { resources, stepTimeoutSeconds } = context.job.spec.sandbox;
  return {
    seconds: Math.max(1, Math.round(Math.min(stepTimeoutSeconds, seconds))),
    cpus: parseQuantity(resources.cpu),
    memoryBytes: parseQuantity(resources.memory),
    diskBytes: parseQuantity(resources.disk),
    processes: 128,
  };
}

/** A JSON object in the store, checked by its schema. */
export async function readJson<T>(
  store: Pick<ArtifactStore, "get">,
  key: string,
  schema: { parse(value: unknown): T },
): Promise<T> {
  return schema.parse(JSON.parse(new TextDecoder().decode(await store.get(key))));
}

export function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : `${JSON.stringify(value, null, 1)}\n`);
}

export function sha256(body: string | Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}
