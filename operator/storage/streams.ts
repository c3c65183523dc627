/** Reading what may be large without holding it: models, archives. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { ObjectDigest } from "./artifact-store.ts";

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

/** Reads a stream to its end. */
export async function digestOf({ body }: StoredStream): Promise<ObjectDigest> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    hash.update(piece);
    size += piece.length;
  }
  return { sha256: hash.digest("hex"), size };
}

/** What is in memory, as if it came from the store. */
export function streamOf(bytes: Uint8Array): StoredStream {
  return { size: bytes.byteLength, body: Readable.from([Buffer.from(bytes)], { objectMode: false }) };
}
