/**
 * Processes of the cluster are killed and stopped while jobs run: one schedule of those that `make faults ARGS="--cluster 100"` draws from seeds
 * (docs/faults.md). The node is as it was when it ends.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Incident, Plan } from "../faults/cluster/plan.ts";
import { runOnCluster } from "../faults/cluster/run.ts";
import { World } from "../faults/cluster/world.ts";
import { withCluster } from "./cluster.ts";

const cluster = withCluster();

const killed = { signal: "SIGKILL", job: 0, delay: 0.1, seconds: 0.5 } as const;
const INCIDENTS: readonly Incident[] = [
  { ...killed, victim: "kubelet", phase: "intake" },
  { ...killed, victim: "MinIO", phase: "baselines" },
  { ...killed, victim: "operator", phase: "LLM call" },
  { ...killed, victim: "tool pod", phase: "tool execution" },
  { ...killed, victim: "courier", phase: "verification" },
  { ...killed, victim: "API server", phase: "publishing" },
];
const PLAN: Plan = { seed: 0, jobs: ["model", "brief"], isServed: false, incidents: INCIDENTS };

/** Processes of other machines cannot be hit from here. */
describe.runIf(cluster.own)("with processes that are killed in each phase of a job", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start(cluster);
  });
  afterAll(async () => {
    // Whatever came of it, others use this node after it.
    await world?.strikes?.end();
    await world?.recover();
    await world?.[Symbol.asyncDispose]();
  });

  test("both jobs end as they must, every step once, and nothing is left", { timeout: 600_000 }, async () => {
    const run = await runOnCluster(world, PLAN);
    expect(run.violations).toEqual([]);
    expect(run.strikes.map(({ incident }) => incident.victim).sort()).toEqual(
      INCIDENTS.map(({ victim }) => victim).sort(),
    );
  });
});
