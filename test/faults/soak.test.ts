/**
 * Jobs are made, suspended, gone on with and deleted, many times over: memory, handles, watches, objects and queue come back to where they were.
 * AUTOAI_SOAK_JOBS says how many jobs; `make soak` runs 240, one for each minute of four hours.
 */
import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import type { Json } from "../fakes/kubernetes-api.ts";
import { findMinio, type Minio, startMinio } from "../minio.ts";
import { collectGarbage } from "./garbage.ts";
import { type Operator, World } from "./operators.ts";

const program = findMinio();
const JOBS = "/apis/autoai.dev/v1alpha1/trainingjobs";
const NS = "team";
const TOTAL = Number(process.env.AUTOAI_SOAK_JOBS ?? 8);
/** Jobs of one round, one for each way to end. */
const ROUND = 4;
const PATIENT = { timeout: 120_000, interval: 25 };
/** What a heap may have more after all rounds: what is made once in a process and kept, and the noise of a measurement; and for each job. */
const HEAP_MIB = 8;
const JOB_MIB = 1 / 32;
/** Sockets, timers and files that may be open more, whatever the number of jobs: keep-alive is not the same from one moment to the next. */
const HANDLES = 4;

describe.runIf(program !== undefined)("after many jobs", () => {
  let minio: Minio;
  beforeAll(async () => {
    minio = await startMinio(String(program));
  });
  afterAll(() => minio?.close());

  it("everything is back to where it was", { timeout: 60_000 + TOTAL * 30_000 }, async () => {
    await using world = await World.start(minio, "soak", () => crypto.randomUUID());
    const operator = await world.operator({ elected: false, env: { AUTOAI_ARTIFACTS: "Delete" } });
    const store = new S3Store({ ...minio.options, bucket: "soak" });
    await round(world, 0);
    const before = await measured(world, operator, store);
    for (let number = 1; number <= Math.ceil(TOTAL / ROUND); number++) {
      await round(world, number);
      // Now and then the API server restarts, and forgets.
      if (number % 5 === 0) world.api.endWatches();
    }
    await vi.waitFor(async () => {
      const { heapMib, handles, ...after } = await measured(world, operator, store);
      const { heapMib: heapBefore, handles: handlesBefore, ...expected } = before;
      expect(after).toEqual(expected);
      for (const [kind, open] of Object.entries(handles))
        expect(open - (handlesBefore[kind] ?? 0), kind).toBeLessThanOrEqual(HANDLES);
      expect(heapMib - heapBefore).toBeLessThan(HEAP_MIB + TOTAL * JOB_MIB);
    }, PATIENT);
    expect(world.failures).toEqual([]);
  });
});

async function round({ api }: World, number: number): Promise<void> {
  const make = (what: string, key = "rows.csv"): string => {
    const name = `${what}-${number}`;
    api.put(
      JOBS,
      TrainingJob.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name, namespace: NS },
        spec: { dataset: { configMapKeyRef: { name: "rows", key } }, target: "churn" },
      }),
    );
    return name;
  };
  const until = (name: string, holds: (job: Json) => boolean) =>
    vi.waitFor(() => {
      const job = api.get(JOBS, NS, name);
      if (!holds(job)) throw new Error(`${name} is not there yet: ${JSON.stringify(job?.status)}`);
      return job;
    }, PATIENT);
  const suspend = (name: string, suspended: boolean): void => {
    const job = api.get(JOBS, NS, name);
    api.put(JOBS, { ...job, spec: { ...job.spec, suspend: suspended } });
  };
  const isReady = ({ status }: Json): boolean => status?.state === "READY";
  const hasReason =
    (reason: string) =>
    ({ status }: Json): boolean =>
      status?.conditions?.some((one: Json) => one.type === "Ready" && one.reason === reason);
  const [whole, paused, dropped, lost] = [
    make("whole"),
    make("paused"),
    make("dropped"),
    make("lost", "none"),
  ] as [string, string, string, string];
  await until(paused, ({ status }) => (status?.progress?.step ?? 0) > 0);
  suspend(paused, true);
  await until(paused, (job) => hasReason("Suspended")(job) || isReady(job));
  suspend(paused, false);
  // In the middle of whatever it does.
  await until(dropped, ({ status }) => status !== undefined);
  api.delete(JOBS, NS, dropped);
  await until(lost, hasReason("ConfigMapNotFound"));
  await Promise.all([until(whole, isReady), until(paused, isReady)]);
  for (const name of [whole, paused, lost]) api.delete(JOBS, NS, name);
  await vi.waitFor(() => expect(api.list(JOBS)).toEqual([]), PATIENT);
}

/** How many of each kind of handle keep this process alive, and how many files it has open. */
function openHandles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  // Where the system tells them.
  if (existsSync("/proc/self/fd")) counts.files = readdirSync("/proc/self/fd").length;
  return counts;
}

/** What there is of everything that a job could leave behind. */
async function measured(world: World, operator: Operator, store: S3Store) {
  const { api, gemini } = world;
  // What the fakes remember is theirs.
  api.compact();
  api.writes.length = 0;
  (gemini.requests as unknown[]).length = 0;
  collectGarbage();
  const keys = await store.list("");
  return {
    heapMib: process.memoryUsage().heapUsed / 1024 ** 2,
    handles: openHandles(),
    queued: operator.queued(),
    watches: api.watches,
    jobs: api.list(JOBS).length,
    pods: api.list("/api/v1/pods").length,
    // Environments are kept, since other jobs use them.
    artifacts: keys.filter((key) => !key.startsWith("environments/")),
  };
}
