/**
 * Takes a way through the model (protocol.ts) with the product: reconcileTrainingJob of each operator is held at the LLM, at the executor and at
 * the store's conditional create, and let go when the model says so. After every step, model and product must agree.
 */
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Journal } from "../../../operator/agent/journal.ts";
import { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { MemoryCluster } from "../../../operator/cluster/memory.ts";
import { dataKey, encode, journalPrefix } from "../../../operator/evaluation/context.ts";
import type { LanguageModel, LlmRequest } from "../../../operator/llm/language-model.ts";
import { LlmUnavailableError } from "../../../operator/llm/language-model.ts";
import { reconcileTrainingJob } from "../../../operator/reconcilers/trainingjob/reconcile.ts";
import { Replies } from "../../../operator/reconcilers/trainingjob/replies.ts";
import type { Execution, Outcome } from "../../../operator/sandbox/executor.ts";
import { type ArtifactStore, StoreError } from "../../../operator/storage/artifact-store.ts";
import { baselines, prepared } from "../../builders/entries.ts";
import { OUTCOME, trustedResult } from "../../fakes/made-up-results.ts";
import { type Bounds, begin, type Entry, type Phase, type State, type Step, successors } from "./protocol.ts";

/** Entries before the first reply: what was prepared, and two baselines. */
const BEFORE = 3;
const LOST = new StoreError("StoreUnavailable", "the answer was lost");

/** Where a reconcile is held. */
type Hold = { readonly phase: Phase; readonly goOn: () => void; readonly fail: (error: Error) => void };

class Product {
  readonly replies = new Replies();
  hold: Hold | undefined;
  isGone = false;
  /** What its request to the store would do. */
  request: (() => Promise<boolean>) | undefined;

  get phase(): Phase {
    return this.hold?.phase ?? "idle";
  }

  at(phase: Phase): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isGone) return;
      this.hold = {
        phase,
        goOn: () => {
          this.hold = undefined;
          resolve();
        },
        fail: (error) => {
          this.hold = undefined;
          reject(error);
        },
      };
    });
  }
}

export class Replay {
  readonly #store: ArtifactStore;
  readonly #cluster = new MemoryCluster({ uid: () => "0b5e2a1c-fixed" });
  readonly #job: TrainingJob;
  readonly #operators: Product[];
  readonly #paid: number[];
  readonly #runs: Set<string>[];
  readonly #outcomes = new Map<string, Outcome>();
  readonly #late: (() => Promise<boolean>)[] = [];

  private constructor({ steps, operators }: Bounds, store: ArtifactStore) {
    this.#store = store;
    this.#operators = Array.from({ length: operators }, () => new Product());
    this.#paid = Array.from({ length: steps }, () => 0);
    this.#runs = Array.from({ length: steps }, () => new Set<string>());
    this.#job = this.#cluster.apply(
      TrainingJob.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name: "churn", namespace: "team" },
        spec: {
          dataset: { uri: "https://example.org/rows.csv" },
          target: "churn",
          llm: { provider: "Gemini" },
          budget: { maxSteps: steps },
        },
      }),
    );
  }

  /** Throws where model and product differ, with the step after which they do. @param store empty */
  static async of(trace: readonly Step[], bounds: Bounds, store: ArtifactStore): Promise<void> {
    const replay = new Replay(bounds, store);
    await replay.#prepare();
    let state = begin(bounds);
    for (const [index, step] of trace.entries()) {
      const next = successors(state).find((one) => isDeepStrictEqual(one.step, step));
      if (!next) throw new Error(`step ${index} of the trace cannot be taken`);
      state = next.state;
      await replay.#take(step);
      const done = trace.slice(0, index + 1).map(({ operator, action }) => `${operator} ${action}`);
      await replay.#compare(state, done.join(", "));
    }
  }

  async #prepare(): Promise<void> {
    const store = this.#store;
    await store.put(dataKey(this.#job, "profile.json"), encode(trustedResult("ingest", "")));
    await store.put(dataKey(this.#job, "split.json"), encode(trustedResult("split", "")));
    const journal = await Journal.load(store, journalPrefix(this.#job), { now: Date.now }, 0);
    for (const draft of [prepared(), ...baselines()]) await journal.append(draft);
  }

  async #take({ operator: index, action }: Step): Promise<void> {
    const operator = this.#operators[index] as Product;
    switch (action) {
      // Who may begin is the Lease's to say; here the model says it.
      case "lead":
      case "expire":
        return;
      case "crash":
      case "depose":
        operator.isGone = true;
        this.#operators[index] = new Product();
        return;
      case "load":
        void this.#reconcile(operator);
        return;
      case "lose reply":
        operator.hold?.fail(new LlmUnavailableError("the answer was lost"));
        return;
      case "lose answer":
      case "drop":
        operator.hold?.fail(LOST);
        return;
      case "give up":
        if (operator.request) this.#late.push(operator.request);
        operator.hold?.fail(LOST);
        return;
      case "arrive late":
        await this.#late.shift()?.();
        return;
      default:
        operator.hold?.goOn();
    }
  }

  async #reconcile(operator: Product): Promise<void> {
    const actors = {
      cluster: this.#cluster,
      store: this.#storeOf(operator),
      executor: {
        ensure: async (execution: Execution) => {
          await operator.at("loaded");
          return this.#run(execution);
        },
        cancel: () => Promise.resolve(),
      },
      clock: { now: Date.now },
      startedAt: Date.now(),
      replies: operator.replies,
      baselines: { prior: "prior", boosting: "boosting" },
      version: "test",
      datasets: () => Promise.reject(new Error("the data are prepared")),
      recipes: () => Promise.reject(new Error("there is no recipe")),
      languageModels: async (): Promise<LanguageModel> => {
        await operator.at("loaded");
        return { reply: (request) => this.#reply(operator, request) };
      },
      writeReport: () => Promise.resolve(),
    };
    // Failures are the model's doing, and retried when it says so.
    await reconcileTrainingJob(actors, "team/churn").catch(() => undefined);
  }

  #storeOf(operator: Product): ArtifactStore {
    const store = this.#store;
    const isEntry = (key: string): boolean => key.startsWith(`${journalPrefix(this.#job)}/`);
    return {
      get: (key) => store.get(key),
      put: (key, body) => store.put(key, body),
      exists: (key) => store.exists(key),
      digest: (key) => store.digest(key),
      copy: (from, to) => store.copy(from, to),
      list: (prefix) => store.list(prefix),
      deletePrefix: (prefix) => store.deletePrefix(prefix),
      uri: (key) => store.uri(key),
      create: async (key, body) => {
        if (!isEntry(key)) return store.create(key, body);
        await operator.at("ready");
        operator.request = () => store.create(key, body);
        await operator.at("writing");
        const written = await store.create(key, body);
        await operator.at("told");
        return written;
      },
    };
  }

  async #reply(operator: Product, { turns }: LlmRequest): ReturnType<LanguageModel["reply"]> {
    const step = turns.filter(({ role }) => role === "model").length + 1;
    const paid = (this.#paid[step - 1] ?? 0) + 1;
    this.#paid[step - 1] = paid;
    await operator.at("asking");
    const functionCall = { name: "install_dependencies", args: { packages: [`step${step}-reply${paid}`] } };
    return {
      parts: [{ functionCall }],
      finish: "Stop",
      usage: { promptTokens: 1, outputTokens: 1, totalTokens: 2 },
      model: "scripted",
    };
  }

  /** Runs the execution if none of its name ran, as every executor does. */
  #run(execution: Execution): Outcome {
    const known = this.#outcomes.get(execution.name);
    if (known) return known;
    const step = Number(/-s(\d+)c0$/.exec(execution.name)?.[1]);
    this.#runs[step - 1]?.add(execution.name);
    const outcome: Outcome = { ...OUTCOME, environment: execution.name, packages: [] };
    this.#outcomes.set(execution.name, outcome);
    return outcome;
  }

  async #compare(state: State, after: string): Promise<void> {
    const expected = {
      journal: state.journal,
      paid: state.paid,
      ran: state.ran,
      phases: state.operators.map(({ phase }) => phase),
    };
    for (let look = 0; ; look++) {
      await turn();
      const found = {
        journal: await this.#journal(),
        paid: this.#paid,
        ran: this.#runs.map(({ size }) => size),
        phases: this.#operators.map(({ phase }) => phase),
      };
      if (isDeepStrictEqual(found, expected)) return;
      if (look >= 500)
        throw new Error(
          `after ${after}: the model has ${JSON.stringify(expected)}, the product ${JSON.stringify(found)}`,
        );
      // A store of files takes its time.
      if (look > 5) await pause(1);
    }
  }

  async #journal(): Promise<Entry[]> {
    const { entries } = await Journal.load(this.#store, journalPrefix(this.#job), { now: Date.now }, 0);
    return entries.slice(BEFORE).map((entry): Entry => {
      const text = JSON.stringify(entry);
      if (entry.type !== "ReplyReceived" && entry.type !== "ToolFinished")
        throw new Error(`the product wrote a ${entry.type}`);
      const paid = Number([...text.matchAll(new RegExp(`step${entry.step}-reply(\\d+)`, "g"))].at(-1)?.[1]);
      return { type: entry.type === "ReplyReceived" ? "Reply" : "Result", step: entry.step, paid };
    });
  }
}
