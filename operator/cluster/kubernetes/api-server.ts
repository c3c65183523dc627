/** The API server as client-node reaches it: its kubeconfig, authentication, TLS and transport; plain JSON in and out. */
import { IsomorphicFetchHttpLibrary, KubeConfig, RequestContext } from "@kubernetes/client-node";
import { Turns } from "../turns.ts";

/** What the API server answered other than success. `reason` is the machine-readable one of its Status. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: number;
  readonly reason: string;
  /** What a Service of ours behind the proxy says is wrong, one by one, where it does. */
  readonly problems: unknown;
  constructor(code: number, reason: string, message: string, problems?: unknown) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.problems = problems;
  }
}

/** Nothing was heard on a watch for too long: the connection may be dead, with nobody told. */
export class SilentWatchError extends Error {
  override readonly name = "SilentWatchError";
  constructor(seconds: number) {
    super(`nothing was heard on the watch for ${seconds} s`);
  }
}

export type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export type ApiRequest = {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** Of the body; application/json where absent. */
  readonly contentType?: string;
  /** Until the request is given up, once it is sent. */
  readonly timeoutSeconds?: number;
  /** Whether it is sent at once, however many are under way: what comes too late is of no use. */
  readonly urgent?: boolean;
};

export type WatchEvent = {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: unknown;
};

export type WatchRequest = {
  readonly query: Readonly<Record<string, string | number | boolean>>;
  readonly onEvent: (event: WatchEvent) => void;
  /** A connection on which nothing was heard for so long is given up. */
  readonly silenceSeconds: number;
  readonly signal: AbortSignal;
};

/** Told of every request that was answered, or failed to be (code 0). */
export type OnRequest = (verb: string, resource: string, code: number) => void;

const REQUEST_TIMEOUT_SECONDS = 15;
/**
 * Requests under way at once, each on a connection of its own. More make the API server no faster, and it answers 429 where they are too many;
 * whoever is beyond waits here, in order.
 */
const REQUESTS_AT_ONCE = 48;
/** Connections are made anew after so long, so that certificates that were renewed meanwhile are read again. */
const CONNECTIONS_SECONDS = 600;

type Dispatcher = ReturnType<RequestContext["getDispatcher"]>;

export class ApiServer {
  readonly #config: KubeConfig;
  readonly #http = new IsomorphicFetchHttpLibrary();
  readonly #onRequest: OnRequest;
  readonly #turns = new Turns(REQUESTS_AT_ONCE);
  #connections: { readonly dispatcher: Dispatcher; readonly since: number } | undefined;

  constructor(config: KubeConfig, onRequest: OnRequest = () => undefined) {
    this.#config = config;
    this.#onRequest = onRequest;
  }

  /** By the service account of the pod, or KUBECONFIG, or ~/.kube/config. Throws, in one line, where none of them names a cluster. */
  static fromEnvironment(onRequest?: OnRequest): ApiServer {
    const config = new KubeConfig();
    try {
      config.loadFromDefault();
    } catch (error) {
      const { KUBECONFIG: given } = process.env;
      // Of a file that is no YAML, its lines would follow, and may hold a secret.
      const [found] = (error as Error).message.split("\n");
      throw new Error(
        `expected a kubeconfig ${given ? `where KUBECONFIG points, at ${given}` : "at ~/.kube/config"}, found: ${found}. ` +
          "Set KUBECONFIG to the path of your cluster's, or unset it to use ~/.kube/config",
      );
    }
    const server = config.getCurrentCluster()?.server;
    // Where nothing names a cluster, client-node takes its own guess, over plain HTTP.
    if (server === undefined || server === "http://localhost:8080") {
      throw new Error("no cluster is configured: run in a pod with a service account, or set KUBECONFIG");
    }
    return new ApiServer(config, onRequest);
  }

  /** With a user's own token and nothing else: neither a pod's account nor a certificate goes along. */
  static forUser(server: string, caFile: string | undefined, token: string): ApiServer {
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [
        { name: "cluster", server, ...(caFile === undefined ? {} : { caFile }), skipTLSVerify: false },
      ],
      users: [{ name: "user", token }],
      contexts: [{ name: "user", cluster: "cluster", user: "user" }],
      currentContext: "user",
    });
    return new ApiServer(config);
  }

  /** The namespace of the kubeconfig's context, if it names one. */
  get namespace(): string | undefined {
    return this.#config.getContextObject(this.#config.getCurrentContext())?.namespace;
  }

  /** The bearer token that requests carry, or undefined where the user has a client certificate. */
  async bearerToken(): Promise<string | undefined> {
    const context = new RequestContext(this.#url("/"), "GET");
    await this.#config.applySecurityAuthentication(context);
    const header = Object.entries(context.getHeaders()).find(
      ([name]) => name.toLowerCase() === "authorization",
    )?.[1];
    return header?.startsWith("Bearer ") ? header.slice("Bearer ".length) : undefined;
  }

  /** The JSON that came back. Throws ApiError where the server said no; anything else: it was not reached. */
  async request<T>(verb: Verb, path: string, request: ApiRequest = {}): Promise<T> {
    const { headers, text } = await this.send(verb, path, request);
    if (!headers.includes("json")) {
      throw new ApiError(502, "NotJson", `${verb} ${path} was answered with ${headers || "no content type"}`);
    }
    return JSON.parse(text) as T;
  }

  /** What is there; undefined where there is nothing of the name. */
  async find<T>(path: string): Promise<T | undefined> {
    try {
      return await this.request<T>("GET", path);
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    }
  }

  /** Server-side apply: the manifest's fields are the manager's from then on, whoever had them before. */
  apply<T>(path: string, manifest: unknown, fieldManager: string): Promise<T> {
    return this.request<T>("PATCH", path, {
      query: { fieldManager, force: true },
      contentType: "application/apply-patch+yaml",
      body: manifest,
    });
  }

  /** As request, for what is not the API server's own JSON: what a proxied Service says. Extra headers go along. */
  async send(
    verb: Verb,
    path: string,
    request: ApiRequest & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<{ readonly headers: string; readonly text: string }> {
    const sent = () => this.#send(verb, path, request);
    return request.urgent ? sent() : this.#turns.take(sent);
  }

  async #send(
    verb: Verb,
    path: string,
    request: ApiRequest & { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<{ readonly headers: string; readonly text: string }> {
    const context = new RequestContext(this.#url(path), verb);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) context.setQueryParam(name, String(value));
    }
    context.setHeaderParam("accept", "application/json");
    for (const [name, value] of Object.entries(request.headers ?? {})) context.setHeaderParam(name, value);
    if (request.body !== undefined) {
      context.setHeaderParam("content-type", request.contentType ?? "application/json");
      context.setBody(JSON.stringify(request.body));
    }
    context.setSignal(AbortSignal.timeout((request.timeoutSeconds ?? REQUEST_TIMEOUT_SECONDS) * 1000));
    let code = 0;
    try {
      await this.#authenticate(context);
      const response = await this.#http.send(context).toPromise();
      code = response.httpStatusCode;
      const text = await response.body.text();
      if (code < 200 || code > 299) throw apiError(code, text, `${verb} ${path}`);
      return { headers: response.headers["content-type"] ?? "", text };
    } catch (error) {
      this.#doubt(error);
      throw error;
    } finally {
      this.#onRequest(verb, resourceOf(path), code);
    }
  }

  /**
   * What a proxied Service says, in pieces as they come. Throws ApiError where it is no 200; else where the connection broke, or
   * nothing came for so long.
   */
  async *stream(
    path: string,
    request: Pick<ApiRequest, "query"> & {
      readonly headers: Readonly<Record<string, string>>;
      readonly silenceSeconds: number;
    },
  ): AsyncGenerator<Uint8Array> {
    const context = new RequestContext(this.#url(path), "GET");
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) context.setQueryParam(name, String(value));
    }
    for (const [name, value] of Object.entries(request.headers)) context.setHeaderParam(name, value);
    const { silenceSeconds } = request;
    const silence = new AbortController();
    const late = new Error(`nothing came for ${silenceSeconds} s`);
    const wait = () => setTimeout(() => silence.abort(late), silenceSeconds * 1000);
    let timer = wait();
    context.setSignal(silence.signal);
    try {
      await this.#authenticate(context);
      const response = await this.#http.send(context).toPromise();
      const { httpStatusCode: code, body } = response;
      this.#onRequest("GET", resourceOf(path), code);
      if (code !== 200) throw apiError(code, await body.text(), `GET ${path}`);
      for await (const bytes of body.stream() ?? []) {
        clearTimeout(timer);
        // For as long as whoever reads it likes.
        yield bytes;
        timer = wait();
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /** Resolves when the server ends the watch; throws where it broke, fell silent (SilentWatchError) or was refused. */
  async watch(path: string, { query, onEvent, silenceSeconds, signal }: WatchRequest): Promise<void> {
    const context = new RequestContext(this.#url(path), "GET");
    for (const [name, value] of Object.entries({ ...query, watch: true })) {
      context.setQueryParam(name, String(value));
    }
    const silence = new AbortController();
    const heard = (): NodeJS.Timeout =>
      setTimeout(() => silence.abort(new SilentWatchError(silenceSeconds)), silenceSeconds * 1000);
    let timer = heard();
    context.setSignal(AbortSignal.any([signal, silence.signal]));
    try {
      await this.#authenticate(context);
      const response = await this.#http.send(context).toPromise();
      this.#onRequest("WATCH", resourceOf(path), response.httpStatusCode);
      if (response.httpStatusCode !== 200) {
        throw apiError(response.httpStatusCode, await response.body.text(), `watch of ${path}`);
      }
      const decoder = new TextDecoder();
      let rest = "";
      for await (const bytes of response.body.stream() ?? []) {
        clearTimeout(timer);
        timer = heard();
        const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line.trim() !== "") onEvent(JSON.parse(line) as WatchEvent);
      }
    } catch (error) {
      this.#doubt(error);
      if (silence.signal.aborted) throw silence.signal.reason;
      if (!signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /**
   * client-node makes an agent, and with it a connection and a TLS handshake, for each request. What it made first is kept for the
   * next ones.
   */
  async #authenticate(context: RequestContext): Promise<void> {
    await this.#config.applySecurityAuthentication(context);
    const now = performance.now();
    if (this.#connections && now - this.#connections.since < CONNECTIONS_SECONDS * 1000) {
      const { dispatcher } = this.#connections;
      if (dispatcher !== undefined) context.setDispatcher(dispatcher);
    } else this.#connections = { dispatcher: context.getDispatcher(), since: now };
  }

  /** A connection that could not be made may be the fault of certificates that have changed. */
  #doubt(error: unknown): void {
    if (error instanceof TypeError) this.#connections = undefined;
  }

  #url(path: string): string {
    const cluster = this.#config.getCurrentCluster();
    if (!cluster) throw new Error("the kubeconfig names no current cluster");
    return `${cluster.server.replace(/\/$/, "")}${path}`;
  }
}

/** `trainingjobs`, `pods` or `trainingjobs/status`: bounded, as a label of a metric has to be. */
export function resourceOf(path: string): string {
  const [, rest = ""] = /^\/apis?\/(?:[^/]+\/)?v[^/]+\/(.*)$/.exec(path) ?? [];
  const parts = rest.split("/");
  const at = parts[0] === "namespaces" && parts.length > 2 ? 2 : 0;
  const subresource = parts[at + 2];
  return subresource === undefined ? (parts[at] ?? "") : `${parts[at]}/${subresource}`;
}

function apiError(code: number, text: string, what: string): ApiError {
  try {
    // A Status of the API server has a message; what our Services answer through its proxy, an error.
    const { reason, message, error, problems } = JSON.parse(text) as {
      reason?: string;
      message?: string;
      error?: string;
      problems?: unknown;
    };
    const said = message ?? error;
    if (said !== undefined) return new ApiError(code, reason ?? "Unknown", said, problems);
  } catch {
    // Not a Status: a proxy on the way, or a server that is starting.
  }
  return new ApiError(code, "Unknown", `${what} was answered with ${code}: ${text.slice(0, 200)}`);
}
