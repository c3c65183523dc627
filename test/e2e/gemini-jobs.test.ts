/** Whole jobs: the real command line and sandbox, and a scripted Gemini at the other end of HTTP. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { candidates, find, Journal } from "../../operator/agent/journal.ts";
import type { EntryOf, JournalEntry } from "../../operator/api/journal.ts";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import { openHome } from "../../operator/embedded/home.ts";
import { dataKey, journalPrefix } from "../../operator/evaluation/context.ts";
import { manifest } from "../builders/manifests.ts";
import { linear, mostlyTrue } from "../builders/tables.ts";
import { type GeminiServer, type Script, type Step, startGeminiServer } from "../fakes/gemini-server.ts";
import * as scripts from "../fakes/scripts.ts";
import { autoai, type Ended, filesWith, jobOf, MINUTES, place } from "./harness.ts";

const here = place();
afterAll(() => here[Symbol.dispose]());

/** Stands in every key, so that one search finds any of them. */
const SECRET = "AIza-not-to-be-found";
const outputs: string[] = [];

type Trained = {
  readonly ended: Ended;
  readonly job: TrainingJob;
  readonly entries: readonly JournalEntry[];
  readonly server: GeminiServer;
};

async function train(name: string, script: Script, spec: object = {}, rows = linear(160)): Promise<Trained> {
  here.write(`${name}.csv`, rows);
  const file = here.write(
    `${name}.yaml`,
    manifest({ name, dataset: { uri: `file:${name}.csv` }, llm: { provider: "Gemini" }, ...spec }),
  );
  const server = await startGeminiServer({ script });
  try {
    const ended = await autoai(["run", "-f", file, "--home", here.home, "--json"], {
      env: { GEMINI_API_KEY: `${SECRET}-${name}`, AUTOAI_GEMINI_BASE_URL: server.url },
    });
    outputs.push(ended.stdout, ended.stderr);
    const job = jobOf(ended);
    const { store } = openHome(here.home);
    const { entries } = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0);
    return { ended, job, entries, server };
  } finally {
    await server.close();
  }
}

function responses(entries: readonly JournalEntry[]): EntryOf<"ToolFinished">[] {
  return entries.filter((entry) => entry.type === "ToolFinished");
}

function condition(job: TrainingJob, type: string) {
  return job.status?.conditions?.find((one) => one.type === type);
}

function expectReady({ ended, job, server }: Trained, reason: string): void {
  expect(server.complaints).toEqual([]);
  expect(job.status?.state, ended.stderr).toBe("READY");
  expect(ended.code).toBe(0);
  expect(condition(job, "Ready")).toMatchObject({ status: "True", reason });
}

/** Calls in the order in which they were carried out, each with its place: twice the same place would be a step twice. */
function carriedOut(entries: readonly JournalEntry[]): string[] {
  return responses(entries).map(({ name, response }) => `${name} ${response.ok}`);
}

function expectNoStepTwice(entries: readonly JournalEntry[]): void {
  const steps = entries.flatMap((entry) => (entry.type === "ReplyReceived" ? [entry.step] : []));
  expect(steps).toEqual(steps.map((_, index) => index + 1));
  const places = responses(entries).map(({ step, call }) => `${step}.${call}`);
  expect(new Set(places).size).toBe(places.length);
}

describe.concurrent("a job with Gemini", () => {
  test(
    "writes, runs and saves a model, which is verified and published",
    async () => {
      const trained = await train("success", scripts.success());
      expectReady(trained, "AgentFinished");
      const { job, entries, server } = trained;
      expect(job.status?.model).toMatchObject({ name: "linear-model" });
      expect(job.status?.bestCandidate).toMatchObject({ claimedScore: "0.8", step: 3 });
      expect(Number(job.status?.bestCandidate?.verifiedScore)).toBeGreaterThan(0.8);
      expect(job.status?.usage?.tokens).toBeGreaterThan(0);
      expect(server.requests).toHaveLength(4);
      expect(server.requests[0]?.apiKey).toBe(`${SECRET}-success`);
      expectNoStepTwice(entries);
    },
    10 * MINUTES,
  );

  test(
    "mends a program after its traceback, which the next request holds",
    async () => {
      const trained = await train("mended", scripts.selfCorrection());
      expectReady(trained, "AgentFinished");
      expect(trained.server.requests[2]?.newest).toMatch(/"traceback":"Traceback.*train\.py.*KeyError/);
      expect(trained.job.status?.model?.name).toBe("mended-model");
    },
    10 * MINUTES,
  );

  test(
    "that claims 0.99 shows what was claimed beside what was verified, which is near 0.7",
    async () => {
      const trained = await train("overclaims", scripts.overclaims(), {}, mostlyTrue(400));
      expectReady(trained, "AgentFinished");
      const { bestCandidate, model } = trained.job.status ?? {};
      expect(bestCandidate?.claimedScore).toBe("0.99");
      expect(Math.abs(Number(bestCandidate?.verifiedScore) - 0.7)).toBeLessThan(0.1);
      expect(Math.abs(Number(model?.finalScore) - 0.7)).toBeLessThan(0.15);
    },
    10 * MINUTES,
  );

  test(
    "that only repeats itself ends with its steps, with the baseline, and runs the program once",
    async () => {
      const trained = await train("steps", scripts.endlessRepeat(), {
        budget: { maxSteps: 4, maxSeconds: 3600 },
      });
      expectReady(trained, "StepsExhausted");
      const { job, entries, server, ended } = trained;
      expect(server.requests).toHaveLength(4);
      expect(job.status?.progress).toMatchObject({ step: 4, maxSteps: 4 });
      expect(job.status?.warnings?.join()).toMatch(/no candidate was better than the baseline/);
      expect(ended.stderr).toMatch(/the budget of 4 steps is spent/);
      const runs = responses(entries).filter(({ name }) => name === "execute_python_file");
      expect(runs.map(({ response }) => "repeated" in response)).toEqual([false, true, true]);
    },
    10 * MINUTES,
  );

  test(
    "that spends its tokens ends READY, not a call later than they allow",
    async () => {
      const tokens = 300_000;
      const trained = await train("tokens", scripts.tokenGlutton({ tokens }), {
        budget: { maxSteps: 30, maxSeconds: 3600, maxTokens: 500_000 },
      });
      expectReady(trained, "TokensExhausted");
      expect(trained.server.requests).toHaveLength(1);
      expect(trained.job.status?.usage?.tokens).toBe(tokens);
      expect(trained.job.status?.warnings?.join()).toMatch(/baseline/);
    },
    10 * MINUTES,
  );

  test(
    "ends under every passing fault as it does without them, and no step is taken twice",
    async () => {
      const timeout: Step = { status: 504, retryAfter: 0 };
      const safety: Step = { finishReason: "SAFETY" };
      const trained = await train("rainy", [timeout, safety, ...(scripts.rainy() as Step[])], {
        budget: { maxSteps: 20, maxSeconds: 3600 },
      });
      expectReady(trained, "AgentFinished");
      const { entries, job } = trained;
      expect(job.status?.model?.name).toBe("linear-model");
      expectNoStepTwice(entries);
      expect(carriedOut(entries)).toEqual([
        "write_python_file true",
        "write_python_file true",
        "execute_python_file true",
        "save_model_settings true",
      ]);
      const finishes = entries.flatMap((entry) => (entry.type === "ReplyReceived" ? [entry.finish] : []));
      expect(new Set(finishes)).toEqual(new Set(["Stop", "Blocked", "Empty", "MaxTokens", "Malformed"]));
    },
    10 * MINUTES,
  );

  test(
    "finds no label, no key, no home and no network",
    async () => {
      const trained = await train("thief", scripts.thief());
      expectReady(trained, "AgentFinished");
      const run = responses(trained.entries).find(({ name }) => name === "execute_python_file");
      expect(JSON.stringify(run?.response.output)).toContain("THIEF FOUND 0");
    },
    10 * MINUTES,
  );

  test(
    "that knows the rows it saw by heart is scored on the others, and told so",
    async () => {
      let script: readonly Step[] = [];
      const answers: Script = async (request) => {
        if (script.length === 0) script = scripts.memoriserFromRows(await trainRows("memory")) as Step[];
        return script[request.turn] ?? { text: "Enough." };
      };
      const trained = await train("memory", answers, { evaluation: { method: "CrossValidation", folds: 2 } });
      expectReady(trained, "AgentFinished");
      const { entries, job } = trained;
      const memory = candidates(entries).find(({ origin }) => origin === "Agent");
      expect(memory?.claimedScore).toBe(1);
      expect(memory?.verified.memorised).toBe(true);
      expect(memory?.verified.score).toBeLessThan(0.7);
      expect(memory?.warnings.join()).toMatch(/knows rows that the agent has seen/);
      // What was claimed decides nothing.
      expect(find(entries, "ModelPublished")?.candidate).not.toBe(memory?.number);
      expect(job.status?.bestCandidate).not.toHaveProperty("claimedScore");
    },
    10 * MINUTES,
  );

  test(
    "is told of calls that cannot be carried out, each beside those that can",
    async () => {
      const counter =
        'import pathlib\np = pathlib.Path("n")\np.write_text(p.read_text() + "x" if p.exists() else "x")\nprint(p.read_text())\n';
      const trained = await train("clumsy", [
        {
          calls: [
            { name: "launch_rocket", args: {} },
            { name: "write_python_file", args: { path: "a.py", text: "1" } },
            scripts.write("../x.py", "1"),
            scripts.write("/tmp/x.py", "1"),
            scripts.write("data/x.py", "1"),
            scripts.write("notes.txt", "1"),
            scripts.write("b.py", "def f(:\n"),
            scripts.execute("none.py"),
            scripts.save("none.py", "nothing"),
            scripts.write("count.py", counter),
            scripts.execute("count.py"),
            scripts.execute("count.py"),
          ],
        },
        { expect: "launch_rocket", text: "I see." },
        { text: "I stop." },
        { text: "I stop." },
      ]);
      expectReady(trained, "AgentFinished");
      const told = responses(trained.entries).map(({ response }) => response);
      const errors: readonly (RegExp | undefined)[] = [
        /there is no tool launch_rocket; the tools are install_dependencies/,
        /arguments of write_python_file are wrong/,
        /outside the workspace/,
        /outside the workspace/,
        /data\/ belongs to the operator/,
        /does not end in \.py/,
        /syntax error in line 1/,
        /there is no none\.py/,
        /none\.py was not written/,
        undefined,
        undefined,
        undefined,
      ];
      expect(told.map(({ ok }) => ok)).toEqual(errors.map((error) => error === undefined));
      for (const [index, error] of errors.entries()) if (error) expect(told[index]?.error).toMatch(error);
      expect(told[10]?.output).toMatchObject({ head: "x\n" });
      expect(told[11]).toMatchObject({ output: { head: "x\n" }, repeated: expect.any(String) });
    },
    10 * MINUTES,
  );

  test(
    "stops early where the acceptance score is reached, and asks for nothing more",
    async () => {
      const trained = await train("accepted", scripts.endlessTalk(), { acceptance: { score: "0.5" } });
      expectReady(trained, "Accepted");
      expect(trained.server.requests).toHaveLength(0);
    },
    10 * MINUTES,
  );

  test(
    "that is refused by the service ends at once, with one clear line",
    async () => {
      const script = { steps: [], afterwards: { status: 401, message: "no such key {{key}}" } };
      const { ended, job, server } = await train("refused", script);
      expect(ended.code).toBe(1);
      expect(server.requests).toHaveLength(1);
      expect(condition(job, "Stalled")).toMatchObject({ status: "True", reason: "LlmRefused" });
      expect(ended.stderr.split("\n").filter((line) => /401|key/i.test(line))).toHaveLength(1);
      expect(ended.stderr).not.toMatch(/^\s+at .*:\d+/m);
    },
    10 * MINUTES,
  );
});

test("no key is in any file of the home or in any output", () => {
  expect(outputs.length).toBeGreaterThan(0);
  expect(outputs.join("\n")).not.toContain(SECRET);
  expect(filesWith(here.home, SECRET)).toEqual([]);
  expect(filesWith(here.home, "ReplyReceived").length).toBeGreaterThan(0);
});

/** The rows that the agent can read, as it can read them. */
async function trainRows(name: string): Promise<scripts.LabelledRow[]> {
  const { cluster, store } = openHome(here.home);
  const job = await cluster.get("TrainingJob", `default/${name}`);
  if (!job) throw new Error(`there is no job ${name}`);
  const path = await store.pathOf(dataKey(job, "train.csv"));
  const [header = [], ...rows] = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(","));
  return rows.map((cells) => {
    const features = Object.fromEntries(header.map((column, index) => [column, cells[index]]));
    const { answer, ...rest } = features;
    return [rest, answer];
  });
}
