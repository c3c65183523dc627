/** What a status has to be, so that kstatus and people can read it. */
import { Dataset } from "../operator/api/dataset.ts";
import { ModelDeployment } from "../operator/api/modeldeployment.ts";
import { TrainingJob } from "../operator/api/trainingjob.ts";
import type { Resource } from "../operator/cluster/cluster.ts";
import type { StatusWritten } from "../operator/cluster/memory.ts";

const SCHEMAS = { Dataset, TrainingJob, ModelDeployment };
/** Kubernetes' rule for reasons; the schema of our own is wider. */
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
/** Ready, Reconciling and Stalled: in progress, stalled, current. */
const READINGS: ReadonlySet<string> = new Set(["Unknown True False", "False False True", "True False False"]);

/** What is wrong with the status of a resource, seen after an earlier one of it; empty where nothing is. */
export function kstatusFaults(resource: Resource, before?: Resource): string[] {
  const { status, metadata, kind } = resource;
  if (!status) return [];
  const faults: string[] = [];
  const parsed = SCHEMAS[kind].safeParse(resource);
  if (!parsed.success) faults.push(`is not of the schema: ${parsed.error.message}`);
  if (status.observedGeneration !== metadata.generation)
    faults.push(`observes generation ${status.observedGeneration} of ${metadata.generation}`);
  const conditions = status.conditions ?? [];
  const reading = ["Ready", "Reconciling", "Stalled"]
    .map((name) => conditions.find(({ type }) => type === name)?.status ?? "-")
    .join(" ");
  if (!READINGS.has(reading)) faults.push(`Ready, Reconciling, Stalled are ${reading}`);
  for (const condition of conditions) {
    if (!REASON.test(condition.reason)) faults.push(`${condition.type} has the reason ${condition.reason}`);
    if (condition.observedGeneration !== metadata.generation)
      faults.push(`${condition.type} observes generation ${condition.observedGeneration}`);
    const earlier = before?.status?.conditions?.find(({ type }) => type === condition.type);
    const isSame = earlier?.status === condition.status;
    if (isSame && earlier?.lastTransitionTime !== condition.lastTransitionTime)
      faults.push(`${condition.type} moved its lastTransitionTime without a transition`);
  }
  if ("state" in status && status.state === "READY" && reading !== "True False False")
    faults.push(`READY with ${reading}`);
  if ("state" in status && status.state === "ERROR" && reading !== "False False True")
    faults.push(`ERROR with ${reading}`);
  return faults;
}

/** The same of a status that was written, with the name of what it is of. */
export function statusFaults({ before, after }: StatusWritten): string[] {
  const { kind, metadata } = after;
  return kstatusFaults(after, before).map(
    (fault) => `${kind} ${metadata.namespace}/${metadata.name}: ${fault}`,
  );
}
