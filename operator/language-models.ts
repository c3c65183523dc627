/** Which LLM a job's programs are written by: used by both compositions, for it chooses adapters. */
import type { Cluster } from "./cluster/cluster.ts";
import { StalledError } from "./engine/errors.ts";
import { GeminiModel, geminiSettings } from "./llm/gemini.ts";
import { OfflineModel } from "./llm/offline/index.ts";
import type { LanguageModels } from "./reconcilers/trainingjob/perform.ts";

/** Gemini where the job asks for it or a key is at hand, Offline otherwise. */
export function languageModelsOf(cluster: Pick<Cluster, "secret">, env: NodeJS.ProcessEnv): LanguageModels {
  return async (job) => {
    const { provider, name, apiKeySecretRef } = job.spec.llm;
    if (apiKeySecretRef) {
      const apiKey = await keyOfSecret(cluster, job.metadata.namespace ?? "default", apiKeySecretRef);
      return new GeminiModel(geminiSettings(env, { apiKey, name }));
    }
    const apiKey = env.GEMINI_API_KEY || undefined;
    if (provider === "Offline" || (provider === undefined && apiKey === undefined)) return new OfflineModel();
    if (apiKey === undefined) {
      throw new StalledError(
        "MissingKey",
        "spec.llm.provider is Gemini and there is no key: set GEMINI_API_KEY, or choose provider Offline",
      );
    }
    return new GeminiModel(geminiSettings(env, { apiKey, name }));
  };
}

async function keyOfSecret(
  cluster: Pick<Cluster, "secret">,
  namespace: string,
  { name, key }: { readonly name: string; readonly key: string },
): Promise<string> {
  const secret = await cluster.secret(namespace, name);
  const apiKey = secret?.[key]?.trim();
  if (apiKey) return apiKey;
  const reason = secret ? "MissingKey" : "SecretNotFound";
  throw new StalledError(
    reason,
    `spec.llm.apiKeySecretRef names key ${key} of Secret ${name}, which is not there`,
  );
}
