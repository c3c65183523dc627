/** Models of a cluster: read from the store, asked through the Service of a deployment, by the API server's proxy and the user's token. */
import type { ModelDeployment } from "../../../operator/api/modeldeployment.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import { ConsoleError } from "../errors.ts";
import type { Answer, Models } from "../gateway.ts";
import { publishedModels } from "../published.ts";
import { asked, type UserApi } from "./user-api.ts";

export function clusterModels(
  api: UserApi,
  store: ArtifactStore,
  deployments: (namespace: string) => Promise<ModelDeployment[]>,
): Models {
  const elsewhere = (how: string): ConsoleError =>
    new ConsoleError("Unavailable", `not in the console of a cluster: ${how}`);
  return {
    ...publishedModels(store),
    async predict(job, rows) {
      const namespace = job.metadata.namespace ?? "default";
      const deployment = (await deployments(namespace)).find(
        ({ spec, status }) => spec.modelRef.trainingJob === job.metadata.name && status?.url !== undefined,
      );
      if (!deployment?.status?.url) {
        throw new ConsoleError("Conflict", "no deployment serves this model yet: deploy it first");
      }
      const { hostname, port, protocol } = new URL(deployment.status.url);
      const [service = ""] = hostname.split(".");
      const target = `${protocol.replace(":", "")}:${service}:${port || "80"}`;
      const { text } = await asked(
        api.send("POST", `/api/v1/namespaces/${namespace}/services/${target}/proxy/predict`, {
          body: { rows },
          timeoutSeconds: 30,
        }),
      );
      return JSON.parse(text) as Answer;
    },
    predictCsv: () => Promise.reject(elsewhere("predict of autoai-client (Python) takes many rows")),
    log() {
      throw elsewhere("autoai inferences -n reads the prediction log");
    },
  };
}
