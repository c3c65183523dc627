/**
 * An API server in memory, at its wire: create, read, list, watch, patch and delete of whatever is asked for, with resource versions,
 * conflicts, generations, finalizers, status subresources and owners. It knows no schema, no admission and no permissions.
 *
 * kubernetes-contract.ts holds it to what a real one does: test/cluster/control.test.ts asks that the same questions.
 */
import { randomUUID } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import { API_VERSION } from "../../operator/api/meta.ts";
import { STATUS_WRITTEN } from "../../operator/cluster/memory.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of any kind, as JSON
export type Json = any;

export type ApiCall = {
  readonly verb: string;
  /** `/apis/autoai.dev/v1alpha1/trainingjobs`: without namespace and name. */
  readonly collection: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly body: Json;
};

export type KubernetesApiOptions = {
  /** Uids of new objects; random where absent. */
  readonly uid?: (object: Json) => string;
  /** The object with what its schema gives it by default, when it is made; as it came where absent. */
  readonly defaulted?: (object: Json) => Json;
  /** Called before a call is carried out, and waited for. */
  readonly before?: (call: ApiCall) => Promise<void> | void;
};

type Stored = { readonly collection: string; object: Json };
type Watcher = {
  readonly collection: string;
  readonly namespace: string;
  readonly selects: (object: Json) => boolean;
  readonly response: ServerResponse;
};
type Change = { readonly type: string; readonly collection: string; readonly object: Json };

const KINDS: Readonly<Record<string, string>> = {
  datasets: "Dataset",
  trainingjobs: "TrainingJob",
  modeldeployments: "ModelDeployment",
  pods: "Pod",
};
/** As the cluster in memory tells of them. */
const statusWritten = channel(STATUS_WRITTEN);
const SUBRESOURCES: ReadonlySet<string> = new Set(["status"]);

/** What `before` may throw: the answer that the call gets instead. */
export class ApiRefusal extends Error {
  readonly code: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(code: number, reason: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.headers = headers;
  }
}

/** Of a server on this machine that speaks plain HTTP, and of who brings that token. */
export function configOf(server: string, token?: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: "fake", server, skipTLSVerify: true }],
    users: [{ name: "user", ...(token === undefined ? {} : { token }) }],
    contexts: [{ name: "fake", cluster: "fake", user: "user" }],
    currentContext: "fake",
  });
  return config;
}

export class KubernetesApi implements AsyncDisposable {
  readonly url: string;
  /** Every call that was carried out or refused, watches and reads aside. */
  readonly writes: ApiCall[] = [];
  readonly #options: KubernetesApiOptions;
  readonly #server: ReturnType<typeof createServer>;
  readonly #objects = new Map<string, Stored>();
  readonly #history: Change[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #listeners = new Set<(change: Change) => void>();
  #version = 1000;

  private constructor(options: KubernetesApiOptions, server: ReturnType<typeof createServer>) {
    this.#options = options;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch((error: unknown) => {
        const {
          code = 500,
          reason = "InternalError",
          headers = {},
        } = error instanceof ApiRefusal ? error : {};
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
        answer(response, code, { kind: "Status", status: "Failure", code, reason, message: String(error) });
      });
    });
  }

  static async start(options: KubernetesApiOptions = {}): Promise<KubernetesApi> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new KubernetesApi(options, server);
  }

  /** By way of another address, where there is a proxy in between. */
  config(url = this.url): KubeConfig {
    return configOf(url);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether a deleted object is there until it is released, as a pod that its node has yet to end; not where it is deleted by force. */
  holds: (collection: string, object: Json) => boolean = () => false;

  /** Lets a deleted object go that was held. */
  release(collection: string, namespace: string, name: string): void {
    const present = this.get(collection, namespace, name);
    if (present?.metadata.deletionTimestamp !== undefined && !present.metadata.finalizers?.length)
      this.#erase(collection, present);
  }

  /** Calls back with each change from now on: ADDED, MODIFIED or DELETED. */
  onChange(listener: (change: Change) => void): void {
    this.#listeners.add(listener);
  }

  get(collection: string, namespace: string, name: string): Json | undefined {
    return this.#objects.get(idOf(collection, namespace, name))?.object;
  }

  list(collection: string, namespace = ""): Json[] {
    return [...this.#objects.values()]
      .filter((one) => one.collection === collection)
      .map(({ object }) => object)
      .filter(({ metadata }) => namespace === "" || metadata.namespace === namespace);
  }

  /** What a person or another controller writes: a new object, or another one in its place. */
  put(collection: string, object: Json): Json {
    const { namespace = "", name } = object.metadata;
    const present = this.get(collection, namespace, name);
    return present === undefined
      ? this.#create(collection, namespace, object)
      : this.#write(collection, present, {
          ...object,
          metadata: { ...present.metadata, ...object.metadata },
        });
  }

  /** What the status subresource is for. Does nothing where the object is gone. */
  setStatus(collection: string, namespace: string, name: string, status: Json): void {
    const present = this.get(collection, namespace, name);
    if (present !== undefined) this.#write(collection, present, { ...present, status });
  }

  delete(collection: string, namespace: string, name: string): void {
    this.#remove(collection, this.#found(collection, namespace, name));
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watchers.size;
  }

  /** Ends every watch, as a server that restarts does. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.destroy();
  }

  /** Forgets what happened before: watches from there are told that their version is too old. */
  compact(): void {
    this.#history.length = 0;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", this.url);
    const place = placeOf(url.pathname);
    const text = await textOf(request);
    const body = text === "" ? undefined : JSON.parse(text);
    const verb = request.method ?? "GET";
    const call: ApiCall = { verb, ...place, body };
    await this.#options.before?.(call);
    if (verb === "GET") {
      if (place.name !== "")
        return answer(response, 200, this.#found(place.collection, place.namespace, place.name));
      if (url.searchParams.get("watch") === "true") return this.#watch(place, url.searchParams, response);
      return answer(response, 200, this.#page(place, url.searchParams));
    }
    this.writes.push(call);
    if (verb === "POST") return answer(response, 201, this.#create(place.collection, place.namespace, body));
    if (verb === "PATCH") {
      const isApply = (request.headers["content-type"] ?? "").includes("apply-patch");
      return answer(response, 200, this.#patch(place, body, isApply));
    }
    if (verb === "DELETE") {
      const present = this.#found(place.collection, place.namespace, place.name);
      const uid = body?.preconditions?.uid;
      if (uid !== undefined && uid !== present.metadata.uid)
        throw new ApiRefusal(409, "Conflict", "the uid in the precondition is not that of the object");
      const isForced = body?.gracePeriodSeconds === 0;
      return answer(response, 200, this.#remove(place.collection, present, isForced));
    }
    throw new ApiRefusal(405, "MethodNotAllowed", `${verb} is not spoken here`);
  }

  #found(collection: string, namespace: string, name: string): Json {
    const object = this.get(collection, namespace, name);
    if (object === undefined) throw new ApiRefusal(404, "NotFound", `${collection} "${name}" not found`);
    return object;
  }

  #create(collection: string, namespace: string, asked: Json): Json {
    const given = this.#options.defaulted?.(asked) ?? asked;
    const { name } = given.metadata;
    if (this.get(collection, namespace, name) !== undefined)
      throw new ApiRefusal(409, "AlreadyExists", `${collection} "${name}" already exists`);
    const object = {
      ...given,
      metadata: {
        ...given.metadata,
        ...(namespace === "" ? {} : { namespace }),
        uid: this.#options.uid?.(given) ?? randomUUID(),
        creationTimestamp: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
        generation: 1,
      },
    };
    return this.#store("ADDED", collection, object);
  }

  #patch({ collection, namespace, name, subresource }: ApiCall | Place, patch: Json, isApply: boolean): Json {
    const present = this.get(collection, namespace, name);
    if (present === undefined && isApply) return this.#create(collection, namespace, patch);
    if (present === undefined) throw new ApiRefusal(404, "NotFound", `${collection} "${name}" not found`);
    const { resourceVersion, uid } = patch.metadata ?? {};
    if (uid !== undefined && uid !== present.metadata.uid)
      throw new ApiRefusal(409, "Conflict", "the object has been deleted and made anew");
    if (resourceVersion !== undefined && resourceVersion !== present.metadata.resourceVersion)
      throw new ApiRefusal(409, "Conflict", `${collection} "${name}" has been modified`);
    const merged = merge(present, patch);
    const status = subresource === "status";
    // Each way in changes its own part.
    const written = this.#write(collection, present, {
      ...(status ? { ...present, status: merged.status } : { ...merged, status: present.status }),
      metadata: status ? present.metadata : merged.metadata,
    });
    if (status && collection.startsWith(`/apis/${API_VERSION}/`)) {
      const kind = KINDS[collection.split("/").at(-1) ?? ""];
      statusWritten.publish({ before: { ...present, kind }, after: { ...written, kind } });
    }
    return written;
  }

  #write(collection: string, present: Json, next: Json): Json {
    const { resourceVersion } = present.metadata;
    const generation = present.metadata.generation + (isDeepStrictEqual(present.spec, next.spec) ? 0 : 1);
    const object = JSON.parse(
      JSON.stringify({ ...next, metadata: { ...next.metadata, resourceVersion, generation } }),
    );
    if (isDeepStrictEqual(object, present)) return present;
    const isGone = object.metadata.deletionTimestamp !== undefined && !object.metadata.finalizers?.length;
    if (isGone && !this.holds(collection, object)) return this.#erase(collection, object);
    return this.#store("MODIFIED", collection, object);
  }

  #remove(collection: string, present: Json, isForced = false): Json {
    const isHeld = !isForced && this.holds(collection, present);
    if (!present.metadata.finalizers?.length && !isHeld) return this.#erase(collection, present);
    if (present.metadata.deletionTimestamp !== undefined) return present;
    const deletionTimestamp = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    return this.#write(collection, present, {
      ...present,
      metadata: { ...present.metadata, deletionTimestamp },
    });
  }

  #erase(collection: string, object: Json): Json {
    const { namespace = "", name, uid } = object.metadata;
    this.#objects.delete(idOf(collection, namespace, name));
    const gone = this.#tell("DELETED", collection, object);
    // What it owned goes with it.
    for (const { collection: other, object: child } of [...this.#objects.values()])
      if (child.metadata.ownerReferences?.some((owner: Json) => owner.uid === uid))
        this.#remove(other, child);
    return gone;
  }

  #store(type: string, collection: string, object: Json): Json {
    const told = this.#tell(type, collection, object);
    this.#objects.set(idOf(collection, told.metadata.namespace ?? "", told.metadata.name), {
      collection,
      object: told,
    });
    return told;
  }

  #tell(type: string, collection: string, given: Json): Json {
    const object = { ...given, metadata: { ...given.metadata, resourceVersion: String(++this.#version) } };
    const change = { type, collection, object };
    this.#history.push(change);
    for (const watcher of this.#watchers) send(watcher, change);
    for (const listener of this.#listeners) queueMicrotask(() => listener(change));
    return object;
  }

  #page({ collection, namespace }: Place, query: URLSearchParams): Json {
    const selects = selector(query);
    const all = this.list(collection, namespace).filter(selects);
    const start = Number(query.get("continue") ?? 0);
    const end = start + Number(query.get("limit") ?? all.length);
    // Items of a list carry neither kind nor apiVersion.
    const items = all.slice(start, end).map(({ kind: _kind, apiVersion: _version, ...rest }) => rest);
    return {
      kind: "List",
      metadata: {
        resourceVersion: String(this.#version),
        ...(end < all.length ? { continue: String(end) } : {}),
      },
      items,
    };
  }

  #watch({ collection, namespace }: Place, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get("resourceVersion") ?? 0);
    const selects = selector(query);
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const watcher: Watcher = { collection, namespace, selects, response };
    const oldest = Number(this.#history[0]?.object.metadata.resourceVersion ?? this.#version + 1);
    if (from + 1 < oldest) {
      const status = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
      response.end(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
      return;
    }
    for (const change of this.#history)
      if (Number(change.object.metadata.resourceVersion) > from) send(watcher, change);
    this.#watchers.add(watcher);
    response.once("close", () => this.#watchers.delete(watcher));
  }
}

type Place = Pick<ApiCall, "collection" | "namespace" | "name" | "subresource">;

/** /api/v1/namespaces/NS/pods/NAME/status and its like. */
function placeOf(path: string): Place {
  const [, root = "", rest = ""] = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\/(.*)$/.exec(path) ?? [];
  const parts = rest.split("/").map(decodeURIComponent);
  const namespaced = parts[0] === "namespaces" && parts.length > 2;
  const [plural = "", name = "", subresource = ""] = namespaced ? parts.slice(2) : parts;
  if (root === "" || (subresource !== "" && !SUBRESOURCES.has(subresource)))
    throw new ApiRefusal(404, "NotFound", `there is no ${path}`);
  return {
    collection: `${root}/${plural}`,
    namespace: namespaced ? (parts[1] ?? "") : "",
    name,
    subresource,
  };
}

const idOf = (collection: string, namespace: string, name: string): string =>
  `${collection} ${namespace}/${name}`;

/** Labels by `a=b`, `a in (b,c)`; fields by `a.b=c`. */
function selector(query: URLSearchParams): (object: Json) => boolean {
  const labels = (query.get("labelSelector") ?? "").match(/[^,(]+(\([^)]*\))?/g) ?? [];
  const fields = (query.get("fieldSelector") ?? "").split(",").filter((term) => term !== "");
  return (object) =>
    labels.every((term) => {
      const [, key = "", list] = /^([^ =]+)\s*(?:=|\s+in\s+)\s*\(?([^)]*)\)?$/.exec(term.trim()) ?? [];
      return (list ?? "").split(",").includes(object.metadata.labels?.[key]);
    }) &&
    fields.every((term) => {
      const [path = "", value] = term.split("=");
      return path.split(".").reduce((at, part) => at?.[part], object) === value;
    });
}

function send(
  { collection, namespace, selects, response }: Watcher,
  { type, collection: of, object }: Change,
): void {
  if (of !== collection || (namespace !== "" && namespace !== object.metadata.namespace) || !selects(object))
    return;
  const kind = object.kind ?? KINDS[collection.split("/").at(-1) ?? ""];
  response.write(`${JSON.stringify({ type, object: { ...object, kind } })}\n`);
}

/** RFC 7386. */
function merge(target: Json, patch: Json): Json {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function answer(response: ServerResponse, code: number, body: Json): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
}
