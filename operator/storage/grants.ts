/**
 * Grants: leave to read or write at one place of the store for a while, for those who hold no credentials of it.
 * A grant is a secret as long as it lasts: it is never logged, and never kept where generated code could read it.
 */
export interface Grants {
  /** URL that gives the object at the key by GET. */
  grantGet(key: string, seconds: number): Promise<string>;
  /** URL that takes the object at the key by PUT; with the header `If-None-Match: *` only where nothing stands. */
  grantPut(key: string, seconds: number): Promise<string>;
  /**
   * Form (multipart/form-data, the file last) that takes objects of at most so many bytes below the prefix: its field
   * `key` is the prefix, to which the holder adds the rest of the key.
   */
  grantPost(prefix: string, seconds: number, maxBytes: number): Promise<PostGrant>;
}

export type PostGrant = { readonly url: string; readonly fields: Readonly<Record<string, string>> };
