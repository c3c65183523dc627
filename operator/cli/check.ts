/** What is wrong with a manifest in this home and on this machine, told before anything is begun. */
import type { TrainingJob } from "../api/trainingjob.ts";
import type { Resource as ManifestResource } from "../api/validate.ts";
import type { Home } from "../embedded/home.ts";
import { sourceProblem } from "../embedded/source.ts";
import { ownerKey } from "../evaluation/context.ts";
import { UsageError } from "./exit.ts";

/** Throws UsageError where no run of the document can come to anything. */
export async function check(
  document: ManifestResource,
  documents: readonly ManifestResource[],
  home: Home,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const label = `${document.kind} ${document.metadata.name}`;
  if (document.kind === "Dataset" || document.kind === "TrainingJob") {
    const source = document.kind === "Dataset" ? document.spec.source : document.spec.dataset;
    const problem = await sourceProblem(source);
    if (problem) throw new UsageError(`${label}: ${problem}`);
  }
  if (document.kind === "TrainingJob") {
    const { provider, apiKeySecretRef } = document.spec.llm;
    if (provider === "Gemini" && !apiKeySecretRef && !env.GEMINI_API_KEY) {
      throw new UsageError(
        `${label}: spec.llm.provider is Gemini and there is no key: set GEMINI_API_KEY, name a Secret in spec.llm.apiKeySecretRef, or choose provider Offline`,
      );
    }
    const problem = missingSecret(document, documents) ?? (await missingRecipe(document, documents, home));
    if (problem) throw new UsageError(`${label}: ${problem}`);
  }
}

/** Secrets live no longer than the run: they come with the manifest. */
function missingSecret(job: TrainingJob, documents: readonly ManifestResource[]): string | undefined {
  const { apiKeySecretRef: ref } = job.spec.llm;
  if (!ref) return undefined;
  const secret = documents.find(
    (one) =>
      one.kind === "Secret" && ownerKey(one) === ownerKey({ metadata: { ...job.metadata, name: ref.name } }),
  );
  if (secret) return undefined;
  return `spec.llm.apiKeySecretRef names Secret ${ref.name}, which is not in this manifest: put it there, or leave apiKeySecretRef out and set GEMINI_API_KEY`;
}

async function missingRecipe(
  job: TrainingJob,
  documents: readonly ManifestResource[],
  home: Home,
): Promise<string | undefined> {
  const { recipeFrom } = job.spec;
  if (recipeFrom === undefined) return undefined;
  const key = ownerKey({ metadata: { ...job.metadata, name: recipeFrom } });
  const isHere = documents.some((one) => one.kind === "TrainingJob" && ownerKey(one) === key);
  if (isHere || (await home.cluster.get("TrainingJob", key))) return undefined;
  return `spec.recipeFrom names TrainingJob ${key}, which is neither in this manifest nor in ${home.path}`;
}
