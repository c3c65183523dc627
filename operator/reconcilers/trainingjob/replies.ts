/**
 * Replies that were paid for and are not in the journal yet, because the store would not take them: to be written, instead of asked and paid
 * for again. One for each job at most, and lost with the process, which is the one reply that a crash may cost.
 */
import type { JournalDraft } from "../../api/journal.ts";

type Reply = Extract<JournalDraft, { type: "ReplyReceived" }>;

export class Replies {
  readonly #kept = new Map<string, { readonly prefix: string; readonly reply: Reply }>();

  /** The reply of that step, if it is here. @param prefix of the journal that it belongs to */
  of(job: string, prefix: string, step: number): Reply | undefined {
    const kept = this.#kept.get(job);
    return kept?.prefix === prefix && kept.reply.step === step ? kept.reply : undefined;
  }

  keep(job: string, prefix: string, reply: Reply): void {
    this.#kept.set(job, { prefix, reply });
  }

  drop(job: string): void {
    this.#kept.delete(job);
  }
}
