/** Uploads into the home: one growing file for a Dataset that waits, moved into the store when it is whole. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Dataset } from "../../../operator/api/dataset.ts";
import { datasetKeys } from "../../../operator/reconcilers/dataset.ts";
import type { FileStore } from "../../../operator/storage/file-store.ts";
import { ConsoleError } from "../errors.ts";
import type { Place, Uploads } from "../gateway.ts";
import { waiting } from "../uploads.ts";

export type EmbeddedUploadsOptions = {
  readonly folder: string;
  readonly store: FileStore;
  readonly dataset: (place: Place) => Promise<Dataset>;
  /** Called when the file of a Dataset is there. */
  readonly onWhole: (dataset: Dataset) => void;
};

export class EmbeddedUploads implements Uploads {
  readonly #options: EmbeddedUploadsOptions;
  /** One at a time for each Dataset: pieces that overlap would leave a hole or be there twice. */
  readonly #busy = new Set<string>();

  constructor(options: EmbeddedUploadsOptions) {
    this.#options = options;
  }

  async state(place: Place): Promise<{ received: number; sha256: string }> {
    const path = await this.#pathOf(await this.#waiting(place));
    const received = await sizeOf(path);
    const hash = createHash("sha256");
    if (received > 0) await pipeline(createReadStream(path, { end: received - 1 }), hash);
    return { received, sha256: hash.digest("hex") };
  }

  async append(place: Place, offset: number, piece: Uint8Array): Promise<{ received: number }> {
    const path = await this.#pathOf(await this.#waiting(place));
    return this.#alone(path, async () => {
      const received = await sizeOf(path);
      if (received !== offset) {
        throw new ConsoleError("Conflict", `the next piece starts at byte ${received}`, { received });
      }
      const file = await open(path, "a", 0o600);
      try {
        await file.writeFile(piece);
      } catch (error) {
        // Half a piece is none: the sender has been told of none.
        await file.truncate(received);
        throw error;
      } finally {
        await file.close();
      }
      return { received: received + piece.length };
    });
  }

  async finish(place: Place, sizeBytes: number): Promise<void> {
    const dataset = await this.#waiting(place);
    const path = await this.#pathOf(dataset);
    await this.#alone(path, async () => {
      const received = await sizeOf(path);
      if (received !== sizeBytes) {
        throw new ConsoleError("Conflict", `${received} of ${sizeBytes} bytes have come`, { received });
      }
      await this.#options.store.adopt(datasetKeys(dataset).source, path);
    });
    this.#options.onWhole(dataset);
  }

  async discard(dataset: Dataset): Promise<void> {
    await rm(await this.#pathOf(dataset), { force: true });
  }

  /** The Dataset, if it is one that waits for its file. */
  async #waiting(place: Place): Promise<Dataset> {
    return waiting(await this.#options.dataset(place), this.#options.store);
  }

  async #pathOf(dataset: Dataset): Promise<string> {
    // The uid is the home's own: no name of a stranger becomes a path.
    const path = join(
      this.#options.folder,
      `${(dataset.metadata.uid ?? "").replaceAll(/[^-0-9a-f]/g, "")}.part`,
    );
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return path;
  }

  async #alone<T>(path: string, action: () => Promise<T>): Promise<T> {
    if (this.#busy.has(path)) throw new ConsoleError("Conflict", "another piece of this file is on its way");
    this.#busy.add(path);
    try {
      return await action();
    } finally {
      this.#busy.delete(path);
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}
