/**
 * Hours of jobs that are made, suspended, gone on with, deleted in the middle, retrained and expired, one each minute, beside a model that is served, rolled and
 * made anew: in virtual time, on the product's reconcilers, controllers and executor.
 */
import { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { collectGarbage } from "../garbage.ts";
import { CALM } from "./schedule.ts";
import { sleep, VirtualTime } from "./virtual-time.ts";
import { NAMESPACE, World } from "./world.ts";

/** Seconds until nothing is under way any more. */
const TO_SETTLE = 3600;
/** Longer than any reconcile asks to be called again in. */
const LATEST_LOOK = 1200;

/** How much there is of everything that a job could leave behind. */
export type Measured = {
  readonly heapBytes: number;
  /** Timers that wait: watches, retries and renewals among them. */
  readonly timers: number;
  readonly queued: number;
  /** Kind and name, of resources, children and pods. */
  readonly objects: readonly string[];
  readonly keys: readonly string[];
};

export type Soaked = {
  readonly jobs: number;
  readonly before: Measured;
  readonly after: Measured;
  readonly violations: readonly string[];
};

/**
 * @param minutes of virtual time, and jobs that are made in it, after as many again (an hour of them at most) that are not measured
 * @param onJob called with each job that is made: for who plants a leak
 */
export async function soak(
  minutes: number,
  onJob: (world: World, name: string) => void = () => undefined,
): Promise<Soaked> {
  using time = new VirtualTime();
  const world = new World(CALM, time, {});
  world.begin();
  const settle = async (): Promise<Measured> => {
    const isSettled = (): boolean => world.isAsItWas && world.isOver;
    if (!(await time.pass(isSettled, TO_SETTLE)))
      world.account.violate(`not settled: ${world.open.join("; ")}`);
    // Until the next renewal, and until keys of what is gone have come up once more in the queue, as those of what had stalled do late.
    await time.pass(() => false, LATEST_LOOK);
    return measure(world, time);
  };
  await settle();
  let made = 0;
  const goOn = async (count: number): Promise<void> => {
    for (const end = made + count; made < end; made++) {
      const name = nameOf(made);
      void live(world, name, made);
      onJob(world, name);
      if (made % 10 === 9) world.serve(made % 20 === 9 ? { model: "first" } : { model: "second" });
      if (made % 30 === 14) world.remake(made % 60 === 14 ? 1 : 30);
      await time.pass(() => false, 60);
    }
  };
  await goOn(Math.min(minutes, 60));
  const before = await settle();
  await goOn(minutes);
  const after = await settle();
  world.end();
  return { jobs: minutes, before, after, violations: world.account.violations };
}

/** One job, from when it is made until it is gone. */
async function live(world: World, name: string, number: number): Promise<void> {
  const { cluster, random } = world;
  const key = `${NAMESPACE}/${name}`;
  const put = (spec: object): void => {
    const resource = {
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name, namespace: NAMESPACE },
    };
    const source =
      number % 2 === 0 ? { datasetRef: { name: "rows" } } : { uri: "https://example.org/rows.csv" };
    cluster.apply(TrainingJob.parse({ ...resource, spec: { dataset: source, target: "churn", ...spec } }));
  };
  const remove = (): void => {
    world.deleted.add(name);
    cluster.delete("TrainingJob", key);
  };
  switch (number % 5) {
    // Deleted in the middle of whatever it does.
    case 0:
      put({});
      await sleep(random.between(0, 60));
      return remove();
    case 1:
      put({});
      await sleep(random.between(1, 30));
      world.suspended.add(name);
      put({ suspend: true });
      await sleep(random.between(1, 60));
      put({});
      await sleep(600);
      return remove();
    case 2:
      put({ recipeFrom: "second" });
      await sleep(600);
      return remove();
    // Of a recipe that is nowhere.
    case 3:
      put({ recipeFrom: "none" });
      await sleep(300);
      return remove();
    default:
      world.deleted.add(name);
      put({ ttlSecondsAfterFinished: 60 });
  }
}

/** Letters alone, as the account of a schedule has names. */
function nameOf(number: number): string {
  return `job${[...String(number)].map((digit) => "abcdefghij"[Number(digit)]).join("")}`;
}

async function measure(world: World, time: VirtualTime): Promise<Measured> {
  // What the world remembers is the world's.
  world.forget();
  for (let round = 0; round < 3; round++) collectGarbage();
  return {
    heapBytes: process.memoryUsage().heapUsed,
    timers: time.timers,
    queued: world.operators.reduce((sum, { queued }) => sum + queued, 0),
    objects: [
      ...world.resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      // Their number; the names of pods are counted on.
      ...world.servers.left.filter((what) => !what.startsWith("pod ")),
      `${world.servers.left.filter((what) => what.startsWith("pod ")).length} servers`,
      ...world.pods.list().map(({ name }) => `pod ${name}`),
    ].sort(),
    // The log grows by what is asked of it, and is kept for 30 days; environments are kept for other jobs.
    keys: (await world.store.list("")).filter((key) => !/^(?:predictions|environments)\//.test(key)),
  };
}
