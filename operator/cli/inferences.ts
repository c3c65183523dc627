import { once } from "node:events";
import { join } from "node:path";
import { readLog } from "../../inference-server/log/segments.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { type Home, homePath, openHome } from "../embedded/home.ts";
import { EXIT, UsageError } from "./exit.ts";
import { jobNamed } from "./jobs.ts";

export type InferencesOptions = { since: string; home?: string };

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `autoai inferences`: the prediction log of a job that is or was served. */
export async function inferences(
  name: string,
  options: InferencesOptions,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const home = openHome(homePath(options.home, env));
  const job = await jobNamed(home, name);
  const since = momentOf(options.since, Date.now());
  for await (const line of readLog(predictionLogFolder(home, job), since)) {
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
  }
  return EXIT.ready;
}

/** Where the predictions of a job are logged. */
export function predictionLogFolder(home: Home, { metadata }: TrainingJob): string {
  return join(home.path, "predictions", metadata.namespace ?? "default", metadata.name);
}

/** Milliseconds since 1970 of `30m` before now, or of an ISO date. */
export function momentOf(text: string, now: number): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * UNITS[unit as keyof typeof UNITS];
  const moment = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(moment)) {
    throw new UsageError(
      `--since ${text}: expected a time such as 30m, 1h or 7d, or a moment such as 2026-01-31T12:00:00Z`,
    );
  }
  return moment;
}
