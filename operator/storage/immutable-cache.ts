/**
 * Objects of the store that were read and parsed before, of kinds that never change once they are written: journal entries, outcomes. What
 * is held is bounded by the length of their texts; what was used longest ago goes first.
 */
type Held<T> = { readonly value: T; readonly characters: number };

export class ImmutableCache<T> {
  readonly #maxCharacters: number;
  readonly #held = new Map<string, Held<T>>();
  #characters = 0;

  constructor(maxCharacters: number) {
    this.#maxCharacters = maxCharacters;
  }

  /** @param key in the store; that of another resource of the same name differs, for it holds the uid */
  get(key: string): T | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    this.#held.set(key, held);
    return held.value;
  }

  /** @param text as it lies in the store */
  put(key: string, value: T, text: string): void {
    this.#drop(key);
    this.#held.set(key, { value, characters: text.length });
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
