/** The journal as objects in the store, and the pure readings of it that everything else is decided by. */

import {
  type Candidate,
  type EntryOf,
  type JournalDraft,
  JournalEntry,
  type SourceFile,
} from "../api/journal.ts";
import { compareScores, METRICS } from "../api/metrics.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";
import type { ImmutableCache } from "../storage/immutable-cache.ts";

export type Clock = { /** Milliseconds since the epoch. */ now(): number };

/** Another operator wrote the entry first. Nothing was lost: read again and go on from there. */
export class JournalConflictError extends Error {
  override readonly name = "JournalConflictError";
}

export class Journal {
  readonly prefix: string;
  #entries: JournalEntry[];
  readonly #store: ArtifactStore;
  readonly #clock: Clock;
  readonly #workedSince: number;

  private constructor(
    store: ArtifactStore,
    prefix: string,
    clock: Clock,
    workedSince: number,
    entries: JournalEntry[],
  ) {
    this.#store = store;
    this.prefix = prefix;
    this.#clock = clock;
    this.#workedSince = workedSince;
    this.#entries = entries;
  }

  /**
   * Reads the journal below `prefix`.
   * @param workedSince when this operator took the job up (ms): time before it, in which nobody worked, is not counted.
   * @param cache entries that were read before
   */
  static async load(
    store: ArtifactStore,
    prefix: string,
    clock: Clock,
    workedSince: number,
    cache?: ImmutableCache<JournalEntry>,
  ): Promise<Journal> {
    const keys = await store.list(`${prefix}/`);
    const entries = await Promise.all(keys.map((key) => read(store, key, cache)));
    entries.forEach((entry, index) => {
      if (entry.sequence !== index)
        throw new Error(`journal ${prefix} has no entry ${index}; it was changed from outside`);
    });
    return new Journal(store, prefix, clock, workedSince, entries);
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  /** Seconds worked on the job until now, from when its data were prepared. */
  elapsedSeconds(): number {
    const last = this.#entries.at(-1);
    // Preparing is not charged: the first job of a home waits for wheels, through no fault of its own.
    if (!last) return 0;
    if (last.type === "JobSuspended") return last.elapsedSeconds;
    const since = Math.max(this.#workedSince, Date.parse(last.at));
    return last.elapsedSeconds + Math.max(0, this.#clock.now() - since) / 1000;
  }

  /** Writes the next entry, or throws JournalConflictError where somebody else did. */
  async append(draft: JournalDraft): Promise<JournalEntry> {
    const sequence = this.#entries.length;
    const entry = JournalEntry.parse({
      ...draft,
      sequence,
      at: new Date(this.#clock.now()).toISOString(),
      elapsedSeconds: Math.round(this.elapsedSeconds() * 1000) / 1000,
    });
    const key = `${this.prefix}/${String(sequence).padStart(6, "0")}.json`;
    const written = await this.#store.create(key, new TextEncoder().encode(`${JSON.stringify(entry)}\n`));
    if (!written)
      throw new JournalConflictError(`entry ${sequence} of ${this.prefix} was written by another operator`);
    this.#entries = [...this.#entries, entry];
    return entry;
  }
}

async function read(
  store: ArtifactStore,
  key: string,
  cache: ImmutableCache<JournalEntry> | undefined,
): Promise<JournalEntry> {
  const known = cache?.get(key);
  if (known) return known;
  const text = new TextDecoder().decode(await store.get(key));
  const entry = JournalEntry.parse(JSON.parse(text));
  cache?.put(key, entry, text);
  return entry;
}

/** The only entry of its type, or undefined. */
export function find<T extends JournalEntry["type"]>(
  entries: readonly JournalEntry[],
  type: T,
): EntryOf<T> | undefined {
  return entries.findLast((entry): entry is EntryOf<T> => entry.type === type);
}

export function candidates(entries: readonly JournalEntry[]): Candidate[] {
  return entries.flatMap((entry) => {
    if (entry.type === "CandidateVerified") return [entry.candidate];
    return entry.type === "ToolFinished" && entry.candidate ? [entry.candidate] : [];
  });
}

/** The best candidate by verified score, but for those excluded; the earlier one where scores are equal. */
export function bestCandidate(
  entries: readonly JournalEntry[],
  excluded: readonly number[] = [],
): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates(entries)) {
    if (excluded.includes(candidate.number)) continue;
    if (
      !best ||
      compareScores(candidate.verified.metric, candidate.verified.score, best.verified.score) > 0
    ) {
      best = candidate;
    }
  }
  return best;
}

export function tokensUsed(entries: readonly JournalEntry[]): number {
  return entries.reduce(
    (sum, entry) => sum + (entry.type === "ReplyReceived" ? entry.usage.totalTokens : 0),
    0,
  );
}

export function stepsUsed(entries: readonly JournalEntry[]): number {
  return find(entries, "ReplyReceived")?.step ?? 0;
}

/** What the agent's next tool call starts from. */
export type Workspace = {
  /** Files written by write_python_file, by path, sorted. */
  readonly files: readonly SourceFile[];
  /** Store key of the snapshot that the last execution left. */
  readonly snapshot: string | undefined;
  readonly environment: string;
  /** Requirements asked for so far, sorted. */
  readonly requested: readonly string[];
};

export function workspaceAfter(entries: readonly JournalEntry[]): Workspace {
  const files = new Map<string, SourceFile>();
  let snapshot: string | undefined;
  let environment = find(entries, "DatasetPrepared")?.environment ?? "";
  let requested: readonly string[] = [];
  for (const entry of entries) {
    if (entry.type !== "ToolFinished") continue;
    if (entry.file) files.set(entry.file.path, entry.file);
    if (entry.workspace) snapshot = entry.workspace;
    if (entry.environment) ({ digest: environment, requested } = entry.environment);
  }
  return {
    files: [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
    snapshot,
    environment,
    requested,
  };
}

/** "0.8517 ± 0.0046", in as many digits as the error deserves. */
export function formatScore(score: number, standardError?: number): string {
  if (standardError === undefined || standardError <= 0) return String(Number(score.toPrecision(6)));
  const digits = Math.min(6, Math.max(0, 2 - Math.ceil(Math.log10(standardError))));
  return `${score.toFixed(digits)} ± ${standardError.toFixed(digits)}`;
}

/** Higher or lower, in words for people and models. */
export function direction(metric: keyof typeof METRICS): "higher is better" | "lower is better" {
  return METRICS[metric].direction === "Maximize" ? "higher is better" : "lower is better";
}
