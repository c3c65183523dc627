/** What must hold of a schedule on a real cluster once its jobs are over, and once they are gone. */
import { candidates, find, Journal } from "../../../operator/agent/journal.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { jobPrefix, journalPrefix, reportKey } from "../../../operator/evaluation/context.ts";
import { journalFaults } from "../invariants.ts";
import type { Ending } from "./operators.ts";
import type { Victim } from "./plan.ts";
import type { SeenPod } from "./sight.ts";
import type { Strike } from "./strikes.ts";
import type { Asked, JobKind, World } from "./world.ts";

/** Whose absence has an attempt at a step fail, whichever step it is: its courier gives up in the end. */
const COMMON: ReadonlySet<Victim> = new Set(["MinIO", "API server", "kubelet"]);
/** Until all is as before, once a victim was started again. */
const BACK_MS = 30_000;
/** Seconds beyond its budget that a job may work: what was in flight when it ended, with what was hit meanwhile, and its end. */
const BEYOND = 120;
/** Every kind of which the operator makes objects in a namespace, or might. */
const INVENTORY = [
  ...["pods", "secrets", "configmaps", "services", "serviceaccounts", "persistentvolumeclaims"],
  ...["deployments", "replicasets", "poddisruptionbudgets", "horizontalpodautoscalers", "networkpolicies"],
  ...["trainingjobs.autoai.dev", "datasets.autoai.dev", "modeldeployments.autoai.dev"],
].join();

export type Inventory = { readonly objects: readonly string[]; readonly keys: readonly string[] };

/** The fences of tool pods, which are the namespace's. */
const OF_NAMESPACE = /^networkpolicy.*\/autoai-(execution|install)$/;

/** All that there is in the namespace and in the store, but for what is made once: fences, and environments, which the next job uses. */
export async function inventoryOf({ cluster, namespace, store }: World): Promise<Inventory> {
  const names = await cluster.kubectl("get", INVENTORY, "-n", namespace, "-o", "name");
  const keys = await store.list("");
  return {
    objects: names.split("\n").filter((name) => name !== "" && !OF_NAMESPACE.test(name)),
    keys: keys.filter((key) => !key.startsWith("environments/")),
  };
}

export function leftoverFaults(before: Inventory, after: Inventory): string[] {
  const more = (was: readonly string[], is: readonly string[]): string[] => {
    const known = new Set(was);
    return is.filter((one) => !known.has(one));
  };
  return [...more(before.objects, after.objects), ...more(before.keys, after.keys)].map(
    (what) => `${what} is left`,
  );
}

/** @param job as it is once it is over */
export async function jobFaults(
  world: World,
  kind: JobKind,
  job: TrainingJob,
  strikes: readonly Strike[],
): Promise<string[]> {
  const { store } = world;
  const { name } = job.metadata;
  const { entries } = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0);
  const faults = journalFaults(job, entries);
  const must = (isSo: boolean, what: string): void => {
    if (!isSo) faults.push(`${name}: ${what}`);
  };
  const end = find(entries, "JobFinished");
  const ended = `${end?.state} ${end?.reason ?? ""}`.trim();
  if (kind === "brief") must(ended === "ERROR SecondsExhausted", `ended as ${ended}: ${end?.message}`);
  else must(end?.state === "READY", `ended as ${ended}: ${end?.message}`);
  must((end?.elapsedSeconds ?? 0) <= job.spec.budget.maxSeconds + BEYOND, `worked ${end?.elapsedSeconds} s`);
  if (end?.state === "READY") {
    const own = candidates(entries).filter(({ name }) => name === "linear-model").length;
    must(own === (kind === "model" ? 1 : 0), `has ${own} candidates of its agent's`);
    must(await store.exists(`${find(entries, "ModelPublished")?.prefix}/model.json`), "has no model");
    must(await store.exists(reportKey(job)), "has no report");
  }
  const { asked, operators, sight } = world;
  const pods = [...sight.pods.values()].filter((pod) => pod.job === name);
  const failures: Failure[] = [];
  for (const key of await store.list(`${jobPrefix(job)}/executions/`)) {
    const label = FAILURE.exec(key)?.[1];
    if (label === undefined) continue;
    const said = new TextDecoder().decode(await store.get(key));
    failures.push({ label, at: (JSON.parse(said) as { readonly at: number }).at, said });
  }
  return [
    ...faults,
    ...paidFaults(
      asked.filter((one) => one.job === name),
      operators.endings,
    ),
    ...attemptFaults(pods, failures, strikes),
  ];
}

/** An attempt at a step that failed, as it is written down beside the step's outcome. */
export type Failure = { readonly label: string; readonly at: number; readonly said: string };
const FAILURE = /\/executions\/([^/]+)\/outcome\.json\.failures\//;

/** Each reply of a job was asked for once, and again only where an operator ended or stood still while it was in flight. */
export function paidFaults(asked: readonly Asked[], endings: readonly Pick<Ending, "at">[]): string[] {
  return [...Map.groupBy(asked, ({ step }) => step)].flatMap(([step, times]) =>
    times.slice(1).flatMap(({ job, at }, index) => {
      const before = times[index]?.at ?? 0;
      const isExcused = endings.some((ending) => ending.at >= before && ending.at <= at);
      return isExcused ? [] : [`${job}: paid again for reply ${step}, with its operator well`];
    }),
  );
}

/** Each step of a job had one pod and no failure, but for a pod that was hit, or that lost the store or its node for a while. */
export function attemptFaults(
  pods: readonly SeenPod[],
  failures: readonly Failure[],
  strikes: readonly Strike[],
): string[] {
  const hit = (from: number, until: number, is: (strike: Strike) => boolean): boolean =>
    strikes.some(
      (strike) =>
        strike.at < until &&
        (is(strike) || (COMMON.has(strike.incident.victim) && strike.until + BACK_MS > from)),
    );
  const faults: string[] = [];
  for (const [step, attempts] of Map.groupBy(pods, ({ execution }) => execution ?? ""))
    attempts.slice(1).forEach((pod, index) => {
      const before = attempts[index] as SeenPod;
      if (!hit(before.at, pod.at, (strike) => strike.pod === before.uid))
        faults.push(`${step} had the pod ${pod.name} after ${before.name}, which nothing had hit`);
    });
  for (const { label, at, said } of failures) {
    // As names of pods have it.
    const ofStep = pods.filter(({ execution }) => execution?.endsWith(`-${label.slice(0, 22)}`));
    if (!hit(at, at, (strike) => ofStep.some(({ uid }) => uid === strike.pod)))
      faults.push(`${label} failed, and nothing explains that: ${said}`);
  }
  return faults;
}
