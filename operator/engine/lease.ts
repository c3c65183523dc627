/**
 * Leader election by a Lease, with the semantics of client-go's leaderelection: a candidate takes a lease over that it has
 * not seen renewed for its whole duration, by its own clock; a leader that cannot renew stops before others may begin.
 */

/** What the Lease says. Times in milliseconds since the epoch. */
export type LeaseRecord = {
  /** Identity of the leader; empty: released. */
  readonly holder: string;
  readonly durationSeconds: number;
  readonly acquiredAt: number;
  readonly renewedAt: number;
  readonly transitions: number;
};

export type StoredLease = {
  readonly record: LeaseRecord;
  /** Changes with every write. */
  readonly version: string;
};

export interface LeaseStore {
  get(): Promise<StoredLease | undefined>;
  /**
   * Writes where the version is still the stored one (undefined: where there is none).
   * undefined: somebody else was faster. Any other failure throws.
   */
  write(record: LeaseRecord, version: string | undefined): Promise<StoredLease | undefined>;
}

export type LeaseTimings = {
  /** Seconds for which a lease holds without being renewed. */
  readonly lease: number;
  /** Seconds after the last renewal at which a leader gives up: less than lease, by the time it takes to stop. */
  readonly renewDeadline: number;
  /** Seconds between tries. */
  readonly retry: number;
};

/** Those of client-go and the Kubernetes control plane. */
export const LEASE_TIMINGS: LeaseTimings = { lease: 15, renewDeadline: 10, retry: 2 };

export type LeaseClock = {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after so many seconds, or at once when the signal is aborted. */
  sleep(seconds: number, signal: AbortSignal): Promise<void>;
};

export type ElectionOptions = {
  readonly store: LeaseStore;
  readonly identity: string;
  readonly clock: LeaseClock;
  readonly timings?: LeaseTimings;
  /** 0..1; spreads the tries of several candidates. */
  readonly random?: () => number;
  /** Told of tries that failed; the election goes on. */
  readonly onError?: (error: unknown) => void;
  /** Told of who leads, whenever that changes. */
  readonly onLeader?: (identity: string) => void;
};

/** How leading ended: asked to stop, and the lease was given back; or it could not be kept. */
export type Ending = "Released" | "Lost";

export class Election {
  readonly #options: ElectionOptions;
  readonly #timings: LeaseTimings;
  #observed: { readonly version: string; readonly at: number } | undefined;
  #stored: StoredLease | undefined;
  #leader = "";

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#timings = options.timings ?? LEASE_TIMINGS;
  }

  /**
   * Waits for the lease, then leads until the signal is aborted (the lease is released) or the lease is lost.
   * @param lead called once this process leads. Its signal is aborted when it has to stop at once: nobody else
   *   leads for `lease - renewDeadline` seconds from then.
   * @returns undefined where the signal was aborted before this process ever led
   */
  async run(signal: AbortSignal, lead: (lost: AbortSignal) => void): Promise<Ending | undefined> {
    while (!signal.aborted && !(await this.#try())) await this.#pause(signal);
    if (!this.#holds()) return undefined;
    const lost = new AbortController();
    lead(lost.signal);
    const kept = await this.#keep(signal);
    if (!kept) {
      lost.abort();
      return "Lost";
    }
    return "Released";
  }

  /** Gives the lease back, so that the next leader need not wait for it to run out. To be called when work has ended. */
  async release(): Promise<void> {
    const stored = this.#stored;
    if (!stored || !this.#holds()) return;
    const now = this.#options.clock.now();
    this.#stored = undefined;
    await this.#options.store.write(
      { ...stored.record, holder: "", durationSeconds: 1, renewedAt: now },
      stored.version,
    );
  }

  #holds(): boolean {
    return this.#stored?.record.holder === this.#options.identity;
  }

  /** Renews until the signal is aborted (true) or the deadline passes without a renewal (false). */
  async #keep(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    let renewed = clock.now();
    while (!signal.aborted) {
      await this.#pause(signal);
      if (signal.aborted) return true;
      const left = renewed + this.#timings.renewDeadline * 1000 - clock.now();
      if (left <= 0) return false;
      const begun = clock.now();
      // A request that hangs must not hold up the end.
      const over = new AbortController();
      const answer = await Promise.race([
        this.#try(),
        clock.sleep(left / 1000, AbortSignal.any([signal, over.signal])).then(() => "Late" as const),
      ]);
      over.abort();
      if (signal.aborted) return true;
      if (answer === true) renewed = begun;
      else if (answer === "Late" || this.#leader !== this.#options.identity) return false;
    }
    return true;
  }

  /** Takes or renews the lease if that may be done now. */
  async #try(): Promise<boolean> {
    const { store, clock, identity, onError } = this.#options;
    try {
      const now = clock.now();
      const current = this.#holds() ? this.#stored : await store.get();
      this.#see(current, now);
      const held = current !== undefined && current.record.holder !== "";
      const isMine = current?.record.holder === identity;
      const expires = (this.#observed?.at ?? now) + (current?.record.durationSeconds ?? 0) * 1000;
      if (held && !isMine && now < expires) return false;
      const record: LeaseRecord = {
        holder: identity,
        durationSeconds: this.#timings.lease,
        acquiredAt: isMine ? (current?.record.acquiredAt ?? now) : now,
        renewedAt: now,
        transitions: (current?.record.transitions ?? 0) + (current && !isMine ? 1 : 0),
      };
      const written = await store.write(record, current?.version);
      if (!written) {
        // Somebody else wrote it: read who.
        this.#stored = undefined;
        const next = await store.get();
        this.#see(next, clock.now());
        // Written by this process, in a request whose answer was lost: it holds.
        if (next?.record.holder === identity) this.#stored = next;
        return false;
      }
      this.#stored = written;
      this.#see(written, now);
      return true;
    } catch (error) {
      onError?.(error);
      return false;
    }
  }

  #see(stored: StoredLease | undefined, at: number): void {
    if (stored && this.#observed?.version !== stored.version)
      this.#observed = { version: stored.version, at };
    const leader = stored?.record.holder ?? "";
    if (leader !== this.#leader) {
      this.#leader = leader;
      if (leader !== "") this.#options.onLeader?.(leader);
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    return clock.sleep(this.#timings.retry * (1 + 0.2 * random()), signal);
  }
}
