/**
 * `autoai logs` and `autoai inspect -n`: the journal of a job in the cluster. It lies in the operator's store, which users have no
 * key to; the operator hands it out to who may get the job. It is reached through the API server, as the kubeconfig says.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { JournalEntry } from "../api/journal.ts";
import { NAME_PATTERN } from "../api/meta.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { ApiError, ApiServer } from "../cluster/kubernetes/api-server.ts";
import { EXIT, UsageError } from "./exit.ts";
import { transcriptEntry, transcriptHead } from "./transcript.ts";

export type LogsOptions = {
  readonly namespace: string;
  readonly follow?: boolean;
  readonly json?: boolean;
  readonly operatorNamespace: string;
  readonly operatorService: string;
  readonly serviceAccount?: string;
};

type Answer = { readonly job: TrainingJob; readonly entries: readonly unknown[] };

const FOLLOW_SECONDS = 2;
const TOKEN_SECONDS = 600;
/** Failures in a row before following is given up: an operator that is replaced is away for a few seconds. */
const PATIENCE = 15;
const HTTP_PORT = 8080;

export async function logs(name: string, options: LogsOptions): Promise<number> {
  for (const part of [name, options.namespace, options.operatorNamespace, options.operatorService])
    if (!NAME_PATTERN.test(part)) throw new UsageError(`${JSON.stringify(part)} is not a name in Kubernetes`);
  const api = ApiServer.fromEnvironment();
  const credentials = tokenSource(api, options);
  let after = -1;
  let failures = 0;
  for (let first = true; ; first = false) {
    let answer: Answer | undefined;
    try {
      answer = await ask(api, name, await credentials(), after, options);
      failures = 0;
    } catch (error) {
      const isPassing = !(error instanceof ApiError) || error.code >= 500;
      if (first || !options.follow || !isPassing || ++failures > PATIENCE) throw explained(error, options);
    }
    if (answer) {
      const entries = answer.entries.map((entry) => JournalEntry.parse(entry));
      print(answer.job, entries, first, options.json ?? false);
      after = entries.at(-1)?.sequence ?? after;
      const end = entries.find((entry) => entry.type === "JobFinished");
      if (options.follow && end) return end.state === "READY" ? EXIT.ready : EXIT.error;
      // It was over before this command began, or is not followed.
      if (!options.follow) return EXIT.ready;
    }
    await sleep(FOLLOW_SECONDS * 1000);
  }
}

function print(job: TrainingJob, entries: readonly JournalEntry[], first: boolean, json: boolean): void {
  if (json) {
    for (const entry of entries) process.stdout.write(`${JSON.stringify(entry)}\n`);
    return;
  }
  if (first) process.stdout.write(`${transcriptHead(job)}\n`);
  for (const entry of entries) process.stdout.write(`\n${transcriptEntry(entry)}\n`);
}

async function ask(
  api: ApiServer,
  name: string,
  token: string,
  after: number,
  { namespace, operatorNamespace, operatorService }: LogsOptions,
): Promise<Answer> {
  const service = `/api/v1/namespaces/${operatorNamespace}/services/http:${operatorService}:${HTTP_PORT}/proxy`;
  const { text } = await api.send("GET", `${service}/journals/${namespace}/${name}`, {
    query: { after },
    headers: { "x-autoai-token": token },
    timeoutSeconds: 30,
  });
  return JSON.parse(text) as Answer;
}

/** The user's own token, or one of a ServiceAccount for ten minutes, asked for again before it ends. */
function tokenSource(api: ApiServer, { namespace, serviceAccount }: LogsOptions): () => Promise<string> {
  let minted: { readonly token: string; readonly at: number } | undefined;
  return async () => {
    if (serviceAccount === undefined) {
      const token = await api.bearerToken();
      if (token !== undefined) return token;
      throw new UsageError(
        "your kubeconfig has a client certificate and no token, so that the operator cannot be told who you are: give --service-account NAME, one of the job's namespace that may get trainingjobs",
      );
    }
    if (minted && Date.now() - minted.at < (TOKEN_SECONDS / 2) * 1000) return minted.token;
    const { status } = await api.request<{ status: { token: string } }>(
      "POST",
      `/api/v1/namespaces/${namespace}/serviceaccounts/${encodeURIComponent(serviceAccount)}/token`,
      {
        body: {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec: { expirationSeconds: TOKEN_SECONDS },
        },
      },
    );
    minted = { token: status.token, at: Date.now() };
    return minted.token;
  };
}

function explained(error: unknown, { operatorNamespace, operatorService }: LogsOptions): unknown {
  if (!(error instanceof ApiError)) return error;
  if (error.code === 503 && /no endpoints|not found/i.test(error.message)) {
    return new UsageError(
      `the operator is not at Service ${operatorNamespace}/${operatorService}: say where by --operator-namespace and --operator-service (${error.message})`,
    );
  }
  return new UsageError(error.message);
}
