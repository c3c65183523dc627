/**
 * Entries that were read before. An entry never changes once it is written, so that a job is read as often as it is looked at, and its
 * entries from the store once. What is held is bounded by the length of their texts; what was used longest ago goes first.
 */
import type { JournalEntry } from "../api/journal.ts";

type Held = { readonly entry: JournalEntry; readonly characters: number };

export class JournalCache {
  readonly #maxCharacters: number;
  readonly #held = new Map<string, Held>();
  #characters = 0;

  constructor(maxCharacters: number) {
    this.#maxCharacters = maxCharacters;
  }

  /** @param key of the entry in the store, which names the job by its uid */
  get(key: string): JournalEntry | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    this.#held.set(key, held);
    return held.entry;
  }

  /** @param text as it lies in the store */
  put(key: string, entry: JournalEntry, text: string): void {
    this.#drop(key);
    this.#held.set(key, { entry, characters: text.length });
    this.#characters += text.length;
    for (const oldest of this.#held.keys()) {
      if (this.#characters <= this.#maxCharacters) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#characters -= this.#held.get(key)?.characters ?? 0;
    this.#held.delete(key);
  }
}
