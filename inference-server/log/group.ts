/**
 * Entries that are written together, as bytes from the moment that they come: as strings, the megabytes that wait for a slow disk are
 * moved about by V8 with each collection of its garbage.
 */

/** Bytes of its first buffer, and at most of each further one, which is twice as large as the one before. */
const FIRST_BYTES = 16 * 1024;
const MOST_BYTES = 1024 * 1024;
/** Of UTF-8, by UTF-16 unit. */
const MOST_PER_UNIT = 3;

export class Group {
  readonly #full: Buffer[] = [];
  #last: Buffer = Buffer.alloc(0);
  #used = 0;
  #bytes = 0;
  #entries = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#entries;
  }

  /** What is to be written, in the order in which it came. */
  get content(): readonly Buffer[] {
    return [...this.#full, this.#last.subarray(0, this.#used)];
  }

  /** @param line with its end */
  add(line: string): void {
    const room = this.#last.length - this.#used;
    // What certainly has room is not measured.
    if (room < MOST_PER_UNIT * line.length) {
      const needed = Buffer.byteLength(line);
      if (room < needed) this.#grow(needed);
    }
    const written = this.#last.write(line, this.#used);
    this.#used += written;
    this.#bytes += written;
    this.#entries++;
  }

  #grow(needed: number): void {
    if (this.#used > 0) this.#full.push(this.#last.subarray(0, this.#used));
    const wanted = Math.min(MOST_BYTES, Math.max(FIRST_BYTES, 2 * this.#last.length));
    this.#last = Buffer.allocUnsafeSlow(Math.max(wanted, needed));
    this.#used = 0;
  }
}
