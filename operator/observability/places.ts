/** Places for answers that are streamed: each holds memory, or a connection to the store, for as long as its reader likes. */
import { finished, type Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { CODES, type Refusal } from "./caller.ts";

/** Answers under way at once, and the longest that one may take. */
export type Bounds = { readonly streams: number; readonly seconds: number };

export class Places {
  readonly #bounds: Bounds;
  #free: number;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
    this.#free = bounds.streams;
  }

  /**
   * Gives the answer a place until it ends, or its time is over. To be asked for once it is known who asks: nobody else takes one.
   * False where none is free; the body is let go then.
   */
  take({ raw }: FastifyReply, body: Readable): boolean {
    if (this.#free === 0) {
      body.destroy();
      return false;
    }
    this.#free--;
    const { seconds } = this.#bounds;
    const deadline = setTimeout(() => body.destroy(new Error("read too slowly")), seconds * 1000);
    finished(raw, () => {
      clearTimeout(deadline);
      this.#free++;
    });
    return true;
  }

  /** What is said where no place is free. */
  refuse(reply: FastifyReply, what: string, retrySeconds: number): FastifyReply {
    const message = `${this.#bounds.streams} ${what} are being read already: ask again in ${retrySeconds} seconds`;
    const refusal: Refusal = { outcome: "Busy", message };
    return reply.code(CODES.Busy).header("retry-after", String(retrySeconds)).send(refusal);
  }
}
