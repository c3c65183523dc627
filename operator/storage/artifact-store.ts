/** Where everything of size lives: data, snapshots, journals, models. One flat space of keys, as in S3. */

export interface ArtifactStore {
  /** Throws NotFoundError where there is no such key. */
  get(key: string): Promise<Uint8Array>;
  /** Writes or replaces; whole or not at all. May be called twice. */
  put(key: string, body: Uint8Array): Promise<void>;
  /** Writes only where nothing stands (`If-None-Match: *`). False where something stood; it is left as it was. */
  create(key: string, body: Uint8Array): Promise<boolean>;
  exists(key: string): Promise<boolean>;
  /** What an object is, however large: it is read through, and not held. Throws NotFoundError. */
  digest(key: string): Promise<ObjectDigest>;
  /** Another object of the same content, whole or not at all, however large. Throws NotFoundError. */
  copy(from: string, to: string): Promise<void>;
  /** Keys that start with the prefix, sorted. */
  list(prefix: string): Promise<string[]>;
  /** Deletes every key that starts with the prefix. May be called twice. */
  deletePrefix(prefix: string): Promise<void>;
  /** The key as a person or another system would write it: s3://bucket/key or file:///path. */
  uri(key: string): string;
}

export type ObjectDigest = { readonly sha256: string /** Bytes. */; readonly size: number };

export class NotFoundError extends Error {
  override readonly name = "NotFoundError";
  readonly key: string;
  constructor(key: string) {
    super(`no object at ${key}`);
    this.key = key;
  }
}

/**
 * The store did not answer, or would not serve us: never the fault of what is kept in it. Its message holds neither
 * credentials nor signed URLs.
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** StoreUnavailable: it did not answer, or answered that it cannot just now. StoreRefused: credentials, rights or bucket are wrong. */
  readonly reason: "StoreUnavailable" | "StoreRefused";
  constructor(reason: "StoreUnavailable" | "StoreRefused", message: string) {
    super(message);
    this.reason = reason;
  }
}
