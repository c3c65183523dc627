/** What must hold of a schedule on a real cluster once its jobs are over, and once they are gone. */
import { candidates, find, Journal } from "../../../operator/agent/journal.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { executionKey, journalPrefix, reportKey } from "../../../operator/evaluation/context.ts";
import { journalFaults } from "../invariants.ts";
import type { Victim } from "./plan.ts";
import type { SeenPod } from "./sight.ts";
import type { Strike } from "./strikes.ts";
import type { JobKind, World } from "./world.ts";

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

/** @param job as it is once it is over, undefined where there is none */
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
  faults.push(...paidFaults(world, name), ...(await attemptFaults(world, job, strikes)));
  return faults;
}

/** Each reply was asked for once, and again only where an operator ended or stood still while it was in flight. */
function paidFaults({ asked, operators }: World, job: string): string[] {
  const byStep = Map.groupBy(
    asked.filter((one) => one.job === job),
    ({ step }) => step,
  );
  return [...byStep].flatMap(([step, times]) =>
    times.slice(1).flatMap(({ at }, index) => {
      const before = times[index]?.at ?? 0;
      const isExcused = operators.endings.some((ending) => ending.at >= before && ending.at <= at);
      return isExcused ? [] : [`${job}: paid again for reply ${step}, with its operator well`];
    }),
  );
}

/** Each step had one pod, but for one that was hit, or that lost the store or its node for a while. */
async function attemptFaults(
  { sight, store }: World,
  job: TrainingJob,
  strikes: readonly Strike[],
): Promise<string[]> {
  const faults: string[] = [];
  const pods = [...sight.pods.values()].filter((pod) => pod.job === job.metadata.name);
  for (const [step, attempts] of Map.groupBy(pods, ({ execution }) => execution ?? "")) {
    attempts.slice(1).forEach((pod, index) => {
      const before = attempts[index] as SeenPod;
      const isExcused = strikes.some(
        (strike) =>
          strike.pod === before.uid ||
          (COMMON.has(strike.incident.victim) && strike.at < pod.at && strike.until + BACK_MS > before.at),
      );
      if (!isExcused)
        faults.push(`${step} had the pod ${pod.name} after ${before.name}, which nothing had hit`);
    });
  }
  // What failed is written down beside the outcome, whether another pod was made or not.
  const failed = (await store.list(executionKey(job, "", "").replace(/\/+$/, "/"))).filter((key) =>
    key.includes(".failures/"),
  );
  for (const key of failed) {
    const text = new TextDecoder().decode(await store.get(key));
    const at = (JSON.parse(text) as { at: number }).at;
    const isExcused = strikes.some(
      (strike) => strike.at < at && (strike.pod !== undefined || COMMON.has(strike.incident.victim)),
    );
    if (!isExcused) faults.push(`${key} tells of a failure that nothing explains: ${text}`);
  }
  return faults;
}
