/** Children in memory, for tests: keeps what was applied; how far pods are is said by the test. */
import { isDeepStrictEqual } from "node:util";
import type { Child, ChildKind, Children, LiveDeployment, ServingPod } from "./children.ts";

export class MemoryChildren implements Children {
  readonly #objects = new Map<string, Child>();
  readonly #live = new Map<string, LiveDeployment>();
  readonly #pods = new Map<string, readonly ServingPod[]>();
  /** Of every apply that changed something: `Kind/name`, in turn. */
  readonly changes: string[] = [];

  apply(child: Child): Promise<LiveDeployment> {
    const id = idOf(child.kind, child.metadata.namespace, child.metadata.name);
    const present = this.#objects.get(id);
    const merged = { ...present, ...child, metadata: { ...present?.metadata, ...child.metadata } } as Child;
    const before = this.#live.get(id);
    if (isDeepStrictEqual(present, merged)) return Promise.resolve(before as LiveDeployment);
    this.#objects.set(id, structuredClone(merged));
    this.changes.push(`${child.kind}/${child.metadata.name}`);
    const isSame = isDeepStrictEqual(present?.spec, merged.spec);
    const replicas =
      (child.spec as { replicas?: number } | undefined)?.replicas ?? before?.spec?.replicas ?? 1;
    const live: LiveDeployment = {
      metadata: {
        ...child.metadata,
        generation: (before?.metadata.generation ?? 0) + (isSame && before ? 0 : 1),
      },
      spec: { replicas },
      status: before?.status,
    };
    this.#live.set(id, live);
    return Promise.resolve(live);
  }

  remove(kind: ChildKind, namespace: string, name: string): Promise<void> {
    const id = idOf(kind, namespace, name);
    if (this.#objects.delete(id)) this.changes.push(`-${kind}/${name}`);
    this.#live.delete(id);
    return Promise.resolve();
  }

  get(kind: ChildKind, namespace: string, name: string): Promise<LiveDeployment | undefined> {
    return Promise.resolve(this.#live.get(idOf(kind, namespace, name)));
  }

  deployment(namespace: string, name: string): LiveDeployment | undefined {
    return this.#live.get(idOf("Deployment", namespace, name));
  }

  pods(namespace: string, name: string): readonly ServingPod[] {
    return this.#pods.get(`${namespace}/${name}`) ?? [];
  }

  /** What was applied last. */
  applied(kind: ChildKind, namespace: string, name: string): Child | undefined {
    return this.#objects.get(idOf(kind, namespace, name));
  }

  /** What the cluster makes of the Deployment; its observedGeneration is the one that stands there. */
  settle(
    namespace: string,
    name: string,
    status: Omit<NonNullable<LiveDeployment["status"]>, "observedGeneration">,
    pods: readonly ServingPod[] = [],
  ): void {
    const id = idOf("Deployment", namespace, name);
    const live = this.#live.get(id);
    if (!live) throw new Error(`there is no Deployment ${namespace}/${name}`);
    this.#live.set(id, { ...live, status: { ...status, observedGeneration: live.metadata.generation } });
    this.#pods.set(`${namespace}/${name}`, pods);
  }

  /** Its servers have ended. */
  end(namespace: string, name: string): void {
    this.#pods.delete(`${namespace}/${name}`);
  }
}

const idOf = (kind: ChildKind, namespace: string, name: string): string => `${kind}/${namespace}/${name}`;
