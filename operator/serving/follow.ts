/** Which model a ModelDeployment is to serve: pure. */

import { compareScores } from "../api/metrics.ts";
import type { ModelManifest } from "../api/model-manifest.ts";

/** A READY job's model, as far as it is compared. */
export type Contender = {
  readonly trainingJob: string;
  /** When its job was READY: RFC 3339. */
  readonly completed: string;
  readonly digest: string;
  readonly manifest: Pick<ModelManifest, "task" | "target" | "metric" | "scores">;
};

export type Choice<C extends Contender> = {
  readonly chosen: C;
  /** Retrained models that are not taken, newest last: the job, and why. */
  readonly passedOver: readonly { readonly trainingJob: string; readonly why: string }[];
};

/**
 * Goes from the first model to each one that was retrained from it, in the order in which they were published, wherever the
 * verified score is not worse than that of the model before. The same contenders give the same choice, whoever asks when.
 */
export function follow<C extends Contender>(first: C, retrained: readonly C[]): Choice<C> {
  const inOrder = [...retrained].sort(
    (one, other) =>
      Date.parse(one.completed) - Date.parse(other.completed) ||
      (one.trainingJob < other.trainingJob ? -1 : 1),
  );
  let chosen = first;
  let passedOver: { trainingJob: string; why: string }[] = [];
  for (const one of inOrder) {
    const why = objection(one, chosen);
    if (why === undefined) {
      chosen = one;
      passedOver = [];
    } else passedOver.push({ trainingJob: one.trainingJob, why });
  }
  return { chosen, passedOver };
}

function objection({ manifest }: Contender, before: Contender): string | undefined {
  const known = before.manifest;
  for (const what of ["task", "target", "metric"] as const) {
    if (manifest[what] !== known[what])
      return `its ${what} is ${manifest[what]}, and that of ${before.trainingJob} is ${known[what]}`;
  }
  const [score, bar] = [manifest.scores.verified, known.scores.verified];
  if (compareScores(manifest.metric, score, bar) >= 0) return undefined;
  return `its verified ${manifest.metric} of ${shown(score)} is worse than the ${shown(bar)} of ${before.trainingJob}`;
}

const shown = (score: number): string => String(Number(score.toPrecision(6)));

/** Names of the jobs that were retrained from this one, or from one that was, whether they are ready or not. */
export function retrainedFrom(
  first: string,
  jobs: readonly { readonly name: string; readonly recipeFrom?: string | undefined }[],
): string[] {
  const family = new Set([first]);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const { name, recipeFrom } of jobs) {
      if (recipeFrom !== undefined && family.has(recipeFrom)) family.add(name);
    }
  }
  family.delete(first);
  return [...family];
}
