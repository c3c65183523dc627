/**
 * The folder of the prediction log: one open segment that is appended to, and closed ones, oldest first.
 *
 * Bounded: where a group does not fit, the oldest closed segments go, and what was in them is counted. Append and close wait
 * for one another.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { type FileHandle, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Group } from "./group.ts";
import { segmentName, segmentsOf } from "./segments.ts";

export type FolderLimits = {
  /** Bytes after which a segment is closed. */
  readonly segmentBytes: number;
  /** Bytes of all segments together. */
  readonly totalBytes: number;
};

/** A closed segment. */
export type Segment = {
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly begun: number;
  bytes: number;
  /** undefined where an earlier process left it: then they are counted when that matters. */
  entries: number | undefined;
};

type OpenSegment = { readonly handle: FileHandle; readonly segment: Segment & { entries: number } };

export class SegmentFolder {
  readonly #folder: string;
  readonly #limits: FolderLimits;
  readonly #clock: { now(): number };
  readonly #onDropped: (entries: number) => void;
  readonly #taken = new Map<Segment, { dropped: boolean }>();
  #begun = 0;
  #file: OpenSegment | undefined;
  /** At first what earlier processes left. */
  readonly #closed: Segment[];
  #turn: Promise<unknown> = Promise.resolve();

  /** @param onDropped entries that made room for others */
  constructor(
    folder: string,
    limits: FolderLimits,
    clock: { now(): number },
    onDropped: (entries: number) => void,
  ) {
    this.#folder = folder;
    this.#limits = limits;
    this.#clock = clock;
    this.#onDropped = onDropped;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#closed = segmentsOf(folder).map(({ path, begun }) => ({
        path,
        begun,
        bytes: statSync(path).size,
        entries: undefined,
      }));
    } catch (error) {
      throw new Error(
        `the prediction log cannot be kept in ${folder}: expected a directory that this server may read and write, found ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  /** Writes whole lines; on disk when it resolves. What failed part-way is cut off again, and another segment begun. */
  append(group: Group): Promise<void> {
    return this.#inTurn(() => this.#append(group));
  }

  /** Closes the open segment, if there is one that began this long ago; without a time, whenever it began: a clock may have been set back. */
  close(milliseconds = Number.NEGATIVE_INFINITY): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#file && this.#clock.now() - this.#file.segment.begun >= milliseconds) await this.#closeFile();
    });
  }

  /** When the oldest segment began; undefined where there is none. */
  get oldest(): number | undefined {
    return (this.#closed[0] ?? this.#file?.segment)?.begun;
  }

  /** When the open segment began. */
  get opened(): number | undefined {
    return this.#file?.segment.begun;
  }

  /**
   * Takes the oldest closed segment, to be given back by `sent` or `kept`. Meanwhile it may be dropped: its entries are
   * counted when it is given back and was not sent.
   */
  take(): Segment | undefined {
    const [segment] = this.#closed;
    if (segment) this.#taken.set(segment, { dropped: false });
    return segment;
  }

  /** It is elsewhere now, and needed no more. */
  async sent(segment: Segment): Promise<void> {
    this.#taken.delete(segment);
    const place = this.#closed.indexOf(segment);
    if (place >= 0) this.#closed.splice(place, 1);
    await rm(segment.path, { force: true });
  }

  kept(segment: Segment): void {
    if (this.#taken.get(segment)?.dropped) this.#onDropped(segment.entries ?? 1);
    this.#taken.delete(segment);
  }

  /** Closed segments, and what is in them. */
  get waiting(): { readonly segments: number; readonly bytes: number } {
    return { segments: this.#closed.length, bytes: this.#closed.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(action);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #append({ bytes, entries, content }: Group): Promise<void> {
    await this.#makeRoom(bytes);
    const { handle, segment } = await this.#open();
    try {
      for (const part of content) await handle.writeFile(part);
      await handle.datasync();
    } catch (error) {
      this.#file = undefined;
      await handle.truncate(segment.bytes).catch(() => undefined);
      await handle.close().catch(() => undefined);
      // A full disk takes names where it takes no bytes: it must not be one more empty file with each group.
      if (segment.bytes > 0) this.#closed.push(segment);
      else await rm(segment.path, { force: true }).catch(() => this.#closed.push(segment));
      throw error;
    }
    segment.bytes += bytes;
    segment.entries += entries;
    if (segment.bytes >= this.#limits.segmentBytes) await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    await file.handle.close();
    this.#closed.push(file.segment);
  }

  async #open(): Promise<OpenSegment> {
    if (this.#file) return this.#file;
    // Always a new one: what an earlier process left may end within a line.
    // Later than the one before, whatever the clock says: names are the order.
    this.#begun = Math.max(this.#clock.now(), this.#begun + 1);
    const path = join(this.#folder, segmentName(this.#begun, randomBytes(4).toString("hex")));
    const handle = await open(path, "ax", 0o600);
    try {
      const directory = await open(this.#folder);
      await directory.datasync().finally(() => directory.close());
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(path, { force: true }).catch(() => undefined);
      throw error;
    }
    this.#file = { handle, segment: { path, begun: this.#begun, bytes: 0, entries: 0 } };
    return this.#file;
  }

  /** Removes the oldest segments until so many bytes fit. */
  async #makeRoom(bytes: number): Promise<void> {
    const closed = this.#closed;
    let total = closed.reduce((sum, one) => sum + one.bytes, this.#file?.segment.bytes ?? 0);
    while (total + bytes > this.#limits.totalBytes) {
      const oldest = closed.shift();
      if (!oldest) return;
      oldest.entries ??= await entriesIn(oldest.path);
      await rm(oldest.path, { force: true });
      total -= oldest.bytes;
      const taken = this.#taken.get(oldest);
      if (taken) taken.dropped = true;
      else this.#onDropped(oldest.entries);
    }
  }
}

async function entriesIn(path: string): Promise<number> {
  const body = await readFile(path).catch(() => Buffer.alloc(0));
  let count = 0;
  for (let at = body.indexOf(10); at >= 0; at = body.indexOf(10, at + 1)) count++;
  return count;
}
