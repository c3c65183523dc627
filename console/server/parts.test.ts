/** The pure parts: what changed, what is suggested, what a form means, what moved a prediction. */
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import type { Profile } from "../../operator/api/profile.ts";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import type { Resource } from "../../operator/cluster/cluster.ts";
import { encode, journalPrefix } from "../../operator/evaluation/context.ts";
import { MemoryStore } from "../../operator/storage/memory-store.ts";
import { type Draft, jobFinished, journalOf, prepared, published } from "../../test/builders/entries.ts";
import { modelManifest } from "../../test/builders/model-manifest.ts";
import { ChangeLog } from "./changes.ts";
import { examplesOf } from "./examples.ts";
import { explained } from "./explain.ts";
import { draftOf, type JobForm } from "./form.ts";
import { histogramsOf } from "./histograms.ts";
import { freeName, listed, overviewOf } from "./listed.ts";
import { publishedModels } from "./published.ts";
import { RowIndex } from "./row-index.ts";
import { type JobRow, type Row, rowOf, stateOf } from "./rows.ts";
import { suggestTargets } from "./suggest.ts";
import { viewOf } from "./transcript.ts";

const changed = (name: string) => ({ type: "Changed", row: { name } as Row }) as const;

describe("the log of changes", () => {
  async function taken(log: ChangeLog, after: string | undefined, count: number) {
    const stop = new AbortController();
    const got: { id: string; type: string }[] = [];
    for await (const { id, change } of log.follow(after, stop.signal)) {
      got.push({ id, type: change.type });
      if (got.length === count) stop.abort();
    }
    return got;
  }

  test("gives a new reader everything, then what comes", async () => {
    const log = new ChangeLog();
    const reading = taken(log, undefined, 2);
    // Until it waits for what comes.
    await setImmediate();
    log.push(changed("a"));
    expect((await reading).map(({ type }) => type)).toEqual(["All", "Changed"]);
  });

  test("gives a reader that was cut off just what it missed", async () => {
    const log = new ChangeLog();
    log.push(changed("a"));
    const [, first] = await (async () => {
      const reading = taken(log, undefined, 2);
      log.push(changed("b"));
      return reading;
    })();
    log.push(changed("c"));
    log.push({ type: "Gone", kind: "Dataset", key: "default/a" });
    expect((await taken(log, first?.id, 2)).map(({ type }) => type)).toEqual(["Changed", "Gone"]);
  });

  test("gives everything again where too much was missed, or another process wrote the id", async () => {
    const log = new ChangeLog();
    log.push(changed("first"));
    const [start] = await taken(log, undefined, 1);
    for (let count = 0; count < 1500; count++) log.push(changed(`n${count}`));
    expect((await taken(log, start?.id, 1))[0]?.type).toBe("All");
    const other = new ChangeLog();
    for (let count = 0; count < 5; count++) other.push(changed(`other${count}`));
    expect((await taken(other, start?.id, 1))[0]?.type).toBe("All");
    expect((await taken(log, start?.id.replace(/\d+$/, "one"), 1))[0]?.type).toBe("All");
    expect((await taken(log, "no id at all", 1))[0]?.type).toBe("All");
  });
});

const job = (name: string, created: number, more: Partial<JobRow> = {}): JobRow =>
  ({
    kind: "TrainingJob",
    key: `default/${name}`,
    name,
    created: new Date(created).toISOString(),
    state: "Working",
    message: "",
    seconds: 1,
    tokens: 10,
    ...more,
  }) as JobRow;

describe("an index of rows", () => {
  test("has the newest first, each once, as it is now, and none that is gone", () => {
    const index = new RowIndex();
    expect(index.of("TrainingJob")).toEqual([]);
    for (const row of [job("b", 1), job("new", 2), job("a", 1), job("gone", 3)]) index.set(row);
    expect(index.of("TrainingJob").map(({ name }) => name)).toEqual(["gone", "new", "a", "b"]);
    index.delete("TrainingJob", "default/gone");
    index.set(job("a", 1, { state: "Ready" }));
    expect(index.of("TrainingJob").map(({ name, state }) => `${name} ${state}`)).toEqual([
      "new Working",
      "a Ready",
      "b Working",
    ]);
    expect(index.of("Dataset")).toEqual([]);
  });
});

describe("a list", () => {
  const all = Array.from({ length: 120 }, (_, number) =>
    job(`job-${number}`, -number, number % 2 ? { state: "Ready", message: "Has a model" } : {}),
  );
  const wanted = { ready: false, find: "", from: 0, limit: 50 };

  test("comes a page at a time, with how many there are", () => {
    const last = listed(all, { ...wanted, from: 100 });
    expect([last.rows.length, last.rows[0]?.name]).toEqual([20, "job-100"]);
    expect([last.total, last.matching]).toEqual([120, 120]);
    expect(listed(all, { ...wanted, from: 1000 }).rows).toEqual([]);
  });

  test("has those alone that are ready, or whose name, state or message has the words", () => {
    expect(listed(all, { ...wanted, ready: true })).toMatchObject({ total: 60, matching: 60 });
    expect(listed(all, { ...wanted, find: " A MODEL " })).toMatchObject({ total: 120, matching: 60 });
    expect(listed(all, { ...wanted, ready: true, find: "job-11" }).rows.map(({ name }) => name)).toEqual([
      "job-11",
      "job-111",
      "job-113",
      "job-115",
      "job-117",
      "job-119",
    ]);
  });

  test("as a whole says what runs, what is ready, what needs attention and what was spent", () => {
    const stalled = job("stalled", 0, { state: "Stalled" });
    const overview = overviewOf({ TrainingJob: [...all, stalled], Dataset: [], ModelDeployment: [] }, [
      "Dataset",
    ]);
    expect(overview).toMatchObject({ total: 121, seconds: 121, tokens: 1210, denied: ["Dataset"] });
    expect([overview.running.count, overview.ready.count, overview.attention.count]).toEqual([60, 60, 1]);
    expect(overview.running.newest.map(({ name }) => name)).toEqual(
      Array.from({ length: 8 }, (_, number) => `job-${number * 2}`),
    );
  });

  test("tells which name is free", () => {
    expect(freeName("rows", [{ name: "other" }])).toBe("rows");
    expect(freeName("rows", [{ name: "rows" }, { name: "rows-2" }, { name: "rows-4" }])).toBe("rows-3");
  });
});

const column = (name: string, type: string, more: object = {}) => ({
  name,
  type,
  missing: 0,
  distinct: 100,
  distinctExact: true,
  top: [],
  meanLength: 3,
  ...more,
});
const profile = (columns: object[], rows = 1000) => ({ columns, rows }) as unknown as Profile;

describe("suggestions", () => {
  test("a column that is called as targets are comes first, else the last one", () => {
    const churn = column("Churn", "Boolean", {
      distinct: 2,
      top: [
        { value: "False", count: 730 },
        { value: "True", count: 270 },
      ],
    });
    const [first] = suggestTargets(profile([churn, column("age", "Integer"), column("zip", "Category")]));
    expect(first).toMatchObject({ target: "Churn", task: "BinaryClassification", metric: "RocAuc" });
    const [last] = suggestTargets(
      profile([column("age", "Integer"), column("zip", "Category", { distinct: 5 })]),
    );
    expect(last).toMatchObject({ target: "zip", task: "MulticlassClassification", metric: "LogLoss" });
  });

  test("numbers are a regression, rare classes are told apart by average precision", () => {
    expect(suggestTargets(profile([column("price", "Number")]))[0]).toMatchObject({
      task: "Regression",
      metric: "Rmse",
    });
    const fraud = column("fraud", "Boolean", {
      distinct: 2,
      top: [
        { value: "False", count: 980 },
        { value: "True", count: 20 },
      ],
    });
    const [rare] = suggestTargets(profile([fraud]));
    expect(rare?.metric).toBe("AveragePrecision");
    expect(rare?.because).toMatch(/2\.0 %/);
  });

  test("what tells rows apart, is empty, constant or free text is not suggested", () => {
    const columns = [
      column("id", "Identifier"),
      column("none", "Empty"),
      column("same", "Category", { distinct: 1 }),
      column("note", "Text"),
    ];
    expect(suggestTargets(profile(columns))).toEqual([]);
  });
});

const FORM: JobForm = {
  namespace: "default",
  name: "churn",
  dataset: "customers",
  target: "Churn",
  task: "BinaryClassification",
  metric: "RocAuc",
  method: "Auto",
  split: "Random",
  publish: "AsScored",
  maxSteps: 30,
  maxSeconds: 60,
  maxTokens: 1000,
  provider: "Offline",
};

describe("the form", () => {
  test("is a manifest that the API takes", () => {
    const { yaml, problems, resource } = draftOf(FORM, true);
    expect(problems).toEqual([]);
    expect(resource).toMatchObject({
      kind: "TrainingJob",
      spec: { target: "Churn", budget: { maxSeconds: 60 } },
    });
    expect(yaml).toMatch(/^kind: TrainingJob$/m);
  });

  test.each([
    ["name", { name: "No Name" }, "metadata.name"],
    ["metric", { task: "Regression" as const }, "spec.evaluation.metric"],
    ["budget", { maxSteps: 0 }, "spec.budget.maxSteps"],
    ["column", { split: "Time" as const }, "spec.evaluation.column"],
    ["acceptance", { acceptance: "good" }, "spec.acceptance.score"],
  ])("a wrong %s is named by its field", (_, change, field) => {
    const { problems, resource } = draftOf({ ...FORM, ...change }, true);
    expect(problems.map((problem) => problem.field)).toContain(field);
    expect(resource).toBeUndefined();
  });

  test("text cannot become another part of the manifest", () => {
    const { resource } = draftOf(
      { ...FORM, target: "x\nllm: {provider: Gemini}", goal: "a: b\n---\nkind: Secret" },
      true,
    );
    expect(resource).toMatchObject({
      spec: { target: "x\nllm: {provider: Gemini}", llm: { provider: "Offline" } },
    });
  });
});

test("states are told by conditions", () => {
  const ready = (status: "True" | "False" | "Unknown", reason: string) => ({
    type: "Ready",
    status,
    reason,
    message: "",
    lastTransitionTime: "",
  });
  expect(stateOf([])).toBe("Waiting");
  expect(stateOf([ready("Unknown", "Ask")])).toBe("Working");
  expect(stateOf([ready("Unknown", "Suspended")])).toBe("Suspended");
  expect(stateOf([ready("Unknown", "WaitingForUpload")])).toBe("Waiting");
  expect(stateOf([ready("False", "X"), { ...ready("True", "X"), type: "Stalled" }])).toBe("Stalled");
  expect(stateOf([ready("True", "TakenIn")])).toBe("Ready");
});

test("a job that is over without a model has failed; one that waits for somebody is stalled", () => {
  const stalled = [
    { type: "Stalled", status: "True", reason: "MissingKey", message: "no key", lastTransitionTime: "" },
  ];
  const job = (state: string) =>
    ({
      kind: "TrainingJob",
      metadata: { name: "a", namespace: "b" },
      spec: { target: "t", dataset: {}, llm: {}, budget: {} },
      status: { state, conditions: stalled },
    }) as unknown as Resource;
  expect(rowOf(job("ERROR"))).toMatchObject({ state: "Failed", message: "no key" });
  expect(rowOf(job("TRAINING"))).toMatchObject({ state: "Stalled" });
});

test("histograms count what is between the least and the greatest value, whatever the names are", async () => {
  const table = profile([
    column("__proto__", "Integer", { min: "0", max: "16" }),
    column("word", "Category"),
    column("same", "Number", { min: "1", max: "1" }),
  ]);
  const csv = `"__proto__",word,same\n${["0,a,1", "1,b,1", ",c,1", "16,d,1", "oops,e,1"].join("\n")}\n`;
  const [numbers, ...others] = await histogramsOf(Readable.from([Buffer.from(csv)]), table);
  expect(numbers?.counts).toHaveLength(16);
  expect(numbers?.counts.reduce((sum, count) => sum + count, 0)).toBe(3);
  expect(numbers?.counts[0]).toBe(1);
  expect(numbers?.counts[15]).toBe(1);
  expect(others).toEqual([null, null]);
});

test("of a large data set no more is read than its histograms look at", async () => {
  let lines = 0;
  const canonical = Readable.from(
    (function* () {
      yield "n\n";
      for (; lines < 300_000; lines += 1000) yield "1\n".repeat(1000);
    })(),
  );
  const table = profile([column("n", "Integer", { min: "0", max: "2" })]);
  const [numbers] = await histogramsOf(canonical, table);
  expect(numbers?.counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(19_000);
  expect(lines).toBeLessThan(100_000);
  expect(canonical.destroyed).toBe(true);
});

test("a model's package is found without reading the whole journal", async () => {
  const store = new MemoryStore();
  const job = { metadata: { name: "churn", namespace: "default", uid: "1" } } as unknown as TrainingJob;
  const notes = Array.from({ length: 200 }, () => ({ type: "JobResumed" }) as Draft);
  const entries = journalOf(
    prepared(),
    ...notes,
    { ...published(2), prefix: "models/x" } as Draft,
    jobFinished("READY"),
  );
  for (const entry of entries) {
    await store.put(`${journalPrefix(job)}/${String(entry.sequence).padStart(6, "0")}.json`, encode(entry));
  }
  await store.put("models/x/model.json", encode(modelManifest()));
  const get = vi.spyOn(store, "get");
  expect(await publishedModels(store).manifest(job)).toMatchObject({ target: "y" });
  expect(get.mock.calls.length).toBeLessThan(5);
  await store.deletePrefix(journalPrefix(job));
  await expect(publishedModels(store).manifest(job)).rejects.toMatchObject({ refusal: "Missing" });
});

test("examples are rows that say something, in the types of a request", () => {
  const features = [
    { name: "age", type: "Integer" },
    { name: "active", type: "Boolean" },
    { name: "code", type: "Category", categories: ["007", "008"] },
    ...["a", "b", "c"].map((name) => ({ name, type: "Text" })),
  ];
  const lines = [",,,x,y,z", "no row had it,,True,x,y,z", "008,,False,x,y,z", "007,41,True,x,y,z"];
  const csv = new TextEncoder().encode(`code,age,active,a,b,c\n${lines.join("\n")}\n`);
  expect(examplesOf({ features } as never, csv)).toEqual([
    { age: 41, active: true, code: "007", a: "x", b: "y", c: "z" },
    { age: null, active: false, code: "008", a: "x", b: "y", c: "z" },
  ]);
});

test("what moved a prediction is what changes it when it is replaced by the usual value", async () => {
  const manifest = {
    task: "BinaryClassification",
    classes: ["no", "yes"],
    features: ["age", "spent", "plan", "id"].map((name) => ({
      name,
      type: { age: "Integer", spent: "Number", plan: "Category", id: "Identifier" }[name],
    })),
  } as never;
  const table = profile([
    column("age", "Integer", { mean: 40.4 }),
    column("spent", "Number", { mean: 0.123456789 }),
    column("plan", "Category", { top: [{ value: "basic", count: 9 }] }),
    column("id", "Identifier"),
  ]);
  const { of, moved } = await explained(
    manifest,
    table,
    { age: 90, spent: 0, plan: "basic", id: "x" },
    async (rows) => ({
      predictions: rows.map(() => "yes"),
      probabilities: rows.map(({ age, spent }) => {
        const yes = Number(age) / 100 - Number(spent);
        return { yes, no: 1 - yes };
      }),
      warnings: [],
    }),
  );
  expect(of).toBe("yes");
  expect(moved).toEqual([
    { field: "age", usual: "40", by: expect.closeTo(0.5, 9) },
    { field: "spent", usual: "0.1235", by: expect.closeTo(0.1235, 9) },
  ]);
});

test("a reply's code is shown apart from its arguments, and what is long is cut", () => {
  const view = viewOf({
    sequence: 3,
    at: "2026-01-01T00:00:00Z",
    elapsedSeconds: 4,
    type: "ReplyReceived",
    step: 1,
    model: "gemini",
    parts: [
      { text: "I think" },
      {
        functionCall: { name: "write_python_file", args: { path: "train.py", content: "x".repeat(70_000) } },
      },
    ],
    finish: "Stop",
    usage: { promptTokens: 1, outputTokens: 1, totalTokens: 2 },
  });
  expect(view).toMatchObject({
    type: "Reply",
    texts: ["I think"],
    calls: [{ path: "train.py", arguments: '{"path":"train.py"}' }],
  });
  expect(view.type === "Reply" && view.calls[0]?.code).toMatch(/10000 characters cut …$/);
});
