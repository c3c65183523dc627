/**
 * Room in memory for sources: whole files are held while they are on their way into the store, by many workers at once. What does not fit
 * waits, in the order in which it came.
 */
import { WaitingError } from "../engine/errors.ts";

/** After so long without asking again, whoever waited is taken to have gone away. */
const FORGOTTEN_MS = 15_000;
const RETRY_SECONDS = 2;

export class Room {
  #free: number;
  readonly #now: () => number;
  /** Who waits, in order, with the time of the last asking. */
  readonly #waiting = new Map<string, number>();

  constructor(bytes: number, now: () => number = () => performance.now()) {
    this.#free = bytes;
    this.#now = now;
  }

  /**
   * Takes room; the returned function gives it back, once.
   * @param who asks again by the same name, and keeps its place
   * @throws WaitingError while there is none
   */
  take(who: string, bytes: number): () => void {
    const now = this.#now();
    for (const [other, asked] of this.#waiting) if (now - asked > FORGOTTEN_MS) this.#waiting.delete(other);
    const [first] = this.#waiting.keys();
    if (bytes > this.#free || (first !== undefined && first !== who)) {
      this.#waiting.set(who, now);
      throw new WaitingError("SourceQueued", "waiting for other sources to be read first", RETRY_SECONDS);
    }
    this.#waiting.delete(who);
    this.#free -= bytes;
    let isHeld = true;
    return () => {
      if (isHeld) this.#free += bytes;
      isHeld = false;
    };
  }
}
