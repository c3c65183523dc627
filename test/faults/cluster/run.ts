/** One schedule on a real cluster: jobs, a served model perhaps, and what is hit meanwhile; then whether all that must hold held. */
import { eventually } from "../../cluster/cluster.ts";
import { ENDED } from "../invariants.ts";
import { inventoryOf, jobFaults, leftoverFaults } from "./account.ts";
import type { Plan } from "./plan.ts";
import { type Strike, Strikes } from "./strikes.ts";
import { Traffic } from "./traffic.ts";
import { SERVED, type World } from "./world.ts";

export type ClusterRun = {
  readonly plan: Plan;
  readonly violations: readonly string[];
  readonly strikes: readonly Strike[];
  /** Predictions that were acknowledged. */
  readonly predictions: number;
  readonly seconds: number;
};

/** Until jobs are over that take less than a minute on a machine of their own: longer than any budget. */
const LONGEST_SECONDS = 900;
const GONE_SECONDS = 120;

export async function runOnCluster(world: World, plan: Plan): Promise<ClusterRun> {
  const { cluster, namespace, sight } = world;
  const begun = performance.now();
  const names = plan.jobs.map((kind, index) => `s${plan.seed}-${kind}-${index + 1}`);
  const violations: string[] = [];
  const before = await inventoryOf(world);
  const strikes = new Strikes(world, names, plan.incidents);
  world.strikes = strikes;
  const traffic = plan.isServed ? new Traffic(world, `${SERVED}-${plan.seed}`) : undefined;
  sight.onPod = (pod) => strikes.sawPod(pod);
  world.onAsked = ({ job }) => strikes.asked(job);
  try {
    await traffic?.deploy();
    for (const [index, kind] of plan.jobs.entries()) await world.begin(names[index] ?? "", kind);
    const served = traffic && serve(traffic, strikes);
    await eventually("all jobs to be over", LONGEST_SECONDS, () => areOver(world, names));
    await served;
    await strikes.settled();
  } catch (error) {
    violations.push(`${(error as Error).message}: ${await standing(world, names)}`);
  } finally {
    await strikes.end();
  }
  await world.recover();
  if (traffic) violations.push(...(await traffic.end()));
  for (const [index, kind] of plan.jobs.entries()) {
    const job = await world.job(names[index] ?? "");
    if (!job) violations.push(`${names[index]} is not there`);
    else if (ENDED.has(job.status?.state ?? ""))
      violations.push(...(await jobFaults(world, kind, job, strikes.done)));
  }
  await cluster.kubectl("delete", "secret", "-n", namespace, ...names);
  const owned = ["trainingjobs.autoai.dev", ...names];
  await cluster.kubectl("delete", "-n", namespace, ...owned, "--wait=false");
  if (traffic)
    await cluster.kubectl(
      "delete",
      "-n",
      namespace,
      "modeldeployments.autoai.dev",
      traffic.name,
      "--wait=false",
    );
  violations.push(...(await leftovers(world, before)), ...sight.faults.splice(0));
  // One that was killed while it asked did not finish its question.
  const complaints = world.gemini.complaints.slice(world.complaintsSeen);
  violations.push(...complaints.filter((one) => !/^Error: aborted/.test(one)));
  world.complaintsSeen = world.gemini.complaints.length;
  return {
    plan,
    violations,
    strikes: strikes.done,
    predictions: traffic?.acknowledged.size ?? 0,
    seconds: (performance.now() - begun) / 1000,
  };
}

/** Asks the model once it answers; and tells of that. */
async function serve(traffic: Traffic, strikes: Strikes): Promise<void> {
  await eventually("the model to be served", LONGEST_SECONDS, () => traffic.serves());
  await traffic.begin();
  strikes.serving();
}

async function areOver(world: World, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    const job = await world.job(name).catch(() => undefined);
    if (!ENDED.has(job?.status?.state ?? "")) return false;
  }
  return true;
}

/** How far each job is. */
async function standing(world: World, names: readonly string[]): Promise<string> {
  const jobs = await Promise.all(names.map((name) => world.job(name).catch(() => undefined)));
  return JSON.stringify(jobs.map((job) => ({ name: job?.metadata.name, status: job?.status })));
}

/** What is left once time was given for it to go. */
async function leftovers(world: World, before: Awaited<ReturnType<typeof inventoryOf>>): Promise<string[]> {
  let faults: string[] = [];
  await eventually("nothing to be left", GONE_SECONDS, async () => {
    faults = leftoverFaults(before, await inventoryOf(world));
    return faults.length === 0;
  }).catch(() => undefined);
  return faults;
}
