/**
 * The prediction log: what was asked and answered, on disk.
 *
 * Entries are committed in groups, without a timer: whatever came while one group was written and synced is the next. In
 * mode Strict a prediction is answered when its group is on disk; in Background and Sampled at once, so that a crash may lose what
 * was not yet written. The disk that it takes is bounded: the oldest segments go, and what was in them is counted.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RequestError } from "../errors.ts";
import { type LogEntry, segmentName, segmentsOf } from "./segments.ts";

export const LOG_MODES = ["Off", "Sampled", "Background", "Strict"] as const;
export type LogMode = (typeof LOG_MODES)[number];

export type LogObserver = {
  logged(entries: number, seconds: number): void;
  /** Entries that nobody can read: the disk was full, too many waited, or the oldest made room. */
  dropped(entries: number, reason: "error" | "queue" | "space"): void;
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
  readonly limits?: Partial<LogLimits>;
};

export type LogLimits = {
  /** Bytes after which a segment is closed. */
  readonly segmentBytes: number;
  /** Bytes of all segments together. */
  readonly totalBytes: number;
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
type Segment = { readonly path: string; bytes: number; entries: number };

export class PredictionLog {
  readonly #options: PredictionLogOptions;
  readonly #limits: LogLimits;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #begun = 0;
  #file: { readonly handle: FileHandle; readonly segment: Segment } | undefined;
  /** Closed ones, oldest first. */
  #closed: Segment[] | undefined;

  constructor(options: PredictionLogOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    if (options.mode !== "Off") mkdirSync(options.folder, { recursive: true, mode: 0o700 });
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
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  async #write(): Promise<void> {
    const { observer, clock } = this.#options;
    // In the next turn: requests that were answered by one batch are one group.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      this.#bytes = 0;
      const start = clock.now();
      try {
        await this.#commit(group.map(({ line }) => line).join(""), group.length);
        observer.logged(group.length, (clock.now() - start) / 1000);
        for (const { done } of group) done();
      } catch (error) {
        observer.dropped(group.length, "error");
        for (const { done } of group) done(new NotLoggedError((error as Error).message));
      }
      observer.lag(this.#waiting.length);
    }
    this.#writing = undefined;
  }

  /** On disk when it resolves. A group that failed part-way is cut off again by beginning another segment. */
  async #commit(text: string, entries: number): Promise<void> {
    const bytes = Buffer.byteLength(text);
    await this.#makeRoom(bytes);
    const { handle, segment } = await this.#open();
    try {
      await handle.writeFile(text);
      await handle.datasync();
    } catch (error) {
      this.#file = undefined;
      await handle.truncate(segment.bytes).catch(() => undefined);
      await handle.close().catch(() => undefined);
      this.#closed?.push(segment);
      throw error;
    }
    segment.bytes += bytes;
    segment.entries += entries;
    if (segment.bytes < this.#limits.segmentBytes) return;
    this.#file = undefined;
    await handle.close();
    this.#closed?.push(segment);
  }

  async #open(): Promise<{ handle: FileHandle; segment: Segment }> {
    if (this.#file) return this.#file;
    const { folder, clock } = this.#options;
    // Always a new one: what an earlier process left may end within a line.
    // Later than the one before, whatever the clock says: names are the order.
    this.#begun = Math.max(clock.now(), this.#begun + 1);
    const path = join(folder, segmentName(this.#begun, randomBytes(4).toString("hex")));
    const handle = await open(path, "ax", 0o600);
    const directory = await open(folder);
    await directory.datasync().finally(() => directory.close());
    this.#file = { handle, segment: { path, bytes: 0, entries: 0 } };
    return this.#file;
  }

  /** Removes the oldest segments until so many bytes fit. */
  async #makeRoom(bytes: number): Promise<void> {
    this.#closed ??= await this.#found();
    const closed = this.#closed;
    let total = closed.reduce((sum, one) => sum + one.bytes, this.#file?.segment.bytes ?? 0);
    while (total + bytes > this.#limits.totalBytes) {
      const oldest = closed.shift();
      if (!oldest) return;
      await rm(oldest.path, { force: true });
      total -= oldest.bytes;
      this.#options.observer.dropped(oldest.entries, "space");
    }
  }

  /** What earlier processes left. How many entries it holds is not counted: a segment is dropped as at least one. */
  async #found(): Promise<Segment[]> {
    const segments = await segmentsOf(this.#options.folder);
    return Promise.all(
      segments.map(async ({ path }) => ({ path, bytes: (await stat(path)).size, entries: 1 })),
    );
  }
}
