/** What an operator sees of the children of ModelDeployments: caches of Deployments and pods, each behind a watch of its own. */
import { ConflictError } from "../../../operator/cluster/cluster.ts";
import { ApiError } from "../../../operator/cluster/kubernetes/api-server.ts";
import type {
  Child,
  ChildKind,
  Children,
  LiveDeployment,
  ServingPod,
} from "../../../operator/serving/children.ts";
import { Watch } from "./caches.ts";
import type { Line } from "./line.ts";
import type { Servers, Standing } from "./servers.ts";

type Seen<T> = { readonly version: number; readonly value: T };

export class CachedChildren implements Children {
  readonly #servers: Servers;
  readonly #line: Line;
  readonly #onChange: (key: string) => void;
  readonly #deployments = new Map<string, Seen<LiveDeployment | undefined>>();
  readonly #pods = new Map<string, Seen<readonly ServingPod[]>>();
  readonly #ofDeployments: Watch;
  readonly #ofPods: Watch;

  constructor(servers: Servers, line: Line, onChange: (key: string) => void) {
    this.#servers = servers;
    this.#line = line;
    this.#onChange = onChange;
    const relist = (take: (key: string, standing: Standing) => void): void => {
      const known = [...this.#deployments.keys(), ...this.#pods.keys()];
      for (const key of new Set([...known, ...servers.keys()])) take(key, servers.standing(key));
    };
    this.#ofDeployments = new Watch(line, () => relist((key, at) => this.#takeDeployment(key, at)));
    this.#ofPods = new Watch(line, () => relist((key, at) => this.#takePods(key, at)));
    for (const key of servers.keys()) this.changed(key, servers.standing(key));
  }

  /** To be told of each change. */
  changed(key: string, standing: Standing): void {
    this.#ofDeployments.tell(() => this.#takeDeployment(key, standing));
    this.#ofPods.tell(() => this.#takePods(key, standing));
  }

  async apply(child: Child, fieldManager?: string): Promise<LiveDeployment> {
    const { live, version } = await this.#call(() => this.#servers.apply(child, fieldManager), true);
    const { namespace, name } = child.metadata;
    if (child.kind === "Deployment") put(this.#deployments, `${namespace}/${name}`, { version, value: live });
    return live;
  }

  remove(kind: ChildKind, namespace: string, name: string): Promise<void> {
    return this.#call(() => this.#servers.remove(kind, namespace, name), true);
  }

  get(kind: ChildKind, namespace: string, name: string): Promise<LiveDeployment | undefined> {
    return this.#call(() => this.#servers.get(kind, namespace, name), false);
  }

  deployment(namespace: string, name: string): LiveDeployment | undefined {
    return this.#deployments.get(`${namespace}/${name}`)?.value;
  }

  pods(namespace: string, name: string): readonly ServingPod[] {
    return this.#pods.get(`${namespace}/${name}`)?.value ?? [];
  }

  /** As the adapter of the product says it: what is applied by the server has no version to be in conflict with. */
  async #call<T>(carryOut: () => Promise<T>, isWrite: boolean): Promise<T> {
    try {
      return await this.#line.call("API", carryOut, isWrite);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      throw new ApiError(409, "Conflict", "the API server answered 409");
    }
  }

  #takeDeployment(key: string, { version, live }: Standing): void {
    if (put(this.#deployments, key, { version, value: live })) this.#onChange(key);
  }

  #takePods(key: string, { version, pods }: Standing): void {
    if (put(this.#pods, key, { version, value: pods })) this.#onChange(key);
  }
}

function put<T>(cache: Map<string, Seen<T>>, key: string, seen: Seen<T>): boolean {
  if ((cache.get(key)?.version ?? -1) >= seen.version) return false;
  cache.set(key, seen);
  return true;
}
