/**
 * The prediction log: what was asked and answered, on disk.
 *
 * Entries are committed in groups, without a timer: whatever came while one group was written and synced is the next. In
 * mode Strict a prediction is answered when its group is on disk; in Background and Sampled at once, so that a crash may lose what
 * was not yet written. The disk that it takes is bounded: the oldest segments go, and what was in them is counted.
 */
import { RequestError } from "../errors.ts";
import { Group } from "./group.ts";
import { type FolderLimits, SegmentFolder } from "./segment-folder.ts";
import type { LogEntry } from "./segments.ts";

export const LOG_MODES = ["Off", "Sampled", "Background", "Strict"] as const;
export type LogMode = (typeof LOG_MODES)[number];

export type LogObserver = {
  logged(entries: number, seconds: number): void;
  /** Entries that nobody can read: the disk was full, too many waited, the oldest made room, or the store never takes them. */
  dropped(entries: number, reason: "error" | "queue" | "space" | "refused"): void;
  /** Entries that are not on disk yet. */
  lag(entries: number): void;
};

export type PredictionLogOptions = {
  readonly folder: string;
  readonly mode: LogMode;
  /** Share of the requests that Sampled keeps, 0 to 1. */
  readonly sample: number;
  readonly observer: LogObserver;
  readonly clock: { now(): number };
  readonly random: () => number;
  /** Who is told that the log cannot be written, and when it can be again; absent: nobody. */
  readonly log?: { warn(message: string): void; info(message: string): void };
  readonly limits?: Partial<LogLimits>;
};

export type LogLimits = FolderLimits & {
  /** Bytes that may wait to be written; more is dropped, or refused in mode Strict. */
  readonly waitingBytes: number;
};

const LIMITS: LogLimits = {
  segmentBytes: 16 * 1024 ** 2,
  totalBytes: 512 * 1024 ** 2,
  waitingBytes: 64 * 1024 ** 2,
};

/** 503 in mode Strict: what cannot be logged is not answered. */
export class NotLoggedError extends RequestError {
  override readonly name = "NotLoggedError";
  constructor(why: string) {
    super(503, "NotLogged", `the prediction was not given, because it could not be logged: ${why}`, 1);
  }
}

/** A group, and in mode Strict who waits for it. */
type Waiting = { readonly group: Group; readonly done: ((error?: Error) => void)[] };

export class PredictionLog {
  readonly #options: PredictionLogOptions;
  readonly #limits: LogLimits;
  /** The next to be written first. Each but the last is as large as a segment. */
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** Groups in a row that could not be written. */
  #failures = 0;
  /** Where it is kept; undefined where nothing is. */
  readonly folder: SegmentFolder | undefined;

  constructor(options: PredictionLogOptions) {
    this.#options = options;
    const limits = { ...LIMITS, ...options.limits };
    // The open segment cannot make room: it must not take all there is.
    this.#limits = { ...limits, segmentBytes: Math.min(limits.segmentBytes, limits.totalBytes / 2) };
    const { folder, mode, clock, observer } = options;
    if (mode === "Off") return;
    this.folder = new SegmentFolder(folder, this.#limits, clock, (entries) =>
      observer.dropped(entries, "space"),
    );
  }

  /** Resolves when the answer may be given. Throws NotLoggedError in mode Strict alone. */
  async record(entry: () => Omit<LogEntry, "time">): Promise<void> {
    const { mode, sample, random, clock, observer } = this.#options;
    if (mode === "Off" || (mode === "Sampled" && random() >= sample)) return;
    const time = new Date(clock.now()).toISOString();
    const line = `${JSON.stringify({ time, ...entry() })}\n`;
    const waiting = this.#waiting.reduce((sum, { group }) => sum + group.bytes, 0);
    if (waiting > 0 && waiting + line.length > this.#limits.waitingBytes) {
      observer.dropped(1, "queue");
      if (mode === "Strict") throw new NotLoggedError("too much is waiting to be written");
      return;
    }
    const { group, done } = this.#open();
    group.add(line);
    observer.lag(this.#entries);
    this.#writing ??= this.#write();
    if (mode !== "Strict") return;
    await new Promise<void>((resolve, reject) => {
      done.push((error) => (error ? reject(error) : resolve()));
    });
  }

  /** Writes what waits, and closes. */
  async close(): Promise<void> {
    while (this.#writing) await this.#writing;
    await this.folder?.close();
  }

  async #write(): Promise<void> {
    const { observer, clock, log, mode } = this.#options;
    // In the next turn: requests that were answered by one batch are one group.
    await new Promise(setImmediate);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { group, done } = next;
      const start = clock.now();
      try {
        await this.folder?.append(group);
        observer.logged(group.entries, (clock.now() - start) / 1000);
        if (this.#failures > 0)
          log?.info(`the prediction log is written again, after ${this.#failures} failures`);
        this.#failures = 0;
        for (const one of done) one();
      } catch (error) {
        observer.dropped(group.entries, "error");
        const why = whyNot(error);
        // Once: it may go on for hours, and each refused request is in the log of the server already.
        if (this.#failures++ === 0) {
          const effect =
            mode === "Strict" ? "no prediction is given" : "predictions are given that are not in it";
          log?.warn(
            `the prediction log cannot be written, and ${effect}: ${why} (${(error as Error).message})`,
          );
        }
        for (const one of done) one(new NotLoggedError(why));
      }
      observer.lag(this.#entries);
    }
    this.#writing = undefined;
  }

  /** Entries that wait, but for those that are being written. */
  get #entries(): number {
    return this.#waiting.reduce((sum, { group }) => sum + group.entries, 0);
  }

  /** The group that takes the next entry. */
  #open(): Waiting {
    const last = this.#waiting.at(-1);
    if (last && last.group.bytes < this.#limits.segmentBytes) return last;
    const next = { group: new Group(), done: [] };
    this.#waiting.push(next);
    return next;
  }
}

/** Why nothing could be written, and what to do, without the paths of this machine: callers are told. */
function whyNot(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT"
    ? "its disk is full; make room on it, or keep less of the log (--log-bytes)"
    : `its folder cannot be written (${code ?? name})`;
}
