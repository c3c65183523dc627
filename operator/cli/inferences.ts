import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type LogEntry, readLog } from "../../inference-server/log/segments.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { type Home, homePath, openHome } from "../embedded/home.ts";
import { EXIT, UsageError } from "./exit.ts";
import { inferenceText } from "./inference-text.ts";
import { jobNamed } from "./jobs.ts";
import { OperatorService } from "./operator-service.ts";
import { linesOf, type Segment, segmentsOfPart } from "./segment-frames.ts";

export type InferencesOptions = {
  since: string;
  until?: string;
  limit?: string;
  json?: boolean;
  home?: string;
  /** Of a ModelDeployment in the cluster; absent: a job of the home. */
  namespace?: string;
  operatorNamespace: string;
  operatorService: string;
  serviceAccount?: string;
};

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Failures in a row before it is given up: an operator that is replaced is away for a few seconds. */
const PATIENCE = 5;
const RETRY_SECONDS = 2;

/** `autoai inferences`: the prediction log of a job that is or was served, or of a ModelDeployment. */
export async function inferences(
  name: string,
  options: InferencesOptions,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const now = Date.now();
  const since = momentOf("--since", options.since, now);
  const until =
    options.until === undefined ? Number.POSITIVE_INFINITY : momentOf("--until", options.until, now);
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit);
  if (options.limit !== undefined && !/^[1-9]\d{0,14}$/.test(options.limit)) {
    throw new UsageError(`--limit ${options.limit}: expected a number of entries, such as 100`);
  }
  const { namespace } = options;
  const problems: string[] = [];
  const lines =
    namespace === undefined
      ? linesOfHome(name, options, since, env)
      : linesOfDeployment(name, { ...options, namespace }, since, problems);
  let left = limit;
  for await (const line of lines) {
    const entry = entryOf(line);
    if (!entry) continue;
    const time = Date.parse(entry.time);
    if (!(time >= since && time <= until)) continue;
    // At the pace of who reads it.
    if (!process.stdout.write(`${options.json ? line : inferenceText(entry)}\n`))
      await once(process.stdout, "drain");
    if (--left === 0) break;
  }
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  return problems.length === 0 ? EXIT.ready : EXIT.error;
}

async function* linesOfHome(
  name: string,
  options: InferencesOptions,
  since: number,
  env: NodeJS.ProcessEnv,
): AsyncGenerator<string> {
  const home = openHome(homePath(options.home, env));
  yield* readLog(predictionLogFolder(home, await jobNamed(home, name)), since);
}

/** @param problems what could not be read, and was passed over */
async function* linesOfDeployment(
  name: string,
  options: InferencesOptions & { namespace: string },
  since: number,
  problems: string[],
): AsyncGenerator<string> {
  const operator = OperatorService.of(name, options, "modeldeployments");
  for await (const segment of segmentsSince(operator, `/predictions/${options.namespace}/${name}`, since)) {
    try {
      yield* linesOf(segment);
    } catch (error) {
      problems.push(`the segment ${segment.name} cannot be read: ${(error as Error).message}`);
    }
  }
}

/** Part by part, each from where the one before ended, also where that was cut short. */
async function* segmentsSince(
  operator: OperatorService,
  path: string,
  since: number,
): AsyncGenerator<Segment> {
  let after: string | undefined;
  for (let failures = 0; ; ) {
    try {
      const part = segmentsOfPart(operator.stream(path, { since: Math.max(0, since), after }));
      for (;;) {
        const { done, value } = await part.next();
        if (done && !value) return;
        if (done) break;
        after = value.name;
        failures = 0;
        yield value;
      }
    } catch (error) {
      if (!operator.isPassing(error) || ++failures > PATIENCE) throw operator.explained(error);
      await sleep(RETRY_SECONDS * 1000);
    }
  }
}

function entryOf(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    // Cut short by a crash: acknowledged by nobody.
    return undefined;
  }
}

/** Where the predictions of a job are logged. */
export function predictionLogFolder(home: Home, { metadata }: TrainingJob): string {
  return join(home.path, "predictions", metadata.namespace ?? "default", metadata.name);
}

/** Milliseconds since 1970 of `30m` before now, or of an ISO date. */
export function momentOf(option: string, text: string, now: number): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * UNITS[unit as keyof typeof UNITS];
  const moment = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(moment)) {
    throw new UsageError(
      `${option} ${text}: expected a time such as 30m, 1h or 7d, or a moment such as 2026-01-31T12:00:00Z`,
    );
  }
  return moment;
}
