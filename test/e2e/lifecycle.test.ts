/** One job's life on the command line: interrupted, gone on with, looked at, asked, reported, and trained again. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JournalEntry } from "../../operator/api/journal.ts";
import { manifest } from "../builders/manifests.ts";
import { linear } from "../builders/tables.ts";
import { type GeminiServer, startGeminiServer } from "../fakes/gemini-server.ts";
import * as scripts from "../fakes/scripts.ts";
import { autoai, type Ended, jobOf, MINUTES, place, start } from "./harness.ts";

const here = place();
let server: GeminiServer;
let interrupted: Ended;
let locked: Ended;
let finished: Ended;

const cli = (...args: string[]) =>
  autoai([...args, "--home", here.home], {
    cwd: here.folder,
    env: { GEMINI_API_KEY: "any-key", AUTOAI_GEMINI_BASE_URL: server.url },
  });

async function journal(name: string): Promise<JournalEntry[]> {
  const { stdout } = await cli("inspect", name, "--json");
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as JournalEntry);
}

beforeAll(async () => {
  server = await startGeminiServer({ script: scripts.success() });
  here.write("rows.csv", linear(200));
  here.write("job.yaml", manifest({ llm: { provider: "Gemini" } }));
  const running = start(["run", "-f", "job.yaml", "--home", here.home, "--json"], {
    cwd: here.folder,
    env: { GEMINI_API_KEY: "any-key", AUTOAI_GEMINI_BASE_URL: server.url },
  });
  await running.until(/step 2\/12 /);
  locked = await cli("run", "-f", "job.yaml");
  running.kill("SIGINT");
  interrupted = await running.ended;
  finished = await cli("run", "-f", "job.yaml", "--json");
}, 15 * MINUTES);
afterAll(async () => {
  await server?.close();
  here[Symbol.dispose]();
});

describe("a run", () => {
  test("of a job that another process runs is refused", () => {
    expect(locked.code).toBe(2);
    expect(locked.stderr).toMatch(/^default\/job is being run by process \d+: wait for it, or end it\n$/);
  });

  test("that is interrupted says how to go on, and exits 130", () => {
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(/interrupted; run the same command again to go on\n$/);
    expect(jobOf(interrupted).status?.state).toBe("TRAINING");
  });

  test("goes on to READY, with no step lost and none twice", async () => {
    expect(finished.code, finished.stderr).toBe(0);
    expect(jobOf(finished).status).toMatchObject({ state: "READY", model: { name: "linear-model" } });
    const entries = await journal("job");
    expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index));
    const steps = entries.flatMap((entry) => (entry.type === "ReplyReceived" ? [entry.step] : []));
    expect(steps).toEqual([1, 2, 3, 4]);
    const calls = entries.flatMap((entry) =>
      entry.type === "ToolFinished" ? [`${entry.step}.${entry.call}`] : [],
    );
    expect(calls).toEqual(["1.0", "1.1", "2.0", "3.0"]);
    expect(server.complaints).toEqual([]);
  });

  test("of a job that is READY answers the same at once, and asks no LLM", async () => {
    const asked = server.requests.length;
    const again = await cli("run", "-f", "job.yaml", "--json");
    expect(again.code).toBe(0);
    expect(again.stdout).toBe(finished.stdout);
    expect(server.requests).toHaveLength(asked);
  });

  test("of a changed spec is refused, unless it is to replace the job", async () => {
    const changed = here.write("changed.yaml", manifest({ llm: { provider: "Gemini" }, goal: "another" }));
    const ended = await cli("run", "-f", changed);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(
      /^TrainingJob default\/job exists with another spec \(spec\.goal\).*--replace.*\n$/,
    );
  });
});

describe("commands on a job that is READY", () => {
  test("list shows its state and scores", async () => {
    const { stdout, code } = await cli("list");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^NAME +STATE +SCORE +BASELINE +STEP +CREATED\njob +READY +[01](\.\d+)? +[01](\.\d+)? +4\/12 /,
    );
  });

  test("inspect tells of code, output and scores", async () => {
    const { stdout } = await cli("inspect", "job");
    expect(stdout).toContain("Candidate 0 (Prior baseline)");
    expect(stdout).toMatch(/→ write_python_file \{"path":"train\.py"\}\n {4}\| """A recipe/);
    expect(stdout).toMatch(/Step 2: execute_python_file ok[\s\S]*rows: \d+ score on train:/);
    expect(stdout).toMatch(/Candidate 2 \(linear-model\): RocAuc 0\.\d+ ± 0\.\d+, claimed 0\.8/);
    expect(stdout).toMatch(/Published candidate 2/);
  });

  test("a name that is nearly right is suggested", async () => {
    const ended = await cli("inspect", "jop");
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/there is no job jop in .*; did you mean job\?\n$/);
  });

  test("predict answers every row, those with unseen categories and without values too", async () => {
    const input = here.write(
      "new.csv",
      "group,f,e,d,c,b,a\ng1,4,4,4,4,4,4\nunseen,-3,,1,1,1,1\n,,,,,,\ng2,-4,-4,-4,-4,-4,-4\n",
    );
    const { stdout, code, stderr } = await cli("predict", "job", "--input", input);
    expect(code, stderr).toBe(0);
    const [header, ...rows] = stdout.trimEnd().split("\n");
    expect(header).toBe("prediction,p:no,p:yes");
    expect(rows).toHaveLength(4);
    for (const row of rows) expect(row).toMatch(/^(yes|no),[\d.e-]+,[\d.e-]+$/);
    expect(rows[0]).toMatch(/^yes/);
    expect(rows[3]).toMatch(/^no/);
    const written = await cli("predict", "job", "--input", input, "--output", join(here.folder, "out.csv"));
    expect(written.code).toBe(0);
    expect(readFileSync(join(here.folder, "out.csv"), "utf8")).toBe(stdout);
  });

  test("serve answers as predict does, by a worker in the sandbox, and ends well when interrupted", async () => {
    const input = here.write("one.csv", "a,b,c,d,e,f,group\n1,2,0.5,-1,1.5,2,g1\n");
    const { stdout } = await cli("predict", "job", "--input", input);
    const [, expected = "", ...probabilities] = /\n(\w+),([\d.e-]+),([\d.e-]+)/.exec(stdout) ?? [];
    const running = start(["serve", "job", "--port", "0", "--home", here.home], { cwd: here.folder });
    const [, address] = await running.until(/served at (http:\S+) by the (Compiled|DataFrame) engine/);
    const reply = await fetch(`${address}/predict`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ rows: [{ a: 1, b: 2, c: 0.5, d: -1, e: 1.5, f: 2, group: "g1" }] }),
    });
    const answer = (await reply.json()) as { predictions: string[]; probabilities: Record<string, number>[] };
    expect(reply.status, JSON.stringify(answer)).toBe(200);
    expect(answer.predictions).toEqual([expected]);
    expect(answer.probabilities[0]?.no).toBeCloseTo(Number(probabilities[0]), 9);
    // The package says what the model was trained on.
    const metrics = await (await fetch(`${address}/metrics`)).text();
    expect(metrics).toMatch(/^autoai_inference_drift_rows\{.*\} 1$/m);
    running.kill("SIGINT");
    const ended = await running.ended;
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    const logged = await cli("inferences", "job", "--since", "1h", "--json");
    expect(JSON.parse(logged.stdout)).toMatchObject({
      predictions: [expected],
      inputs: { rows: [{ a: 1 }] },
    });
    const text = await cli("inferences", "job", "--limit", "1");
    expect(text.stdout).toMatch(/^\d{4}-.*Z {2}\S{8} {2}\w+ \([\d.]+\) {2}a=1 b=2 .* group=g1\n$/);
    expect((await cli("inferences", "job", "--until", "1h")).stdout).toBe("");
    expect((await cli("inferences", "job", "--since", "yesterday")).code).toBe(2);
    expect((await cli("inferences", "job", "--limit", "0")).code).toBe(2);
  });

  test("serve refuses a package that was changed", async () => {
    const model = jobOf(finished).status?.model;
    const file = join(
      here.home,
      "store",
      "models",
      "default",
      "job",
      model?.digest ?? "",
      "trained_model.joblib",
    );
    const whole = readFileSync(file);
    writeFileSync(file, Buffer.concat([whole, Buffer.from("x")]));
    const ended = await cli("serve", "job", "--port", "0");
    writeFileSync(file, whole);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^autoai: job is not served: trained_model\.joblib was changed/);
  });

  test("predict names a column that is missing", async () => {
    const ended = await cli(
      "predict",
      "job",
      "--input",
      here.write("less.csv", "a,b,c,d,e,group\n1,1,1,1,1,g1\n"),
    );
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/less\.csv: .*\bf\b/);
    expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("report names one file that needs no other", async () => {
    const { stdout, code } = await cli("report", "job");
    expect(code).toBe(0);
    expect(existsSync(stdout.trim())).toBe(true);
    const copy = join(here.folder, "report.html");
    expect((await cli("report", "job", "--output", copy)).stdout).toBe(`${copy}\n`);
    const html = readFileSync(copy, "utf8");
    expect(html).toContain("linear-model");
    expect(html).not.toMatch(/<(script|link|img|iframe)[^>]*(src|href)=["']?(https?:)?\/\//i);
    expect(html).not.toMatch(/url\(["']?(https?:)?\/\//i);
  });

  test("model copies the package whole, and overwrites nothing", async () => {
    const output = join(here.folder, "package");
    const { stdout, stderr } = await cli("model", "job", "--output", output);
    expect(stdout, stderr).toBe(`${output}\n`);
    const { files } = JSON.parse(readFileSync(join(output, "model.json"), "utf8"));
    // What the recipe left beside its model.
    expect(Object.keys(files)).toContain("model.onnx");
    for (const path of ["trained_model.joblib", ...Object.keys(files)])
      expect(existsSync(join(output, path)), path).toBe(true);
    const again = await cli("model", "job", "--output", output);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("is there already")]);
  });

  test(
    "retrain runs its recipe on new rows, with no token",
    async () => {
      const asked = server.requests.length;
      const ended = await cli("retrain", "job", "--data", here.write("later.csv", linear(160, 5)), "--json");
      expect(ended.code, ended.stderr).toBe(0);
      const again = jobOf(ended);
      expect(again.metadata.name).toBe("job-2");
      expect(again.status).toMatchObject({
        state: "READY",
        usage: { tokens: 0 },
        model: { name: "linear-model" },
      });
      expect(server.requests).toHaveLength(asked);
    },
    10 * MINUTES,
  );

  test(
    "retrain refuses rows without the target",
    async () => {
      const data = here.write("unlabelled.csv", "a,b,c,d,e,f,group\n1,2,3,4,5,6,g1\n2,3,4,5,6,7,g2\n");
      const ended = await cli("retrain", "job", "--data", data, "--name", "unlabelled");
      expect(ended.code).toBe(2);
      expect(ended.stderr).toMatch(/answer/);
      expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
      const early = await cli("predict", "unlabelled", "--input", data);
      expect(early.code).toBe(2);
      expect(early.stderr).toMatch(
        /^job unlabelled is ERROR, and has no model yet; autoai inspect unlabelled shows why\n$/,
      );
    },
    10 * MINUTES,
  );
});

test("preview shows columns, types and first rows, and keeps nothing", async () => {
  const { stdout, code } = await autoai(["preview", join(here.folder, "rows.csv")]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/rows\.csv: 200 rows, 8 columns/);
  expect(stdout).toMatch(/^a +Number +0 /m);
  expect(stdout).toMatch(/^answer +(Category|Boolean) +0 +2 /m);
});
