/** ArtifactStore in memory, for tests and for what need not outlive the process. */
import { type ArtifactStore, NotFoundError, type ObjectDigest } from "./artifact-store.ts";
import { checkKey, checkPrefix } from "./key.ts";
import { PAGE, type Pages } from "./pages.ts";
import { digestOf, type StoredStream, type Streams, streamOf } from "./streams.ts";

export class MemoryStore implements ArtifactStore, Pages, Streams {
  readonly #objects = new Map<string, Uint8Array>();

  async get(key: string): Promise<Uint8Array> {
    return this.#body(key).slice();
  }

  #body(key: string): Uint8Array {
    checkKey(key);
    const body = this.#objects.get(key);
    if (body === undefined) throw new NotFoundError(key);
    return body;
  }

  async open(key: string): Promise<StoredStream> {
    return streamOf(await this.get(key));
  }

  async digest(key: string): Promise<ObjectDigest> {
    return digestOf(streamOf(this.#body(key)));
  }

  async copy(from: string, to: string): Promise<void> {
    await this.put(to, this.#body(from));
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    checkKey(key);
    this.#objects.set(key, Uint8Array.from(body));
  }

  async create(key: string, body: Uint8Array): Promise<boolean> {
    checkKey(key);
    if (this.#objects.has(key)) return false;
    this.#objects.set(key, Uint8Array.from(body));
    return true;
  }

  async exists(key: string): Promise<boolean> {
    checkKey(key);
    return this.#objects.has(key);
  }

  async list(prefix: string): Promise<string[]> {
    checkPrefix(prefix);
    return [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  async deletePrefix(prefix: string): Promise<void> {
    for (const key of await this.list(prefix)) this.#objects.delete(key);
  }

  async page(prefix: string, after: string, count: number): Promise<string[]> {
    return (await this.list(prefix)).filter((key) => key > after).slice(0, Math.min(count, PAGE));
  }

  async deleteKeys(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#objects.delete(key);
  }

  uri(key: string): string {
    checkKey(key);
    return `memory:///${key}`;
  }
}
