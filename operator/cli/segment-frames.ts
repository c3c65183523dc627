/** A prediction log as the operator hands it out (operator/serving/segments.ts): frames, and the lines in them. */
import { createGunzip } from "node:zlib";
import { SEGMENT_OBJECT_BYTES } from "../api/prediction-log.ts";
import type { Frame } from "../serving/segments.ts";
import { streamOf } from "../storage/streams.ts";

export type Segment = { readonly name: string; readonly body: Uint8Array };

const HEADER_BYTES = 4096;
/** Longest line, in bytes: larger than any request that a server takes. */
const LINE_BYTES = 256 * 1024 ** 2;

/** The part was cut short: the operator ended, or the connection. */
export class CutShortError extends Error {
  override readonly name = "CutShortError";
}

/**
 * The segments of one part; returns whether another one follows.
 * @throws CutShortError where the part ends within a segment, or without saying that it ends
 */
export async function* segmentsOfPart(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Segment, boolean> {
  const input = new Input(pieces);
  try {
    for (;;) {
      const header = JSON.parse((await input.line(HEADER_BYTES)).toString("utf8")) as Frame;
      if ("end" in header) return false;
      if ("more" in header) return true;
      if (!(header.bytes >= 0 && header.bytes <= SEGMENT_OBJECT_BYTES)) {
        throw new Error(`the operator announced a segment of ${header.bytes} bytes: more than there can be`);
      }
      yield { name: header.segment, body: await input.take(header.bytes) };
    }
  } finally {
    await input.close();
  }
}

/** Lines of a compressed segment, one in memory at a time. Throws where it is no gzip, or a line has no end. */
export async function* linesOf({ body }: Segment, maxBytes = LINE_BYTES): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let length = 0;
  const content = streamOf(body).body.pipe(createGunzip());
  for await (const chunk of content as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = chunk.subarray(start, end);
      yield rest.length === 0 ? line.toString("utf8") : Buffer.concat([...rest, line]).toString("utf8");
      rest = [];
      length = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    rest.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > maxBytes) throw new Error(`a line of more than ${maxBytes} bytes`);
  }
}

/** Bytes that come in pieces, taken as they are needed. */
class Input {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Lets go of where they come from. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async line(maxBytes: number): Promise<Buffer> {
    for (;;) {
      const end = this.#rest.indexOf(10);
      if (end >= 0) {
        const line = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      if (this.#rest.length > maxBytes)
        throw new Error("the operator answered something else than a prediction log");
      this.#rest = Buffer.concat([this.#rest, await this.#next()]);
    }
  }

  async take(count: number): Promise<Buffer> {
    const parts = [this.#rest];
    let length = this.#rest.length;
    while (length < count) {
      const piece = await this.#next();
      parts.push(piece);
      length += piece.length;
    }
    const all = parts.length === 1 ? this.#rest : Buffer.concat(parts);
    this.#rest = all.subarray(count);
    return all.subarray(0, count);
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#pieces.next();
    if (done) throw new CutShortError("the prediction log was cut short");
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}
