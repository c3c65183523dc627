/**
 * The prediction log: what was asked and answered, on disk.
 *
 * Entries are committed in groups, without a timer: whatever came while one group was written and synced is the next. In
 * mode Strict a prediction is answered when its group is on disk; in Background and Sampled at once, so that a crash may lose what
 * was not yet written. The disk that it takes is bounded: the oldest segments go, and what was in them is counted.
 */
import { RequestError } from "../errors.ts";
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

type Waiting = { readonly line: string; readonly done: (error?: Error) => void };

export class PredictionLog {
  readonly #options: PredictionLogOptions;
  readonly #limits: LogLimits;
  #waiting: Waiting[] = [];
  #bytes = 0;
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
    if (this.#bytes > 0 && this.#bytes + line.length > this.#limits.waitingBytes) {
      observer.dropped(1, "queue");
      if (mode === "Strict") throw new NotLoggedError("too much is waiting to be written");
      return;
    }
    this.#bytes += line.length;
    const written = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ line, done: (error) => (error ? reject(error) : resolve()) });
    });
    observer.lag(this.#waiting.length);
    this.#writing ??= this.#write();
    if (mode === "Strict") await written;
    else written.catch(() => undefined);
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
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      const start = clock.now();
      try {
        await this.folder?.append(group.map(({ line }) => line).join(""), group.length);
        observer.logged(group.length, (clock.now() - start) / 1000);
        if (this.#failures > 0)
          log?.info(`the prediction log is written again, after ${this.#failures} failures`);
        this.#failures = 0;
        for (const { done } of group) done();
      } catch (error) {
        observer.dropped(group.length, "error");
        const why = whyNot(error);
        // Once: it may go on for hours, and each refused request is in the log of the server already.
        if (this.#failures++ === 0) {
          const effect =
            mode === "Strict" ? "no prediction is given" : "predictions are given that are not in it";
          log?.warn(
            `the prediction log cannot be written, and ${effect}: ${why} (${(error as Error).message})`,
          );
        }
        for (const { done } of group) done(new NotLoggedError(why));
      }
      observer.lag(this.#waiting.length);
    }
    this.#writing = undefined;
  }

  /** What waits, or as much of it as a segment may have. */
  #nextGroup(): readonly Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ line }) => {
      const full = bytes >= this.#limits.segmentBytes;
      if (!full) bytes += line.length;
      return full;
    });
    const group = end < 0 ? this.#waiting : this.#waiting.slice(0, end);
    this.#waiting = end < 0 ? [] : this.#waiting.slice(end);
    this.#bytes -= bytes;
    return group;
  }
}

/** Why nothing could be written, and what to do, without the paths of this machine: callers are told. */
function whyNot(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT"
    ? "its disk is full; make room on it, or keep less of the log (--log-bytes)"
    : `its folder cannot be written (${code ?? name})`;
}
