/** Reading a prediction log out of the store: segments as they lie there, the oldest first, a bounded part at a time. */
import { segmentKeyAt, segmentOf } from "../api/prediction-log.ts";
import { type ArtifactStore, NotFoundError } from "../storage/artifact-store.ts";
import { PAGE, type Pages } from "../storage/pages.ts";

/**
 * A line of JSON before each segment, and one at the end of a part: `more` where another part follows, to be asked for `after`
 * the last segment. A part without it was cut short.
 */
export type Frame =
  | { readonly segment: string; readonly bytes: number }
  | { readonly end: true }
  | { readonly more: true };

export type SegmentRange = {
  /** As predictionLogPrefix has it. */
  readonly prefix: string;
  /** Milliseconds since 1970: segments with entries from then on. A segment may have earlier ones too. */
  readonly since: number;
  /** The `segment` of the last frame that was read; absent at first. */
  readonly after?: string;
};

/** Bytes after which a part ends. */
export const PART_BYTES = 64 * 1024 ** 2;
/** The end of a segment is told by its file, whose clock may be a little behind that of its entries. */
const CLOCK_MILLISECONDS = 1000;

/** Frames and segments, alternating. Holds one segment at a time. */
export async function* segmentFrames(
  store: Pages & Pick<ArtifactStore, "get">,
  { prefix, since, after }: SegmentRange,
  partBytes = PART_BYTES,
): AsyncGenerator<Uint8Array> {
  const start = segmentKeyAt(prefix, since - CLOCK_MILLISECONDS);
  const last = after === undefined ? start : `${prefix}${after}`;
  const keys = await store.page(prefix, last > start ? last : start, PAGE);
  let sent = 0;
  for (const [index, key] of keys.entries()) {
    if (segmentOf(prefix, key) === undefined) continue;
    const body = await store.get(key).catch((error) => {
      // Its time was over in this very moment.
      if (error instanceof NotFoundError) return undefined;
      throw error;
    });
    if (!body) continue;
    yield frame({ segment: key.slice(prefix.length), bytes: body.byteLength });
    yield body;
    sent += body.byteLength;
    if (sent >= partBytes && index < keys.length - 1) {
      yield frame({ more: true });
      return;
    }
  }
  // A page of keys that are no segments at all ends the log: they are nothing that we wrote.
  yield frame(keys.length === PAGE && sent > 0 ? { more: true } : { end: true });
}

const frame = (value: Frame): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value)}\n`);
