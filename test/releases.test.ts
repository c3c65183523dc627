/** What every release left behind is read by this version: test/fixtures/releases/VERSION, made by make.ts beside them. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Action, nextAction } from "../operator/agent/next-action.ts";
import { Dataset } from "../operator/api/dataset.ts";
import { JournalEntry } from "../operator/api/journal.ts";
import { ModelManifest } from "../operator/api/model-manifest.ts";
import { ModelDeployment } from "../operator/api/modeldeployment.ts";
import { ORIGIN } from "../operator/api/origin.ts";
import { TrainingJob } from "../operator/api/trainingjob.ts";
import { statusOf } from "../operator/reconcilers/trainingjob/status.ts";
import { modelServer } from "./builders/model-server.ts";
import { autoai, jobOf, journalOf, MINUTES, type Place, place } from "./e2e/harness.ts";
import { startGeminiServer } from "./fakes/gemini-server.ts";
import { success } from "./fakes/scripts.ts";

const RELEASES = join(import.meta.dirname, "fixtures", "releases");
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
  version: string;
};
const versions = readdirSync(RELEASES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** The action that an entry was the outcome of; undefined where none was. */
function cause(entry: JournalEntry): Partial<Action> | undefined {
  switch (entry.type) {
    case "DatasetPrepared":
      return { type: "Prepare" };
    case "CandidateVerified":
      return entry.candidate.origin === "Recipe" || entry.candidate.origin === "Agent"
        ? { type: "VerifyRecipe" }
        : { type: "VerifyBaseline", which: entry.candidate.origin };
    case "CandidateFailed":
      return entry.origin === "Recipe"
        ? { type: "VerifyRecipe" }
        : { type: "VerifyBaseline", which: entry.origin };
    case "ReplyReceived":
      return { type: "Ask", step: entry.step };
    case "ToolFinished":
      return { type: "RunTool", step: entry.step, index: entry.call };
    case "AgentStopped":
      return { type: "StopAgent", reason: entry.reason };
    case "PublishFailed":
    case "ModelPublished":
      return { type: "Publish", candidate: entry.candidate };
    case "JobFinished":
      return entry.state === "READY" ? { type: "Finish", state: "READY" } : undefined;
    case "JobSuspended":
    case "JobResumed":
      return undefined;
  }
}

test("the version that is being made has its own", () => {
  expect(versions).toContain(version);
});

describe.each(versions)("of version %s", (release) => {
  const folder = join(RELEASES, release);
  const { items } = JSON.parse(readFileSync(join(folder, "objects.json"), "utf8")) as {
    items: { kind: string; metadata: { name: string } }[];
  };
  const of = (kind: string) => items.filter((item) => item.kind === kind);
  const jobs = of("TrainingJob").map((item) => TrainingJob.parse(item));
  const journalOfJob = (name: string): JournalEntry[] =>
    readFileSync(join(folder, "journals", `${name}.jsonl`), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JournalEntry.parse(JSON.parse(line)));

  test("objects are valid, whatever their state", () => {
    for (const item of of("Dataset")) expect(Dataset.parse(item)).toEqual(item);
    for (const item of of("TrainingJob")) expect(TrainingJob.parse(item)).toEqual(item);
    for (const item of of("ModelDeployment")) expect(ModelDeployment.parse(item)).toEqual(item);
    const reasons = items.map((item) => {
      const { status } = item as { status?: { conditions?: { type: string; reason: string }[] } };
      return status?.conditions?.find(({ type }) => type === "Ready")?.reason;
    });
    expect(new Set(reasons)).toEqual(
      new Set([
        ...["TakenIn", "AgentFinished", "NoAgent", "SourceForbidden", "Suspended", "Ask"],
        ...["Serving", "RollingOut", "TrainingJobNotFound"],
      ]),
    );
  });

  test("objects say under which uid the store knows them", () => {
    for (const { metadata } of jobs) expect(metadata.annotations?.[ORIGIN]).toBe(metadata.uid);
  });

  test.each(jobs.map((job) => [job.metadata.name, job] as const))(
    "job %s goes on from every entry of its journal with what it went on with",
    (name, job) => {
      const entries = journalOfJob(name);
      expect(entries.length).toBeGreaterThan(0);
      entries.forEach((entry, index) => {
        const before = entries.slice(0, index);
        const expected = cause(entry);
        if (expected) expect(nextAction(job.spec, before, entry.elapsedSeconds)).toMatchObject(expected);
      });
      const next = nextAction(job.spec, entries, entries.at(-1)?.elapsedSeconds ?? 0);
      expect(next.type === "None").toBe(job.status?.state !== "TRAINING");
    },
  );

  test.each(jobs.filter(({ status }) => status?.state === "READY").map((job) => [job.metadata.name, job]))(
    "the status of job %s is computed from its journal as it was",
    (name, job) => {
      const { status, ...bare } = job as TrainingJob;
      const entries = journalOfJob(String(name));
      const computed = statusOf({
        job: bare,
        entries,
        elapsedSeconds: 0,
        situation: { type: "Ready", reason: "", message: "" },
        activity: "finished",
        now: new Date(0).toISOString(),
        uri: (key) => `s3://release/${key}`,
      });
      const { conditions: _, startTime: __, ...known } = status ?? {};
      expect(computed).toMatchObject(known);
    },
  );

  describe("a home", () => {
    /** A copy of it, with the environments that all tests share. */
    function opened(): Place {
      const here = place();
      execFileSync("tar", ["-xzf", join(folder, "home.tar.gz"), "-C", here.home]);
      return here;
    }

    test("opens: its jobs are listed, and a model predicts", { timeout: 5 * MINUTES }, async () => {
      using here = opened();
      const at = ["--home", here.home];
      const listed = await autoai(["list", ...at]);
      expect(listed.code, listed.stderr).toBe(0);
      for (const [name, state] of [
        ["ready", "READY"],
        ["interrupted", "TRAINING"],
        ["error", "ERROR"],
      ])
        expect(listed.stdout).toMatch(new RegExp(`^.*\\b${name} .*${state}`, "m"));
      const report = await autoai(["report", "ready", ...at]);
      expect(readFileSync(report.stdout.trim(), "utf8")).toContain("linear-model");
      const rows = here.write("rows.csv", "a,b,c,d,e,f,group\n0.1,0.2,0.3,0.4,0.5,0.6,g1\n");
      const output = join(here.folder, "predictions.csv");
      const predicted = await autoai(["predict", "ready", "--input", rows, "--output", output, ...at]);
      expect(predicted.code, predicted.stderr).toBe(0);
      expect(readFileSync(output, "utf8")).toMatch(/^prediction,p:no,p:yes\nyes,0\.35\d+,0\.64\d+\n$/);
    });

    test("has a job under way, which goes on after its last entry", { timeout: 10 * MINUTES }, async () => {
      using here = opened();
      await using server = await startGeminiServer({ script: success() });
      const before = await journalOf(here, "interrupted");
      expect(before.at(-1)?.type).not.toBe("JobFinished");
      const stored = JSON.parse(
        readFileSync(join(here.home, "objects", "trainingjob.default.interrupted.json"), "utf8"),
      ) as { spec: object };
      const again = {
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name: "interrupted" },
      };
      const manifest = here.write("job.yaml", JSON.stringify({ ...again, spec: stored.spec }));
      const ended = await autoai(["run", "-f", manifest, "--json", "--home", here.home], {
        cwd: here.folder,
        env: { GEMINI_API_KEY: "any-key", AUTOAI_GEMINI_BASE_URL: server.url },
      });
      expect(jobOf(ended).status?.state).toBe("READY");
      const after = await journalOf(here, "interrupted");
      expect(after.slice(0, before.length)).toEqual(before);
    });

    test("has a model package that is verified and served", { timeout: 5 * MINUTES }, async () => {
      const here = opened();
      try {
        const models = join(here.home, "store", "models", "default", "ready");
        const [digest = ""] = readdirSync(models);
        await using server = await modelServer(join(models, digest));
        const table = (file: string) =>
          readFileSync(join(models, digest, file), "utf8")
            .trimEnd()
            .split("\n")
            .map((line) => line.split(","));
        const [header = [], , first = []] = table("reference.csv");
        const [names = [], , [expected, ...probabilities] = []] = table("reference-predictions.csv");
        const { features } = ModelManifest.parse(
          JSON.parse(readFileSync(join(models, digest, "model.json"), "utf8")),
        );
        const isNumber = new Set(
          features.filter(({ type }) => type === "Number" || type === "Integer").map(({ name }) => name),
        );
        const cell = (name: string, text: string | undefined): string | number | null => {
          if (!text) return null;
          return isNumber.has(name) ? Number(text) : text;
        };
        const row = Object.fromEntries(header.map((name, index) => [name, cell(name, first[index])]));
        const reply = await server.post("/predict", { rows: [row] });
        expect(reply.status, JSON.stringify(reply.body)).toBe(200);
        expect(reply.body.predictions).toEqual([expected]);
        names.slice(1).forEach((name, index) => {
          const probability = reply.body.probabilities[0][name.replace(/^p:/, "")];
          expect(probability).toBeCloseTo(Number(probabilities[index]), 9);
        });
      } finally {
        here[Symbol.dispose]();
      }
    });
  });
});
