/**
 * Sends closed segments of the prediction log to the store, compressed, the oldest first, and removes what has arrived.
 *
 * A segment is closed by its size, or by its age here, so that an idle server's entries arrive too. What is not sent is kept and tried
 * again, for as long as the folder has room. A segment's key follows from its file: one that is sent twice, because the server ended
 * between its arrival and its removal, is one object.
 */
import { open, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { LogGrant, segmentKey } from "../../operator/api/prediction-log.ts";
import { postForm } from "./post-form.ts";
import type { Segment, SegmentFolder } from "./segment-folder.ts";

export type ShipObserver = {
  /** A segment has arrived. */
  shipped(bytes: number): void;
  /** NoGrant: there is no leave to send; Refused: the store said no; Unreachable: it did not answer, or cannot just now. */
  shipFailed(reason: ShipFailure): void;
  /** A segment that the store will never take; where the number of its entries is not known, one. */
  dropped(entries: number, reason: "refused"): void;
};
export type ShipFailure = "NoGrant" | "Refused" | "Unreachable";

export type ShipperOptions = {
  readonly folder: SegmentFolder;
  /** File with a LogGrant in JSON; read each time, since it is replaced before it expires. */
  readonly grantFile: string;
  /** Names this server among those of its deployment. */
  readonly server: string;
  /** Seconds after which the open segment is closed. */
  readonly segmentSeconds: number;
  readonly observer: ShipObserver;
  readonly log: { warn(message: string): void; info(message: string): void };
  readonly clock: { now(): number };
  readonly random: () => number;
  /** Seconds before another try: doubled with each failure, from the first to the second. */
  readonly retrySeconds?: readonly [number, number];
};

const RETRY_SECONDS = [1, 60] as const;
const POST_SECONDS = 60;
/** The fastest, since it shares the processor with requests: level 6 takes twice as long for a tenth less (docs/decisions/0028). */
const COMPRESSION_LEVEL = 1;
const compress = promisify(gzip);

/** Its message names neither the form nor its fields. */
class ShipError extends Error {
  override readonly name = "ShipError";
  readonly reason: ShipFailure;
  /** The store will never take it. */
  readonly final: boolean;
  constructor(reason: ShipFailure, message: string, final = false) {
    super(message);
    this.reason = reason;
    this.final = final;
  }
}

export class Shipper {
  readonly #options: ShipperOptions;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #failures = 0;
  /** What has been told of these failures. */
  #told: ShipFailure | undefined;

  /** Begins at once, with what earlier processes left. */
  constructor(options: ShipperOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Seconds for which the oldest entry has waited to be sent, nearly; 0 where none does. */
  get lagSeconds(): number {
    const { folder, clock } = this.#options;
    return folder.oldest === undefined ? 0 : Math.max(0, (clock.now() - folder.oldest) / 1000);
  }

  /** Sends what is closed by now, for at most so long. Nothing is closed by it: the log's own close does that. */
  async finish(milliseconds: number): Promise<void> {
    this.#ending.abort();
    await this.#running;
    const { folder, log } = this.#options;
    const deadline = AbortSignal.timeout(Math.ceil(milliseconds));
    while (!deadline.aborted && folder.waiting.segments > 0) {
      if (!(await this.#shipNext(deadline))) await pause(Math.min(1, this.#pauseSeconds()), deadline);
    }
    const { segments, bytes } = folder.waiting;
    if (segments > 0)
      log.warn(
        `${segments} segments of the prediction log (${bytes} bytes) were not sent: they stay on the disk`,
      );
  }

  async #run(): Promise<void> {
    const { folder, segmentSeconds } = this.#options;
    const ending = this.#ending.signal;
    while (!ending.aborted) {
      // A disk that cannot close a segment cannot write one either: that is told where it is written.
      await folder.close(segmentSeconds * 1000).catch(() => undefined);
      if (folder.waiting.segments === 0) await pause(Math.min(1, segmentSeconds), ending);
      else if (!(await this.#shipNext(ending))) await pause(this.#pauseSeconds(), ending);
    }
  }

  /** Whether the oldest closed segment is out of the way. */
  async #shipNext(signal: AbortSignal): Promise<boolean> {
    const { folder, observer, log } = this.#options;
    const segment = folder.take();
    if (!segment) return true;
    try {
      const bytes = await this.#ship(segment, signal);
      // It made room for others before it was read: that is counted.
      if (bytes === undefined) folder.kept(segment);
      await folder.sent(segment);
      // What was empty, or gone, says nothing about the store.
      if (!bytes) return true;
      observer.shipped(bytes);
      if (this.#failures > 0) log.info(`the prediction log is sent again, after ${this.#failures} failures`);
      this.#failures = 0;
      this.#told = undefined;
      return true;
    } catch (error) {
      folder.kept(segment);
      if (signal.aborted) return false;
      const known = error instanceof ShipError ? error : unread(segment, error);
      if (known.final) {
        observer.dropped(segment.entries ?? 1, "refused");
        log.warn(`a segment of the prediction log (${segment.bytes} bytes) is given up: ${known.message}`);
        await folder.sent(segment);
        return true;
      }
      observer.shipFailed(known.reason);
      this.#failures++;
      // Once for each reason: it may go on for hours.
      if (known.reason !== this.#told)
        log.warn(`the prediction log is not sent, and kept meanwhile: ${known.message}`);
      this.#told = known.reason;
      return false;
    }
  }

  /** Bytes that were sent; undefined where the segment is gone. */
  async #ship(segment: Segment, signal: AbortSignal): Promise<number | undefined> {
    const content = await contentOf(segment.path);
    if (!content?.body.length) return content && 0;
    const { body, last } = content;
    const grant = await this.#grant();
    const packed = await compress(body, { level: COMPRESSION_LEVEL });
    const name = basename(segment.path, ".ndjson");
    await post(grant, segmentKey(grant.prefix, last, this.#options.server, name), packed, signal);
    return packed.length;
  }

  async #grant(): Promise<LogGrant> {
    const { grantFile, clock } = this.#options;
    let grant: LogGrant;
    try {
      grant = LogGrant.parse(JSON.parse(await readFile(grantFile, "utf8")));
    } catch (error) {
      // What is wrong with its text might repeat it.
      const why = (error as NodeJS.ErrnoException).code ?? "it is not the JSON that was expected";
      throw new ShipError(
        "NoGrant",
        `the leave to send it cannot be read from ${grantFile} (${why}): the operator writes it there; look whether it runs`,
      );
    }
    if (Date.parse(grant.expires) < clock.now()) {
      throw new ShipError(
        "NoGrant",
        `the leave to send it ended at ${grant.expires}, and the operator has not made it anew: look whether it runs`,
      );
    }
    return grant;
  }

  #pauseSeconds(): number {
    const [least, most] = this.#options.retrySeconds ?? RETRY_SECONDS;
    return Math.min(most, least * 2 ** (this.#failures - 1)) * (0.5 + this.#options.random());
  }
}

/**
 * Whole lines of a segment; undefined where it was dropped. What follows the last line's end was cut short by a crash, and
 * acknowledged by nobody. `last` is the time of its last write: the same however often it is sent, and by whatever process.
 */
async function contentOf(path: string): Promise<{ body: Buffer; last: number } | undefined> {
  try {
    await using file = await open(path);
    const body = await file.readFile();
    const { mtimeMs } = await file.stat();
    return { body: body.subarray(0, body.lastIndexOf(10) + 1), last: Math.ceil(mtimeMs) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** @throws ShipError */
async function post(grant: LogGrant, key: string, body: Uint8Array, signal: AbortSignal): Promise<void> {
  const timed = AbortSignal.any([signal, AbortSignal.timeout(POST_SECONDS * 1000)]);
  const { origin } = new URL(grant.url);
  const { status, answer } = await postForm(grant.url, { ...grant.fields, key }, body, timed).catch(
    (error) => {
      throw new ShipError("Unreachable", `the store at ${origin} is not reached: ${whyUnreached(error)}`);
    },
  );
  if (status >= 200 && status < 300) return;
  // The code alone: the rest of what the store says may repeat what it was sent.
  const code = /<Code>(\w{1,64})<\/Code>/.exec(answer)?.[1] ?? "no code";
  throw new ShipError(
    status >= 500 || status === 429 || status === 408 ? "Unreachable" : "Refused",
    `the store at ${origin} answered ${status} (${code})`,
    code === "EntityTooLarge",
  );
}

function whyUnreached(error: unknown): string {
  const { message, code, name } = error as NodeJS.ErrnoException;
  const late = name === "AbortError" || name === "TimeoutError";
  return late ? `no answer within ${POST_SECONDS} s` : message || (code ?? name);
}

/** Of a segment that could not be read, or that has arrived and could not be removed: it is sent once more. */
function unread({ path }: Segment, error: unknown): ShipError {
  return new ShipError("Unreachable", `${path} cannot be read or removed: ${(error as Error).message}`);
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => undefined);
}
