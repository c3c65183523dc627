/**
 * A keyed work queue, after client-go's: a key that is added many times while it waits is handed out once; one that is
 * added while it is being worked on is handed out again afterwards, never twice at once; failures back off by key.
 */

export type Timers = {
  /** Calls back once after so many seconds; the returned function takes that back. */
  after(seconds: number, callback: () => void): () => void;
};

export const realTimers: Timers = {
  after(seconds, callback) {
    const timer = setTimeout(callback, seconds * 1000);
    return () => clearTimeout(timer);
  },
};

const FIRST_BACKOFF_SECONDS = 0.5;
const LONGEST_BACKOFF_SECONDS = 60;

export class KeyedQueue {
  readonly #timers: Timers;
  readonly #onTaken: ((key: string, seconds: number) => void) | undefined;
  /** Ready keys in the order in which they came, with the time since when. */
  readonly #ready = new Map<string, number>();
  readonly #working = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly due: number; readonly cancel: () => void }>();
  /** Told that there is a key to take. */
  onReady: () => void = () => undefined;
  #closed = false;

  /** @param onTaken told of each key that is handed out, and the seconds that it was ready before */
  constructor(timers: Timers = realTimers, onTaken?: (key: string, seconds: number) => void) {
    this.#timers = timers;
    this.#onTaken = onTaken;
  }

  /** Keys that wait to be handed out, delayed ones not counted. */
  get depth(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#undelay(key);
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#ready.has(key)) return;
    this.#ready.set(key, performance.now());
    this.onReady();
  }

  /** Adds the key after a while; of several delays for one key the shortest counts. */
  addAfter(key: string, seconds: number): void {
    if (this.#closed) return;
    if (seconds <= 0) {
      this.add(key);
      return;
    }
    const due = performance.now() + seconds * 1000;
    const earlier = this.#delayed.get(key);
    if (earlier && earlier.due <= due) return;
    earlier?.cancel();
    this.#delayed.set(key, { due, cancel: this.#timers.after(seconds, () => this.add(key)) });
  }

  /** Adds the key after its backoff: 0.5 s, doubled with each failure in a row, at most 60 s. Returns the seconds. */
  addAfterFailure(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const seconds = Math.min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** failures);
    this.addAfter(key, seconds);
    return seconds;
  }

  /** Adds the key at once, or after its backoff where it failed before. Returns the seconds. */
  addAfterConflict(key: string): number {
    const failures = this.failures(key);
    if (failures > 0) return this.addAfterFailure(key);
    this.#failures.set(key, 1);
    this.add(key);
    return 0;
  }

  /** How often the key failed in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The key that has waited longest; undefined where none waits. */
  take(): string | undefined {
    const next = this.#ready.entries().next();
    if (next.done) return undefined;
    const [key, since] = next.value;
    this.#ready.delete(key);
    this.#working.add(key);
    this.#onTaken?.(key, (performance.now() - since) / 1000);
    return key;
  }

  /** The key was worked on; to be called once for each one taken. */
  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#ready.clear();
  }

  #undelay(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }
}
