/** Going through many keys without holding them all: for logs, of which there may be hundreds of thousands of objects. */
export interface Pages {
  /** The first keys with this prefix that come after a text, in order: at most `count`, which is at most 1000. */
  page(prefix: string, after: string, count: number): Promise<string[]>;
  /**
   * Deletes these, at most 1000, as `page` named them: among what others wrote are keys that we never would. What is gone
   * already is no error.
   */
  deleteKeys(keys: readonly string[]): Promise<void>;
}

/** Most keys of a page. */
export const PAGE = 1000;
