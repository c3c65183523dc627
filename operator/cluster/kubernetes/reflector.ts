/**
 * A cache of one kind, kept by list and watch, with a guard: a watch that breaks is resumed with backoff, one that falls
 * silent is replaced, one that is too old (410) starts from a new list, and a list is made now and then in any case.
 *
 * client-node's own informer stops for good at any error but two, and its cache cannot be told of what we wrote.
 */
import { ApiError, type ApiServer, SilentWatchError, type WatchEvent } from "./api-server.ts";

export type Raw = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
  };
};

export type RawPod = Raw & {
  readonly metadata: Raw["metadata"] & {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
  };
};

export type RestartReason = "Expired" | "Silent" | "Failed" | "TooShort";

export type ReflectorOptions<T extends Raw> = {
  readonly api: Pick<ApiServer, "request" | "watch">;
  /** Of the collection: /apis/autoai.dev/v1alpha1/trainingjobs. */
  readonly path: string;
  readonly labelSelector?: string;
  /** What is kept of an object: less than all of it saves memory. */
  readonly trim?: (object: T) => T;
  /** Told of each object that is new or changed, or gone (current undefined). */
  readonly onChange: (key: string, current: T | undefined, previous: T | undefined) => void;
  readonly onRestart?: (reason: RestartReason, error: unknown) => void;
  readonly timings?: Partial<Timings>;
};

export type Timings = {
  /** The API server sends a bookmark about every minute. */
  readonly silenceSeconds: number;
  /** Asked of the server as the length of one watch. */
  readonly watchSeconds: number;
  /** After so long everything is listed anew when the watch ends. */
  readonly relistSeconds: number;
  readonly firstBackoffSeconds: number;
  readonly longestBackoffSeconds: number;
};

const TIMINGS: Timings = {
  silenceSeconds: 150,
  watchSeconds: 270,
  relistSeconds: 600,
  firstBackoffSeconds: 0.5,
  longestBackoffSeconds: 30,
};
const PAGE = 500;
/** Deleted objects that are remembered, so that a late answer of ours does not bring one back. */
const TOMBSTONES = 2000;

type List<T> = { readonly metadata?: { resourceVersion?: string; continue?: string }; readonly items: T[] };

export class Reflector<T extends Raw> {
  readonly #options: ReflectorOptions<T>;
  readonly #timings: Timings;
  readonly #objects = new Map<string, T>();
  readonly #gone = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  #version: string | undefined;
  #listedAt = 0;
  #synced = false;
  #contactAt = performance.now();
  #running: Promise<void> = Promise.resolve();

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timings = { ...TIMINGS, ...options.timings };
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Resolves once the first list is in. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** Seconds since anything was last heard from the server. */
  get silentSeconds(): number {
    return (performance.now() - this.#contactAt) / 1000;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  /** Takes in what a write of ours returned, so that the next read has it; older than what is known, it is dropped. */
  put(object: T): void {
    const key = keyOf(object);
    const version = object.metadata.resourceVersion;
    const known = this.#objects.get(key);
    if (isNewer(this.#gone.get(key), version) || isNewer(known?.metadata.resourceVersion, version)) return;
    if (known?.metadata.resourceVersion === version && known?.metadata.uid === object.metadata.uid) return;
    const kept = this.#options.trim ? this.#options.trim(object) : object;
    this.#objects.set(key, kept);
    this.#options.onChange(key, kept, known);
  }

  /** Takes an object out that a read of ours found to be gone. */
  drop(key: string, version: string | undefined): void {
    const known = this.#objects.get(key);
    if (!known || isNewer(known.metadata.resourceVersion, version)) return;
    this.#objects.delete(key);
    if (version !== undefined) this.#bury(key, version);
    this.#options.onChange(key, undefined, known);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#turn();
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        const expired = error instanceof ApiError && error.code === 410;
        if (expired) this.#version = undefined;
        this.#options.onRestart?.(reasonOf(error, expired), error);
        const { firstBackoffSeconds, longestBackoffSeconds } = this.#timings;
        const seconds = Math.min(longestBackoffSeconds, firstBackoffSeconds * 2 ** failures++);
        // Spread, so that many watches do not come back as one.
        await pause(seconds * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  async #turn(): Promise<void> {
    const { relistSeconds } = this.#timings;
    const due = performance.now() - this.#listedAt > relistSeconds * 1000;
    if (this.#version === undefined || due) await this.#list();
    const begun = performance.now();
    const events = await this.#watch();
    // A server that ends each watch at once would have us spin.
    if (events === 0 && performance.now() - begun < 1000 && !this.#stop.signal.aborted)
      throw new ShortWatch();
  }

  async #list(): Promise<void> {
    const { api, path, labelSelector } = this.#options;
    const found = new Map<string, T>();
    let next: string | undefined;
    let version = "";
    do {
      const page: List<T> = await api.request("GET", path, {
        query: { limit: PAGE, continue: next, labelSelector },
        timeoutSeconds: 60,
      });
      for (const item of page.items) found.set(keyOf(item), item);
      version = page.metadata?.resourceVersion ?? "";
      next = page.metadata?.continue || undefined;
    } while (next !== undefined);
    for (const object of found.values()) this.put(object);
    for (const [key, object] of this.#objects) {
      if (!found.has(key) && !isNewer(object.metadata.resourceVersion, version)) this.drop(key, version);
    }
    this.#version = version;
    this.#listedAt = performance.now();
    this.#contactAt = performance.now();
    this.#synced = true;
    this.#ready.resolve();
  }

  async #watch(): Promise<number> {
    const { api, path, labelSelector } = this.#options;
    const { silenceSeconds, watchSeconds } = this.#timings;
    let events = 0;
    await api.watch(path, {
      query: {
        resourceVersion: this.#version ?? "",
        allowWatchBookmarks: true,
        timeoutSeconds: Math.round(watchSeconds * (1 + Math.random() / 10)),
        ...(labelSelector === undefined ? {} : { labelSelector }),
      },
      silenceSeconds,
      // Also where the server forgets to end it.
      signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(watchSeconds * 1500)]),
      onEvent: (event) => {
        events++;
        this.#contactAt = performance.now();
        this.#take(event);
      },
    });
    this.#contactAt = performance.now();
    return events;
  }

  #take({ type, object }: WatchEvent): void {
    if (type === "ERROR") {
      const { code, reason, message } = object as { code?: number; reason?: string; message?: string };
      throw new ApiError(code ?? 0, reason ?? "Unknown", message ?? "the watch ended with an error");
    }
    const changed = object as T;
    if (type === "DELETED") {
      const version = changed.metadata.resourceVersion;
      if (version !== undefined) this.#bury(keyOf(changed), version);
      this.drop(keyOf(changed), version);
    } else if (type !== "BOOKMARK") this.put(changed);
    this.#version = changed.metadata.resourceVersion ?? this.#version;
  }

  #bury(key: string, version: string): void {
    this.#gone.delete(key);
    this.#gone.set(key, version);
    const oldest = this.#gone.keys().next();
    if (this.#gone.size > TOMBSTONES && !oldest.done) this.#gone.delete(oldest.value);
  }
}

class ShortWatch extends Error {
  override readonly message = "the watch ended at once, with nothing in it";
}

function reasonOf(error: unknown, expired: boolean): RestartReason {
  if (expired) return "Expired";
  if (error instanceof ShortWatch) return "TooShort";
  return error instanceof SilentWatchError ? "Silent" : "Failed";
}

export function keyOf(object: Raw): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Whether a is later than b. resourceVersions are decimal numbers that grow (Kubernetes 1.35 says so of every kind). */
export function isNewer(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined || !/^\d+$/.test(a) || !/^\d+$/.test(b)) return false;
  return a.length === b.length ? a > b : a.length > b.length;
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, seconds * 1000);
    signal.addEventListener("abort", end, { once: true });
  });
}
