/**
 * Attempts at an execution that failed by the platform's fault, kept beside its outcome: so that another operator, or this one
 * after a restart, neither tries for ever nor takes the pod of a failed attempt for the next one.
 */
import { z } from "zod";
import type { ArtifactStore } from "../../storage/artifact-store.ts";
import { type Execution, PlatformError } from "../executor.ts";

/** Attempts that follow as soon as they are asked for; later ones wait. */
const EAGER = 3;
const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 900_000;

const Failure = z.object({ reason: z.string(), message: z.string(), at: z.number() });
export type Failure = z.infer<typeof Failure>;

export class Attempts {
  readonly #store: ArtifactStore;
  readonly #prefix: string;
  readonly failures: readonly Failure[];

  private constructor(store: ArtifactStore, prefix: string, failures: readonly Failure[]) {
    this.#store = store;
    this.#prefix = prefix;
    this.failures = failures;
  }

  static async load(store: ArtifactStore, execution: Pick<Execution, "outcomeKey">): Promise<Attempts> {
    const prefix = `${execution.outcomeKey}.failures/`;
    const keys = await store.list(prefix);
    const failures = await Promise.all(
      keys.map(async (key) => Failure.parse(JSON.parse(new TextDecoder().decode(await store.get(key))))),
    );
    return new Attempts(store, prefix, failures);
  }

  /** Number of the attempt that is next or under way, from 1. */
  get next(): number {
    return this.failures.length + 1;
  }

  get last(): Failure | undefined {
    return this.failures.at(-1);
  }

  /** Writes down that the attempt that is under way failed; once, whoever else says so. */
  async record(failure: Failure): Promise<void> {
    const key = `${this.#prefix}${String(this.next).padStart(6, "0")}.json`;
    await this.#store.create(key, new TextEncoder().encode(JSON.stringify(failure)));
  }

  /** Throws the last failure as a stall while it is too early for another attempt. */
  check(now: number): void {
    const { last } = this;
    const beyond = this.failures.length - EAGER;
    if (last === undefined || beyond < 0) return;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** beyond, LONGEST_WAIT_MS);
    if (now >= last.at + wait) return;
    throw new PlatformError(
      last.reason,
      `${last.message} (${this.failures.length} attempts failed; the next one is in ${Math.ceil((last.at + wait - now) / 1000)} s)`,
      { stalled: true },
    );
  }
}
