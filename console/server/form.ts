/** The form for a new training, and the manifest that it stands for. The manifest is what is applied, and what goes into git. */
import { z } from "zod";
import { API_VERSION } from "../../operator/api/meta.ts";
import { Metric, Task } from "../../operator/api/metrics.ts";
import { createManifestValidator, type Resource } from "../../operator/api/validate.ts";
import { toYaml } from "../../operator/api/yaml.ts";
import { ConsoleError } from "./errors.ts";

/** Bounds only; what is right is for the rules of the API to say, in the same words as everywhere. */
const short = z.string().max(300);
const number = z.number().min(-1e12).max(1e12);

export const JobForm = z.strictObject({
  namespace: short,
  name: short,
  dataset: short,
  target: short,
  task: z.enum(["Auto", ...Task.options]),
  metric: Metric.optional(),
  goal: z.string().max(5000).optional(),
  method: z.enum(["Auto", "Holdout", "CrossValidation"]),
  folds: number.optional(),
  finalPercent: number.optional(),
  split: z.enum(["Random", "Time", "Group"]),
  column: short.optional(),
  acceptance: short.optional(),
  publish: z.enum(["AsScored", "Refit"]),
  maxSteps: number,
  maxSeconds: number,
  maxTokens: number,
  provider: z.enum(["Offline", "Gemini"]),
});
export type JobForm = z.infer<typeof JobForm>;

export type FormProblem = { readonly field: string; readonly message: string };

export type Drafted = {
  readonly yaml: string;
  readonly problems: readonly FormProblem[];
  /** Defaults filled in; absent where there are problems. */
  readonly resource?: Resource;
};

const validate = createManifestValidator();

/** The resource of a draft. Throws Invalid, with all `problems`, where there are any. */
export function resourceOf<K extends Resource["kind"]>(
  kind: K,
  { resource, problems }: Drafted,
): Extract<Resource, { kind: K }> {
  if (resource?.kind === kind) return resource as Extract<Resource, { kind: K }>;
  throw new ConsoleError("Invalid", problems[0]?.message ?? `this is no ${kind}`, { problems });
}

export function draftOf(form: JobForm, embedded: boolean): Drafted {
  return checked(toYaml(manifestOf(form)), embedded);
}

/** A manifest as text, checked by the rules of the API server. */
export function checked(yaml: string, embedded: boolean): Drafted {
  const { documents, problems } = validate(yaml, { file: "manifest", embedded });
  const [resource] = documents;
  return {
    yaml,
    problems: problems.map(({ field, expected, found, action }) => ({
      field,
      message: `${expected}${found === undefined ? "" : `, found ${found}`}${action === undefined ? "" : `; ${action}`}`,
    })),
    ...(problems.length === 0 && resource ? { resource } : {}),
  };
}

/** What differs from the defaults is written down, and what a reader of the manifest wants to see. */
function manifestOf(form: JobForm): unknown {
  const isFolds = form.method !== "Holdout" && form.folds !== undefined && form.folds !== 5;
  const evaluation = {
    ...(form.metric ? { metric: form.metric } : {}),
    ...(form.method === "Auto" ? {} : { method: form.method }),
    ...(isFolds ? { folds: form.folds } : {}),
    ...(form.finalPercent === undefined || form.finalPercent === 20
      ? {}
      : { finalPercent: form.finalPercent }),
    ...(form.split === "Random"
      ? {}
      : { split: form.split, ...(form.column ? { column: form.column } : {}) }),
    ...(form.publish === "AsScored" ? {} : { publish: form.publish }),
  };
  return {
    apiVersion: API_VERSION,
    kind: "TrainingJob",
    metadata: { name: form.name, namespace: form.namespace },
    spec: {
      dataset: { datasetRef: { name: form.dataset } },
      target: form.target,
      ...(form.task === "Auto" ? {} : { task: form.task }),
      ...(form.goal?.trim() ? { goal: form.goal } : {}),
      ...(Object.keys(evaluation).length === 0 ? {} : { evaluation }),
      ...(form.acceptance?.trim() ? { acceptance: { score: form.acceptance.trim() } } : {}),
      budget: { maxSteps: form.maxSteps, maxSeconds: form.maxSeconds, maxTokens: form.maxTokens },
      llm: { provider: form.provider },
    },
  };
}
