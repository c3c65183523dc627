/** What happened to resources, numbered, so that a reader whose stream broke goes on where it was. */
import { randomUUID } from "node:crypto";
import type { KindName } from "../../operator/cluster/cluster.ts";
import type { Row } from "./rows.ts";

export type Change =
  | { readonly type: "Changed"; readonly row: Row }
  | { readonly type: "Gone"; readonly kind: KindName; readonly key: string };

/** `All`: nothing is known of what the reader has, or too much happened since: take everything anew. */
export type Followed =
  | { readonly id: string; readonly change: Change }
  | { readonly id: string; readonly change: { readonly type: "All" } };

const KEPT = 1000;

export class ChangeLog {
  /** Numbers of another process mean nothing here. */
  readonly #epoch = randomUUID().slice(0, 8);
  readonly #kept: { readonly number: number; readonly change: Change }[] = [];
  readonly #waiting = new Set<() => void>();
  #last = 0;
  #readers = 0;

  /** How many follow it now. */
  get readers(): number {
    return this.#readers;
  }

  push(change: Change): void {
    this.#last += 1;
    this.#kept.push({ number: this.#last, change });
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const wake of this.#waiting) wake();
  }

  /** Everything after `lastId`, or `All` first; then what comes, until the signal. */
  async *follow(lastId: string | undefined, signal: AbortSignal): AsyncGenerator<Followed> {
    this.#readers += 1;
    try {
      yield* this.#following(lastId, signal);
    } finally {
      this.#readers -= 1;
    }
  }

  async *#following(lastId: string | undefined, signal: AbortSignal): AsyncGenerator<Followed> {
    let after = this.#numberOf(lastId);
    if (after === undefined) {
      after = this.#last;
      yield { id: this.#id(after), change: { type: "All" } };
    }
    while (!signal.aborted) {
      // A slow reader, or one that was away for long, has missed what is no longer kept.
      const oldest = this.#kept[0]?.number ?? this.#last + 1;
      if (after < oldest - 1) {
        after = this.#last;
        yield { id: this.#id(after), change: { type: "All" } };
        continue;
      }
      // Numbers have no gaps.
      const news = this.#kept.slice(after + 1 - oldest);
      for (const { number, change } of news) {
        after = number;
        yield { id: this.#id(number), change };
      }
      if (news.length === 0) await this.#next(signal);
    }
  }

  #id(number: number): string {
    return `${this.#epoch}-${number}`;
  }

  #numberOf(id: string | undefined): number | undefined {
    const [epoch, digits] = id?.split("-") ?? [];
    const number = Number(digits);
    return epoch === this.#epoch && Number.isInteger(number) && number <= this.#last ? number : undefined;
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted) wake();
    });
  }
}
