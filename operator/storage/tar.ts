/** Files as one stream, and back: tar, written and read as it flows. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, pack } from "tar-stream";

export type TarEntry = {
  readonly path: string;
  /** Bytes of the body. */
  readonly size: number;
  readonly body: Readable;
};

/**
 * The archive of the entries, which are asked for one after the other, as the reader takes them. It breaks off, with the
 * error, where an entry does: what was sent until then is no archive.
 *
 * @param at the time that all files bear
 */
export function packTar(entries: AsyncIterable<TarEntry>, at: Date): Readable {
  const archive = pack();
  const packed = async (): Promise<void> => {
    for await (const { path, size, body } of entries) {
      if (archive.destroyed) {
        body.destroy();
        return;
      }
      await pipeline(body, archive.entry({ name: path, size, mtime: at }));
    }
    archive.finalize();
  };
  packed().catch((error) => archive.destroy(error));
  return Readable.from(archive, { objectMode: false });
}

/** The files of an archive, in its order; each body is read to its end before the next entry is asked for. Throws where it is cut off. */
export async function* unpackTar(archive: Readable): AsyncGenerator<TarEntry> {
  const entries = extract();
  const read = pipeline(archive, entries);
  // Told by the loop below, which sees it too.
  read.catch(() => undefined);
  try {
    for await (const entry of entries) {
      const { name, size, type } = entry.header;
      if (type !== "file") throw new Error(`the archive holds ${JSON.stringify(name)}, which is no file`);
      yield { path: name, size, body: entry };
    }
    await read;
  } finally {
    archive.destroy();
  }
}
