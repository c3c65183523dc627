/** Uploads into the store: pieces beside each other, put together when all are there. */
import { createHash } from "node:crypto";
import type { Dataset } from "../../../operator/api/dataset.ts";
import { datasetKeys } from "../../../operator/reconcilers/dataset.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import { ConsoleError } from "../errors.ts";
import type { Place, Uploads } from "../gateway.ts";
import { waiting } from "../uploads.ts";

export type ClusterUploadsOptions = {
  readonly store: ArtifactStore;
  /** The Dataset, for who may change it. */
  readonly writable: (place: Place) => Promise<Dataset>;
};

type Piece = { readonly key: string; readonly from: number; readonly to: number };

/** Files are put together in memory: one at a time is 100 MB. */
let putting: Promise<unknown> = Promise.resolve();

export class ClusterUploads implements Uploads {
  readonly #options: ClusterUploadsOptions;

  constructor(options: ClusterUploadsOptions) {
    this.#options = options;
  }

  async state(place: Place): Promise<{ received: number; sha256: string }> {
    const pieces = await this.#pieces(await this.#waiting(place));
    const hash = createHash("sha256");
    for (const { key } of pieces) hash.update(await this.#options.store.get(key));
    return { received: pieces.at(-1)?.to ?? 0, sha256: hash.digest("hex") };
  }

  async append(place: Place, offset: number, piece: Uint8Array): Promise<{ received: number }> {
    const dataset = await this.#waiting(place);
    const received = (await this.#pieces(dataset)).at(-1)?.to ?? 0;
    if (received !== offset) {
      throw new ConsoleError("Conflict", `the next piece starts at byte ${received}`, { received });
    }
    const to = offset + piece.length;
    // Of two who send the same piece at once one is refused; of two pieces that differ, #pieces takes one.
    if (!(await this.#options.store.create(`${prefixOf(dataset)}/${digits(offset)}/${digits(to)}`, piece))) {
      throw new ConsoleError("Conflict", "another piece of this file is on its way", { received });
    }
    return { received: to };
  }

  async finish(place: Place, sizeBytes: number): Promise<void> {
    const dataset = await this.#waiting(place);
    const { store } = this.#options;
    const before = putting;
    const done = (async () => {
      await before.catch(() => undefined);
      const pieces = await this.#pieces(dataset);
      const received = pieces.at(-1)?.to ?? 0;
      if (received !== sizeBytes) {
        throw new ConsoleError("Conflict", `${received} of ${sizeBytes} bytes have come`, { received });
      }
      const whole = new Uint8Array(sizeBytes);
      for (const { key, from } of pieces) whole.set(await store.get(key), from);
      await store.create(datasetKeys(dataset).source, whole);
      await store.deletePrefix(`${prefixOf(dataset)}/`);
    })();
    putting = done;
    await done;
  }

  /** The pieces from the first byte on without a gap. Of two that begin at the same byte, the first by name. */
  async #pieces(dataset: Dataset): Promise<Piece[]> {
    const prefix = prefixOf(dataset);
    const pieces: Piece[] = [];
    let next = 0;
    for (const key of await this.#options.store.list(`${prefix}/`)) {
      const [from, to] = key
        .slice(prefix.length + 1)
        .split("/")
        .map(Number);
      if (from !== next || to === undefined || !(to > next)) continue;
      pieces.push({ key, from, to });
      next = to;
    }
    return pieces;
  }

  async #waiting(place: Place): Promise<Dataset> {
    return waiting(await this.#options.writable(place), this.#options.store);
  }
}

/** Not below the data set's own prefix: what lies there is what was taken in. */
const prefixOf = (dataset: Dataset): string => `uploads/${datasetKeys(dataset).prefix}`;
const digits = (offset: number): string => String(offset).padStart(9, "0");
