import { describe, expect, test } from "vitest";
import { type Draft, journalOf, prepared } from "../../test/builders/entries.ts";
import { InstantExecutor } from "../../test/fakes/instant-executor.ts";
import { fc } from "../../test/properties.ts";
import { Journal } from "../agent/journal.ts";
import type { JournalDraft } from "../api/journal.ts";
import { TrainingJob } from "../api/trainingjob.ts";
import { WaitingError } from "../engine/errors.ts";
import type { JobContext } from "../evaluation/context.ts";
import type { FunctionCall } from "../llm/language-model.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { runTool, TOOL_DECLARATIONS } from "./run-tool.ts";
import { pathProblem } from "./write-python-file.ts";

const write = (path: string, content = "print(1)\n") => ({
  name: "write_python_file",
  args: { path, content },
});
const execute = (path: string) => ({ name: "execute_python_file", args: { path } });

/** A job that carries out calls, each as the next of step 1. */
async function bench(...drafts: Draft[]) {
  const store = new MemoryStore();
  const executions: string[] = [];
  let wake: () => void = () => undefined;
  const executor = new InstantExecutor({
    store,
    diary: (line) => executions.push(line),
    onFinished: () => wake(),
  });
  const journal = await Journal.load(store, "journal", { now: () => 0 }, 0);
  for (const { sequence: _, at: __, elapsedSeconds: ___, ...draft } of journalOf(prepared(), ...drafts))
    await journal.append(draft as JournalDraft);
  const job = TrainingJob.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name: "job", namespace: "default", uid: "1" },
    spec: { dataset: { uri: "s3://bucket/rows.csv" }, target: "answer" },
  });
  const context = {
    job,
    journal,
    store,
    executor,
    baselines: { prior: "", boosting: "" },
    version: "1",
  } as JobContext;
  let index = 0;
  const call = async (made: FunctionCall) => {
    const request = { step: 1, index: index++, call: made, secondsLeft: 60 };
    for (;;) {
      const ended = new Promise<void>((resolve) => {
        wake = resolve;
      });
      try {
        const draft = await runTool(context, request);
        await journal.append(draft);
        if (draft.type !== "ToolFinished") throw new Error(`expected ToolFinished, got ${draft.type}`);
        return draft;
      } catch (error) {
        if (!(error instanceof WaitingError)) throw error;
        await ended;
      }
    }
  };
  return { call, executions };
}

describe("a call that is wrong", () => {
  test("of a tool that does not exist is told which there are", async () => {
    const { call, executions } = await bench();
    const { response } = await call({ name: "rm", args: {} });
    expect(response).toMatchObject({
      ok: false,
      error: expect.stringContaining(
        "the tools are install_dependencies, write_python_file, execute_python_file, save_model_settings",
      ),
    });
    expect(executions).toEqual([]);
  });

  test.each([
    ["nothing", undefined],
    ["a text", "train.py"],
    ["a missing field", { path: "a.py" }],
    ["an unknown field", { path: "a.py", content: "", mode: "w" }],
    ["another type", { path: 3, content: "" }],
  ])("with %s for arguments is told what is wrong with them", async (_name, args) => {
    const { call, executions } = await bench();
    const { response } = await call({ name: "write_python_file", args });
    expect(response).toMatchObject({
      ok: false,
      error: expect.stringContaining("the arguments of write_python_file are wrong"),
    });
    expect(executions).toEqual([]);
  });

  test("to run a file that was not written is told which were", async () => {
    const { call } = await bench();
    expect((await call(execute("a.py"))).response.error).toMatch(/there is no a\.py .*files: none yet/);
    await call(write("b.py"));
    expect((await call(execute("a.py"))).response.error).toMatch(/there is no a\.py .*files: b\.py/);
  });
});

describe("the same call", () => {
  test("on the same files is not run again, and says so", async () => {
    const { call, executions } = await bench();
    await call(write("a.py"));
    const first = await call(execute("a.py"));
    const before = executions.length;
    const second = await call(execute("a.py"));
    expect(executions).toHaveLength(before);
    expect(second.response).toMatchObject({ ...first.response, repeated: expect.any(String) });
  });

  test("on other files is run again", async () => {
    const { call, executions } = await bench();
    await call(write("a.py"));
    await call(execute("a.py"));
    await call(write("a.py", "print(2)\n"));
    const before = executions.length;
    expect((await call(execute("a.py"))).response).not.toHaveProperty("repeated");
    expect(executions).toHaveLength(before + 1);
  });

  test("after another one of its tool is run again, on the workspace that one left", async () => {
    const { call, executions } = await bench();
    await call(write("a.py"));
    await call(write("b.py"));
    const first = await call(execute("a.py"));
    await call(execute("b.py"));
    const before = executions.length;
    const again = await call(execute("a.py"));
    expect(executions).toHaveLength(before + 1);
    expect(again.workspace).toMatch(/\/workspaces\/[0-9a-f]{64}\.tar$/);
    expect(again.workspace).not.toBe(first.workspace);
  });
});

describe("paths of files", () => {
  test.each(["train.py", "features/dates.py", "a-b_c.2.py", "_x.py"])("%s is written", (path) => {
    expect(pathProblem(path)).toBeUndefined();
  });

  test.each([
    ["../x.py", /outside the workspace/],
    ["a/../../x.py", /outside the workspace/],
    ["a/..", /outside the workspace/],
    ["/tmp/x.py", /outside the workspace/],
    ["./x.py", /letters, digits/],
    ["a//x.py", /letters, digits/],
    ["a\\..\\x.py", /letters, digits/],
    ["a b.py", /letters, digits/],
    ["ä.py", /letters, digits/],
    [".hidden.py", /letters, digits/],
    ["x.py\n", /letters, digits/],
    ["x.txt", /does not end in \.py/],
    ["data/x.py", /belongs to the operator/],
  ])("%j is refused", (path, problem) => {
    expect(pathProblem(path)).toMatch(problem);
  });

  test("whatever is allowed stays below the workspace and is no option", () => {
    const segment = fc.string({
      unit: fc.constantFrom(".", "/", "a", "-", "\\", "\0", " ", "py"),
      maxLength: 12,
    });
    fc.assert(
      fc.property(segment, (text) => {
        const path = `${text}.py`;
        if (pathProblem(path) !== undefined) return;
        const { pathname } = new URL(path, "file:///workspace/");
        expect(pathname).toBe(`/workspace/${path}`);
        expect(path).toMatch(/^[^-]/);
      }),
    );
  });
});

test("the tools are declared to the model with a description of every argument", () => {
  expect(TOOL_DECLARATIONS.map(({ name }) => name)).toEqual([
    "install_dependencies",
    "write_python_file",
    "execute_python_file",
    "save_model_settings",
  ]);
  for (const { description, parameters } of TOOL_DECLARATIONS) {
    expect(description.length).toBeGreaterThan(40);
    const fields = Object.values(parameters.properties as Record<string, { description?: string }>);
    for (const field of fields) expect(field.description).toBeTruthy();
  }
});
