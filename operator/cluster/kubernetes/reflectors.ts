/** One collection in the namespaces that are watched: a reflector for each of them, or one for all. */
import { type Raw, Reflector, type ReflectorOptions, type RestartReason, type Timings } from "./reflector.ts";

export type ReflectorsOptions<T extends Raw> = Pick<
  ReflectorOptions<T>,
  "api" | "labelSelector" | "trim" | "onChange"
> & {
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** Where the API server has the group: `/api/v1`, `/apis/apps/v1`. */
  readonly group: string;
  readonly plural: string;
  /** What it is called when a watch is made anew; the plural where absent. */
  readonly title?: string;
  readonly onRestart?: ((resource: string, reason: RestartReason, error: unknown) => void) | undefined;
  readonly timings?: Partial<Timings> | undefined;
};

export class Reflectors<T extends Raw> {
  readonly #byNamespace: ReadonlyMap<string, Reflector<T>>;
  readonly #all: readonly Reflector<T>[];

  constructor(options: ReflectorsOptions<T>) {
    const { namespaces, group, plural, title = plural, onRestart, timings, ...common } = options;
    const made = (namespace: string): Reflector<T> =>
      new Reflector<T>({
        ...common,
        path: `${group}${namespace === "" ? "" : `/namespaces/${namespace}`}/${plural}`,
        onRestart: (reason, error) => onRestart?.(title, reason, error),
        ...(timings === undefined ? {} : { timings }),
      });
    this.#byNamespace = new Map(
      (namespaces.length ? namespaces : [""]).map((namespace) => [namespace, made(namespace)]),
    );
    this.#all = [...this.#byNamespace.values()];
  }

  /** Resolves once everything that is there was read. */
  async start(): Promise<void> {
    for (const reflector of this.#all) reflector.start();
    await Promise.all(this.#all.map((reflector) => reflector.ready));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }

  get synced(): boolean {
    return this.#all.every((reflector) => reflector.synced);
  }

  /** Of the watch that was heard from longest ago. */
  get silentSeconds(): number {
    return Math.max(...this.#all.map((reflector) => reflector.silentSeconds));
  }

  /** The one that watches the namespace, if any does. */
  of(namespace: string): Reflector<T> | undefined {
    return this.#byNamespace.get("") ?? this.#byNamespace.get(namespace);
  }

  /** @param key `namespace/name` */
  get(key: string): T | undefined {
    return this.of(key.slice(0, key.indexOf("/")))?.get(key);
  }

  list(): T[] {
    return this.#all.flatMap((reflector) => reflector.list());
  }
}
