/**
 * One schedule over real HTTP: the operator of the product with its clients, a MinIO, an API server in memory and a scripted Gemini, with a
 * proxy on each line. Time is real, and so a seed makes the same faults, in about the same places.
 */
import { isDeepStrictEqual } from "node:util";
import { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { PODS } from "../../fakes/instant-nodes.ts";
import { kstatusFaults } from "../../kstatus.ts";
import type { Minio } from "../../minio.ts";
import { Weather } from "../embedded/line.ts";
import { Random } from "../embedded/random.ts";
import { type Episode, type Incident, type Schedule, scheduleOf } from "../embedded/schedule.ts";
import { isPods, JOBS, type Operator, type Story, World } from "../operators.ts";
import { FaultProxy } from "./proxy.ts";

/** A job takes seconds here and minutes there. */
const FASTER = 40;
const LONGEST_SECONDS = 240;

export type WireRun = {
  readonly schedule: Schedule;
  readonly violations: readonly string[];
  readonly struck: ReadonlyMap<string, number>;
  readonly seconds: number;
};

/** Nothing goes wrong. */
export const CALM: Schedule = {
  seed: 0,
  operators: 1,
  elected: true,
  maxSeconds: 3600,
  episodes: [],
  incidents: [],
};

/** The schedule of that seed, as far as it can happen here. */
export function wireSchedule(seed: number): Schedule {
  const schedule = scheduleOf(seed);
  const lines = new Set(["API", "watch", "store", "LLM"]);
  const episodes = schedule.episodes
    .filter(({ seam }) => lines.has(seam))
    .map((one): Episode => ({ ...one, from: one.from / FASTER, until: one.until / FASTER }));
  const incidents = schedule.incidents
    .filter(({ type }) => type === "operator killed" || type === "lease stolen")
    .map((one): Incident => ({ ...one, at: one.at / FASTER }));
  return { ...schedule, operators: 1, elected: true, episodes, incidents };
}

export async function runOverHttp(
  minio: Minio,
  bucket: string,
  schedule: Schedule,
  undisturbed?: Story,
): Promise<WireRun & { readonly story: Story | undefined }> {
  const begun = performance.now();
  const seconds = (): number => (performance.now() - begun) / 1000;
  const weather = new Weather(schedule, new Random(schedule.seed), seconds);
  const violations: string[] = [];
  await using world = await World.start(minio, bucket, undefined, undefined, (target, seam) =>
    FaultProxy.to(target, {
      seam,
      weather,
      spares: ({ headers, url }) => isPods(headers["user-agent"], url),
    }),
  );
  watchStatuses(world, violations);
  let kills = 0;
  let leader = await started(world);
  const timers = schedule.incidents.map((incident) =>
    setTimeout(async () => {
      weather.count(incident.type);
      kills++;
      if (incident.type === "lease stolen") world.steal("thief");
      leader.kill();
      world.expire();
      leader = await started(world);
    }, incident.at * 1000),
  );
  const story = await within(LONGEST_SECONDS, world.train());
  if (!story) violations.push(`not over after ${LONGEST_SECONDS} s`);
  else check(story, undisturbed, weather, kills, violations);
  for (const timer of timers) clearTimeout(timer);
  if (story) await checkLeftovers(world, violations);
  return { schedule, violations, struck: weather.struck, seconds: seconds(), story };
}

/** An operator, once it could read the cluster. */
function started(world: World): Promise<Operator> {
  return world.operator({ env: { AUTOAI_ARTIFACTS: "Delete" } });
}

function watchStatuses(world: World, violations: string[]): void {
  let before: TrainingJob | undefined;
  world.api.onChange(({ collection, object }) => {
    if (collection !== JOBS) return;
    const job = TrainingJob.parse({ ...object, apiVersion: "autoai.dev/v1alpha1", kind: "TrainingJob" });
    if (isDeepStrictEqual(before?.status, job.status)) return;
    violations.push(...kstatusFaults(job, before));
    if (before?.status?.state === "READY" && job.status?.state !== "READY")
      violations.push(`went from READY to ${job.status?.state}`);
    before = job;
  });
}

function check(
  story: Story,
  undisturbed: Story | undefined,
  weather: Weather,
  kills: number,
  violations: string[],
): void {
  if (story.state !== "READY") violations.push(`ended as ${story.state}`);
  if (!undisturbed) return;
  if (!isDeepStrictEqual(story.entries, undisturbed.entries))
    violations.push("the journal is not that of an undisturbed run");
  if (!isDeepStrictEqual(new Set(story.pods), new Set(undisturbed.pods)))
    violations.push(`made the pods ${story.pods.join()}, not ${undisturbed.pods.join()}`);
  const lost = ["drop", "delay", "cut", "late"].reduce(
    (sum, fault) => sum + (weather.struck.get(`${fault} at the LLM`) ?? 0),
    0,
  );
  if (story.replies > undisturbed.replies + lost + kills)
    violations.push(`${story.replies} replies were paid for, and ${undisturbed.replies} are enough`);
}

async function checkLeftovers(world: World, violations: string[]): Promise<void> {
  if (
    !(await within(
      LONGEST_SECONDS,
      world.delete().then(() => true),
    ))
  ) {
    violations.push("the deleted job is not gone");
    return;
  }
  const isGone = async (): Promise<boolean> => {
    for (let look = 0; look < 100; look++) {
      if (world.api.list(PODS).length === 0) return true;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  };
  if (!(await isGone()))
    violations.push(`pods are left: ${world.api.list(PODS).map(({ metadata }) => metadata.name)}`);
  const { store } = world;
  for (const prefix of ["jobs/", "models/"])
    for (const key of await store.list(prefix)) violations.push(`${key} is left`);
}

async function within<T>(seconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), seconds * 1000);
  });
  const first = await Promise.race([work, late]);
  clearTimeout(timer);
  return first;
}
