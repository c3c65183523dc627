/** `make faults ARGS="--cluster 100"`: schedules on this machine's own cluster, which `make cluster` brings up. */
import { withCluster } from "../cluster/cluster.ts";
import { type Plan, planOf } from "./cluster/plan.ts";
import { type ClusterRun, runOnCluster } from "./cluster/run.ts";
import { World } from "./cluster/world.ts";
import { Tally, tell } from "./embedded/table.ts";

/** @returns whether all that must hold held */
export async function goOnCluster(
  first: number,
  count: number,
  print: (lines: readonly string[]) => void,
): Promise<boolean> {
  const clears: (() => Promise<void>)[] = [];
  const cluster = withCluster((clear) => clears.push(clear));
  if (!cluster.own)
    throw new Error(
      "expected this machine's own cluster, found another one: its processes cannot be hit from here. Unset E2E_CONTEXT and KUBECONFIG, and run 'make cluster'",
    );
  const tallies = { victims: new Tally(), phases: new Tally() };
  /** To end, by a signal. */
  let isAsked = false;
  let untried = 0;
  let predictions = 0;
  const begun = performance.now();
  try {
    await using world = await World.start(cluster);
    for (const name of ["SIGINT", "SIGTERM"] as const)
      process.once(name, () => {
        isAsked = true;
        print(["ends after this schedule"]);
      });
    if (Array.from({ length: count }, (_, index) => planOf(first + index)).some(({ isServed }) => isServed))
      await world.trainShared();
    print([`the namespace ${world.namespace} is set up after ${seconds(begun)} s`]);
    for (let seed = first; seed < first + count && !isAsked; seed++) {
      const run = await runOnCluster(world, planOf(seed));
      predictions += run.predictions;
      print(lines(run));
      if (run.strikes.length === 0) untried++;
      else {
        tallies.victims.add(counted(run, ({ victim, signal }) => `${signal} ${victim}`));
        tallies.phases.add(counted(run, ({ victim, phase }) => `${victim}: ${phase}`));
      }
    }
  } finally {
    for (const clear of clears) await clear();
  }
  print(["", ...tallies.phases.lines().slice(0, -2), "", ...tallies.victims.lines()]);
  print([
    `${untried} more in which nothing was hit; ${predictions} predictions acknowledged; ${seconds(begun)} s`,
  ]);
  return tallies.victims.broken.length === 0;
}

const seconds = (begun: number): number => Math.round((performance.now() - begun) / 1000);

/** As the tables take it. */
function counted(
  { plan, violations, strikes, seconds }: ClusterRun,
  name: (incident: Plan["incidents"][number]) => string,
) {
  const struck = new Map<string, number>();
  for (const { incident } of strikes) struck.set(name(incident), (struck.get(name(incident)) ?? 0) + 1);
  return { schedule: { seed: plan.seed, operators: 1, elected: true }, violations, struck, seconds };
}

function lines(run: ClusterRun): string[] {
  const { plan, strikes } = run;
  const hits = strikes.map(
    ({ incident }) =>
      `${incident.signal} ${incident.victim} in ${incident.phase}${incident.signal === "SIGSTOP" ? ` for ${incident.seconds} s` : ""}`,
  );
  const [head = "", ...broken] = tell(counted(run, ({ victim }) => victim));
  const missed = plan.incidents.length - strikes.length;
  return [
    `${head}, ${Math.round(run.seconds)} s, ${plan.jobs.join(" and ")}${plan.isServed ? `, ${run.predictions} predictions` : ""}: ${hits.join("; ") || "nothing was hit, and so nothing tried"}${missed > 0 ? ` (${missed} missed)` : ""}`,
    ...broken,
    ...(broken.length > 0 ? [`  again: make faults ARGS="--cluster 1 --seed ${plan.seed}"`] : []),
  ];
}
