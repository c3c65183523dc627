/** Models of a cluster: read from the store, asked through the Service of a deployment, by the API server's proxy and the user's token. */
import type { ModelDeployment } from "../../../operator/api/modeldeployment.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import type { Pages } from "../../../operator/storage/pages.ts";
import { ConsoleError } from "../errors.ts";
import type { Answer, Models } from "../gateway.ts";
import { publishedModels } from "../published.ts";
import { predictedCsv, type Rows } from "./batch.ts";
import { loggedLines } from "./predictions.ts";
import { trafficOf } from "./traffic.ts";
import { asked, type UserApi } from "./user-api.ts";

export function clusterModels(
  api: UserApi,
  store: ArtifactStore & Pages,
  deployments: (namespace: string) => Promise<ModelDeployment[]>,
): Models {
  const published = publishedModels(store);
  return {
    ...published,
    predict: async (job, rows) => ask(api, await servingOf(job, deployments), rows),
    async predictCsv(job, csv) {
      const serving = await servingOf(job, deployments);
      return predictedCsv({
        manifest: await published.manifest(job),
        csv,
        rows: serving.spec.limits?.maxRows ?? MAX_ROWS,
        predict: (rows) => ask(api, serving, rows),
      });
    },
    async *log(job, since) {
      const all = await deployments(namespaceOf(job));
      const places = all.map(({ metadata }) => ({ namespace: namespaceOf(job), name: metadata.name }));
      yield* loggedLines(store, places, job.status?.model?.digest ?? "", since);
    },
    traffic: (deployment) => trafficOf(api, deployment, Date.now()),
  };
}

/** The API's default. */
const MAX_ROWS = 1000;

const namespaceOf = ({ metadata }: TrainingJob): string => metadata.namespace ?? "default";

/** A deployment that serves this very model now. */
async function servingOf(
  job: TrainingJob,
  deployments: (namespace: string) => Promise<ModelDeployment[]>,
): Promise<ModelDeployment> {
  const named = (await deployments(namespaceOf(job))).filter(
    ({ spec }) => spec.modelRef.trainingJob === job.metadata.name,
  );
  const digest = job.status?.model?.digest;
  const serving = named.find(({ status }) => status?.url !== undefined && status.modelDigest === digest);
  if (serving) return serving;
  throw new ConsoleError(
    "Conflict",
    named.length === 0
      ? "no deployment serves this model yet: deploy it first"
      : `the deployment ${named[0]?.metadata.name} does not serve this model yet: wait until it is ready`,
  );
}

async function ask(api: UserApi, { metadata, status }: ModelDeployment, rows: Rows): Promise<Answer> {
  const { hostname, port, protocol } = new URL(status?.url ?? "");
  const [service = ""] = hostname.split(".");
  const target = `${protocol.replace(":", "")}:${service}:${port || "80"}`;
  const { text } = await asked(
    api.send("POST", `/api/v1/namespaces/${metadata.namespace}/services/${target}/proxy/predict`, {
      body: { rows },
      timeoutSeconds: 30,
    }),
  );
  return JSON.parse(text) as Answer;
}
