/** One schedule from its beginning to when nothing is left. */
import { CALM_AFTER, type Schedule, scheduleOf } from "./schedule.ts";
import { VirtualTime } from "./virtual-time.ts";
import { type Broken, World } from "./world.ts";

export type Run = {
  readonly schedule: Schedule;
  /** What was not as it must be; empty where all held. */
  readonly violations: readonly string[];
  /** How often each fault struck. */
  readonly struck: ReadonlyMap<string, number>;
  /** Failures of reconciles, as they were retried. */
  readonly failures: readonly string[];
  /** Of virtual time. */
  readonly seconds: number;
  /** Everything that was written, in order: the same for the same seed. */
  readonly story: readonly string[];
};

/** Seconds that jobs may take after the last fault, and until all is gone once it is deleted. */
const TO_END = 7200;
const TO_GO = 1800;

/** @param broken what is taken from the operator, to see that its want is noticed */
export async function runSchedule(given: number | Schedule, broken: Broken = {}): Promise<Run> {
  const schedule = typeof given === "number" ? scheduleOf(given) : given;
  using time = new VirtualTime();
  const world = new World(schedule, time, broken);
  const { account } = world;
  world.begin();
  const isOver = await time.pass(() => time.seconds > CALM_AFTER && world.isOver, CALM_AFTER + TO_END);
  if (isOver) await account.check();
  else account.violate(`not over after ${time.seconds} s: ${world.open.join("; ")}`);
  world.deleteAll();
  // A node that was cut off may still write; what it writes is its own.
  const isGone = (): boolean =>
    world.resources.length === 0 && world.pods.list().length === 0 && world.servers.left.length === 0;
  await time.pass(isGone, TO_GO);
  await account.checkLeftovers();
  world.end();
  return {
    schedule,
    violations: account.violations,
    struck: world.weather.struck,
    failures: account.failures,
    seconds: time.seconds,
    story: account.story,
  };
}
