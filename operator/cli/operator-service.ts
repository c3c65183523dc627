/**
 * The operator's HTTP as a user reaches it: through the API server's proxy, as the kubeconfig says, with a token of the user's by
 * which the operator asks the API server who that is.
 */
import { API_VERSION, NAME_PATTERN } from "../api/meta.ts";
import { ApiError, ApiServer } from "../cluster/kubernetes/api-server.ts";
import { UsageError } from "./exit.ts";

export type OperatorServiceOptions = {
  /** Of what is asked for. */
  readonly namespace: string;
  readonly operatorNamespace: string;
  readonly operatorService: string;
  readonly serviceAccount?: string;
};

type Resource = "trainingjobs" | "datasets" | "modeldeployments";
type Query = Readonly<Record<string, string | number | undefined>>;

const TOKEN_SECONDS = 600;
const HTTP_PORT = 8080;

export class OperatorService {
  readonly #api: ApiServer;
  readonly #options: OperatorServiceOptions;
  /** What the account has to be allowed to get. */
  readonly #resource: Resource;
  #minted: { readonly token: string; readonly at: number } | undefined;

  /** Throws UsageError where a name is none, or no cluster is configured. */
  static of(name: string, options: OperatorServiceOptions, resource: Resource): OperatorService {
    for (const part of [name, options.namespace, options.operatorNamespace, options.operatorService])
      if (!NAME_PATTERN.test(part))
        throw new UsageError(`${JSON.stringify(part)} is not a name in Kubernetes`);
    return new OperatorService(apiServer(), options, resource);
  }

  private constructor(api: ApiServer, options: OperatorServiceOptions, resource: Resource) {
    this.#api = api;
    this.#options = options;
    this.#resource = resource;
  }

  /** What was answered, as text. Throws ApiError where that is no. */
  async get(path: string, query: Query): Promise<string> {
    const headers = { "x-autoai-token": await this.#token() };
    return (await this.#api.send("GET", this.#path(path), { query, headers, timeoutSeconds: 30 })).text;
  }

  /** As get, in pieces as they come. Throws too where nothing comes for a while, or the answer is cut short. */
  async *stream(path: string, query: Query): AsyncGenerator<Uint8Array> {
    const headers = { "x-autoai-token": await this.#token() };
    yield* this.#api.stream(this.#path(path), { query, headers, silenceSeconds: 60 });
  }

  /** An object of the namespace, from the API server itself. Throws ApiError where that is refused. */
  async object(name: string): Promise<unknown> {
    const { namespace } = this.#options;
    return this.#api.request("GET", `/apis/${API_VERSION}/namespaces/${namespace}/${this.#resource}/${name}`);
  }

  /** Whether it may be tried again: the operator is replaced, or the connection broke. */
  isPassing(error: unknown): boolean {
    return (
      !(error instanceof UsageError) &&
      (!(error instanceof ApiError) || error.code >= 500 || error.code === 429)
    );
  }

  /** What to tell the user of it: UsageError unless it may pass by itself. */
  explained(error: unknown): unknown {
    const { operatorNamespace, operatorService } = this.#options;
    if (!(error instanceof ApiError)) return unreached(error);
    const { code, reason, message } = error;
    // As the API server's proxy says it: of a Service without a pod that is ready, and of none at all.
    const isNoOperator =
      (code === 503 && /^no (endpoints|service port)/.test(message)) ||
      (code === 404 && reason === "NotFound" && message.startsWith("services "));
    if (isNoOperator) {
      return new UsageError(
        `the operator is not at Service ${operatorNamespace}/${operatorService}: say where by --operator-namespace and --operator-service (${message})`,
      );
    }
    if (reason === "Unauthorized") {
      return new UsageError(
        `the API server does not accept the credentials of your kubeconfig: log in again (${message})`,
      );
    }
    return this.isPassing(error) ? new Error(message) : new UsageError(message);
  }

  #path(path: string): string {
    const { operatorNamespace, operatorService } = this.#options;
    return `/api/v1/namespaces/${operatorNamespace}/services/http:${operatorService}:${HTTP_PORT}/proxy${path}`;
  }

  /** The user's own token, or one of a ServiceAccount for ten minutes, asked for again before it ends. */
  async #token(): Promise<string> {
    const { namespace, serviceAccount } = this.#options;
    if (serviceAccount === undefined) {
      const token = await this.#api.bearerToken();
      if (token !== undefined) return token;
      throw new UsageError(
        `your kubeconfig has a client certificate and no token, so that the operator cannot be told who you are: give --service-account NAME, one of namespace ${namespace} that may get ${this.#resource}`,
      );
    }
    const minted = this.#minted;
    if (minted && Date.now() - minted.at < (TOKEN_SECONDS / 2) * 1000) return minted.token;
    const { status } = await this.#api.request<{ status: { token: string } }>(
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
    this.#minted = { token: status.token, at: Date.now() };
    return status.token;
  }
}

function apiServer(): ApiServer {
  try {
    return ApiServer.fromEnvironment();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** What fetch says of a server that it did not reach is in the cause. */
function unreached(error: unknown): unknown {
  if (error instanceof DOMException && error.name === "TimeoutError")
    return new Error("the API server did not answer in time; try again");
  if (!(error instanceof TypeError && error.cause instanceof Error)) return error;
  const { message, code } = error.cause as NodeJS.ErrnoException;
  return new Error(
    `the API server of your kubeconfig cannot be reached: ${message || code}. See whether 'kubectl version' reaches it`,
    { cause: error },
  );
}
