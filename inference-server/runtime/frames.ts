/** The server's side of runner/autoai_runner/serve/wire.py: JSON for text, raw doubles (little endian) for numbers. */
import { endianness } from "node:os";
import type { RowBatch } from "./runtime.ts";

const HEAD_BYTES = 8;

export type Frame = { readonly json: unknown; readonly numbers: Float64Array };

/** A frame with one request's rows or several, merged column by column. */
export function encodeRows(kind: "predict" | "reference", requests: readonly RowBatch[]): Buffer {
  const [first] = requests;
  const rows = requests.reduce((sum, { count }) => sum + count, 0);
  const columns = first?.numbers.length ?? 0;
  const texts =
    requests.length === 1
      ? first?.texts
      : first?.texts.map((_, column) => requests.flatMap((request) => request.texts[column] ?? []));
  const json = Buffer.from(JSON.stringify({ kind, rows, texts }));
  const frame = Buffer.allocUnsafe(HEAD_BYTES + json.length + columns * rows * 8);
  writeHead(frame, json);
  let at = HEAD_BYTES + json.length;
  for (let column = 0; column < columns; column++) {
    for (const request of requests) {
      const cells = request.numbers[column];
      if (!cells) continue;
      Buffer.from(cells.buffer, cells.byteOffset, cells.byteLength).copy(frame, at);
      at += cells.byteLength;
    }
  }
  return frame;
}

/** A frame of some text, and numbers after it. */
export function encodeFrame(value: unknown, numbers: Float64Array = new Float64Array()): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  const frame = Buffer.allocUnsafe(HEAD_BYTES + json.length + numbers.byteLength);
  writeHead(frame, json);
  Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).copy(frame, HEAD_BYTES + json.length);
  return frame;
}

function writeHead(frame: Buffer, json: Buffer): void {
  frame.writeUInt32BE(frame.length - 4, 0);
  frame.writeUInt32BE(json.length, 4);
  json.copy(frame, HEAD_BYTES);
}

/** Takes bytes as they come and gives whole frames. Throws where a frame is larger than allowed or none. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  readonly #limit: () => number;

  /** @param limit bytes that the next frame may have: the other side is not trusted */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      if (this.#bytes < HEAD_BYTES) return frames;
      const head = this.#join();
      const length = head.readUInt32BE(0);
      const jsonLength = head.readUInt32BE(4);
      if (length > this.#limit()) throw new Error(`the worker sent a frame of ${length} bytes`);
      const doubles = length - 4 - jsonLength;
      if (doubles < 0 || doubles % 8 !== 0) throw new Error("the worker sent a frame that is none");
      if (head.length < 4 + length) return frames;
      const json = JSON.parse(head.toString("utf8", HEAD_BYTES, HEAD_BYTES + jsonLength)) as unknown;
      frames.push({ json, numbers: floats(head.subarray(HEAD_BYTES + jsonLength, 4 + length)) });
      const rest = head.subarray(4 + length);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#bytes = rest.length;
    }
  }

  /** Joined only when a frame may be whole: large ones come in many chunks. */
  #join(): Buffer {
    const [first] = this.#chunks;
    if (first && this.#chunks.length > 1 && first.length >= 4 && this.#bytes < 4 + first.readUInt32BE(0)) {
      return first.length >= HEAD_BYTES ? first : Buffer.concat(this.#chunks);
    }
    const joined = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}

function floats(bytes: Buffer): Float64Array {
  // A copy of its own: the bytes are not aligned, and the buffer is the socket's.
  const copy = new Uint8Array(bytes);
  if (endianness() === "BE") Buffer.from(copy.buffer).swap64();
  return new Float64Array(copy.buffer);
}
