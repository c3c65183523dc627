/** Reading what may be large without holding it: models, archives. */
import { Readable } from "node:stream";

export type StoredStream = {
  /** Bytes that will come. */
  readonly size: number;
  /** The object, once. It is destroyed, with an error, where the store fails on the way; who does not read it to its end destroys it. */
  readonly body: Readable;
};

export interface Streams {
  /** Throws NotFoundError where there is no such key, before anything is read. */
  open(key: string): Promise<StoredStream>;
}

/** What is in memory, as if it came from the store. */
export function streamOf(bytes: Uint8Array): StoredStream {
  return { size: bytes.byteLength, body: Readable.from([Buffer.from(bytes)], { objectMode: false }) };
}
