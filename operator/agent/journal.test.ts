import { describe, expect, test } from "vitest";
import {
  baselines,
  candidate,
  journalOf,
  prepared,
  reply,
  toolFinished,
} from "../../test/builders/entries.ts";
import type { JournalDraft, JournalEntry } from "../api/journal.ts";
import { ImmutableCache } from "../storage/immutable-cache.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import {
  bestCandidate,
  formatScore,
  Journal,
  JournalConflictError,
  stepsUsed,
  tokensUsed,
  workspaceAfter,
} from "./journal.ts";

const stop: JournalDraft = { type: "AgentStopped", reason: "AgentFinished", message: "over" };
const finish: JournalDraft = {
  type: "JobFinished",
  state: "READY",
  reason: "AgentFinished",
  message: "over",
};
const SECOND = 1000;

function world() {
  const store = new MemoryStore();
  const clock = { at: 0, now: () => clock.at };
  return { store, clock, load: (since = 0) => Journal.load(store, "jobs/a/journal", clock, since) };
}

describe("a journal", () => {
  test("is not written twice at one place: the slower operator is told, and reads what the faster one wrote", async () => {
    const { load, store } = world();
    const [one, other] = await Promise.all([load(), load()]);
    const outcomes = await Promise.allSettled([one.append(stop), other.append(finish)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const lost = outcomes.find((outcome) => outcome.status === "rejected");
    expect(lost?.reason).toBeInstanceOf(JournalConflictError);
    expect(await store.list("jobs/a/journal/")).toEqual(["jobs/a/journal/000000.json"]);
    const again = await load();
    expect(again.entries).toHaveLength(1);
    await again.append(finish);
    expect((await load()).entries.map(({ sequence }) => sequence)).toEqual([0, 1]);
  });

  test("numbers and dates its entries, and is the same when it is read again", async () => {
    const { load, clock } = world();
    const journal = await load();
    clock.at = 90 * SECOND;
    await journal.append(stop);
    clock.at = 95 * SECOND;
    await journal.append(finish);
    // What comes before the first entry, preparing, is not charged.
    expect(journal.entries).toMatchObject([
      { sequence: 0, at: "1970-01-01T00:01:30.000Z", elapsedSeconds: 0 },
      { sequence: 1, at: "1970-01-01T00:01:35.000Z", elapsedSeconds: 5 },
    ]);
    expect((await load()).entries).toEqual(journal.entries);
  });

  test("is read once from the store where what was read is kept, and no more is kept than is allowed", async () => {
    const { store, clock } = world();
    const reads: string[] = [];
    const counted = Object.assign(Object.create(store) as MemoryStore, {
      get: (key: string) => {
        reads.push(key);
        return store.get(key);
      },
      list: (prefix: string) => store.list(prefix),
      create: (key: string, body: Uint8Array) => store.create(key, body),
    });
    const load = (cache: ImmutableCache<JournalEntry>) =>
      Journal.load(counted, "jobs/a/journal", clock, 0, cache);
    const roomy = new ImmutableCache<JournalEntry>(10_000);
    const journal = await load(roomy);
    await journal.append(stop);
    expect((await load(roomy)).entries).toEqual(journal.entries);
    await journal.append(finish);
    expect((await load(roomy)).entries).toEqual(journal.entries);
    expect(reads).toEqual(["jobs/a/journal/000000.json", "jobs/a/journal/000001.json"]);

    const [first] = await Promise.all(reads.map((key) => store.get(key)));
    const narrow = new ImmutableCache<JournalEntry>(first?.length ?? 0);
    await load(narrow);
    reads.length = 0;
    await load(narrow);
    expect(reads).toHaveLength(2);
    await store.deletePrefix("jobs/a/");
    expect((await load(roomy)).entries).toEqual([]);
  });

  test("does not count time in which no operator worked", async () => {
    const { load, clock } = world();
    clock.at = 10 * SECOND;
    const first = await load();
    await first.append(stop);
    clock.at = 20 * SECOND;
    await first.append(stop);
    // A day later another operator takes the job up, and works for 5 s.
    clock.at = 86_400 * SECOND;
    const journal = await load(clock.at);
    clock.at += 5 * SECOND;
    expect(journal.elapsedSeconds()).toBe(15);
    await journal.append(finish);
    expect(journal.entries[2]?.elapsedSeconds).toBe(15);
  });

  test("with a hole in it is not gone on with", async () => {
    const { load, store } = world();
    const journal = await load();
    await journal.append(stop);
    await journal.append(finish);
    await store.deletePrefix("jobs/a/journal/000000");
    await expect(load()).rejects.toThrow(/has no entry 0; it was changed from outside/);
  });
});

describe("what is read from a journal", () => {
  test("the best candidate, by the metric's direction; the earlier one where two are equal", () => {
    const later = toolFinished(1, 0, "save_model_settings", {
      candidate: candidate({ number: 2, score: 0.8 }),
    });
    expect(bestCandidate(journalOf(prepared(), ...baselines(0.5, 0.8), later))?.number).toBe(1);
    expect(bestCandidate(journalOf(prepared(), ...baselines(0.5, 0.8), later), [1])?.number).toBe(2);
    expect(bestCandidate(journalOf(prepared(), ...baselines(0.7, 0.3, "LogLoss")))?.number).toBe(1);
    expect(bestCandidate(journalOf(prepared()))).toBeUndefined();
  });

  test("steps and tokens, those of replies that could not be used included", () => {
    const entries = journalOf(prepared(), reply(1), reply(2, [], { finish: "Blocked" }));
    expect([stepsUsed(entries), tokensUsed(entries)]).toEqual([2, 220]);
  });

  test("the workspace: each file as last written, the last snapshot and the last environment", () => {
    const file = (path: string, text: string) => ({
      path,
      key: `sources/${text}`,
      sha256: text.repeat(64).slice(0, 64),
    });
    const environment = { digest: "more", requested: ["lightgbm"], packages: [] };
    const entries = journalOf(
      prepared({ environment: "base" }),
      toolFinished(1, 0, "write_python_file", { file: file("train.py", "a") }),
      toolFinished(1, 1, "write_python_file", { file: file("columns.py", "b") }),
      toolFinished(2, 0, "execute_python_file", { workspace: "w/1.tar" }),
      toolFinished(2, 1, "write_python_file", { file: file("train.py", "c") }),
      toolFinished(3, 0, "install_dependencies", { environment }),
      toolFinished(3, 1, "execute_python_file", { response: { ok: false } }),
    );
    expect(workspaceAfter(entries)).toEqual({
      files: [file("columns.py", "b"), file("train.py", "c")],
      snapshot: "w/1.tar",
      environment: "more",
      requested: ["lightgbm"],
    });
    expect(workspaceAfter(entries.slice(0, 1))).toEqual({
      files: [],
      snapshot: undefined,
      environment: "base",
      requested: [],
    });
  });

  test.each([
    [0.851_732, 0.004_6, "0.8517 ± 0.0046"],
    [0.851_732, undefined, "0.851732"],
    [1234.567, 12.3, "1235 ± 12"],
    [0.5, 0, "0.5"],
  ])("a score of %d with an error of %d is written %s", (score, error, text) => {
    expect(formatScore(score, error)).toBe(text);
  });
});
