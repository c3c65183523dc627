/** Pods in memory: no node runs them, and whoever holds this says what becomes of them. */
import { ownerHash } from "./owner.ts";
import {
  LABELS,
  type PodEvent,
  type PodManifest,
  type PodRefusedError,
  type Pods,
  type PodView,
} from "./pods.ts";

export class MemoryPods implements Pods {
  /** Everything that was created, in order, removed or not. */
  readonly created: PodManifest[] = [];
  readonly removed: string[] = [];
  readonly namespacesWithPolicies = new Set<string>();
  /** Thrown by the next creates, while it is set. */
  refusal: PodRefusedError | undefined;
  /** Told of each pod that appears, changes or goes. */
  onChange: (view: PodView) => void = () => undefined;
  /** Told of each pod that is to end, which is there until it vanishes; absent: it vanishes at once. */
  onEnd: ((namespace: string, name: string) => void) | undefined;
  readonly #pods = new Map<string, { manifest: PodManifest; view: PodView }>();
  readonly #events = new Map<string, PodEvent[]>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  async get(namespace: string, name: string): Promise<PodView | undefined> {
    return this.#pods.get(`${namespace}/${name}`)?.view;
  }

  /** Every pod that is there. */
  list(): PodView[] {
    return [...this.#pods.values()].map(({ view }) => view);
  }

  async listOwned(owner: string): Promise<PodView[]> {
    return [...this.#pods.values()]
      .filter(({ manifest }) => manifest.metadata.labels[LABELS.owner] === ownerHash(owner))
      .map(({ view }) => view);
  }

  async create(manifest: PodManifest): Promise<"Created" | "Exists"> {
    if (this.refusal !== undefined) throw this.refusal;
    const { namespace, name, labels, annotations } = manifest.metadata;
    if (this.#pods.has(`${namespace}/${name}`)) return "Exists";
    this.created.push(manifest);
    const view: PodView = {
      namespace,
      name,
      owner: annotations[LABELS.owner] ?? "",
      execution: labels[LABELS.execution] ?? "",
      phase: "Pending",
      deleting: false,
      status: { phase: "Pending" },
      created: this.#now(),
    };
    this.#pods.set(`${namespace}/${name}`, { manifest, view });
    this.onChange(view);
    return "Created";
  }

  async end(namespace: string, name: string): Promise<void> {
    const pod = this.#pods.get(`${namespace}/${name}`);
    if (!this.onEnd || !pod) return this.remove(namespace, name);
    if (pod.view.deleting) return;
    this.change(namespace, name, { deleting: true });
    this.onEnd(namespace, name);
  }

  async remove(namespace: string, name: string): Promise<void> {
    if (!this.#pods.has(`${namespace}/${name}`)) return;
    this.removed.push(name);
    this.vanish(namespace, name);
  }

  async events(namespace: string, name: string): Promise<readonly PodEvent[]> {
    return this.#events.get(`${namespace}/${name}`) ?? [];
  }

  async ensurePolicies(namespace: string): Promise<void> {
    this.namespacesWithPolicies.add(namespace);
  }

  /** Changes what is seen of a pod; `phase` follows the status. */
  change(namespace: string, name: string, change: Partial<PodView>): void {
    const pod = this.#pods.get(`${namespace}/${name}`);
    if (pod === undefined) throw new Error(`there is no pod ${namespace}/${name}`);
    const phase = (change.status as { phase?: string } | undefined)?.phase ?? pod.view.phase;
    pod.view = { ...pod.view, phase, ...change };
    this.onChange(pod.view);
  }

  addEvent(namespace: string, name: string, event: PodEvent): void {
    const key = `${namespace}/${name}`;
    this.#events.set(key, [...(this.#events.get(key) ?? []), event]);
  }

  /** The pod is gone, whoever took it away. */
  vanish(namespace: string, name: string): void {
    const pod = this.#pods.get(`${namespace}/${name}`);
    this.#pods.delete(`${namespace}/${name}`);
    if (pod !== undefined) this.onChange({ ...pod.view, deleting: true });
  }
}
