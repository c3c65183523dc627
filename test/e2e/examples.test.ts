/** Every example with a TrainingJob is run: its own manifest, but for a smaller budget and fewer folds. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { startGeminiServer } from "../fakes/gemini-server.ts";
import * as scripts from "../fakes/scripts.ts";
import { autoai, MINUTES, place, ROOT } from "./harness.ts";

const EXAMPLES = join(ROOT, "examples");

// biome-ignore lint/suspicious/noExplicitAny: manifests as they stand
type Document = any;

const manifests = readdirSync(EXAMPLES)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => {
    const documents: Document[] = parseAllDocuments(readFileSync(join(EXAMPLES, name), "utf8")).map((one) =>
      one.toJS(),
    );
    return { name, documents, jobs: documents.filter(({ kind }) => kind === "TrainingJob") };
  });
const runnable = manifests.filter(({ jobs }) => jobs.length > 0);

/** The same job, quicker: one step of the offline author, and two folds where there are folds. */
function hurried(document: Document): Document {
  const { spec } = document;
  if (document.kind === "Dataset") return { ...document, spec: { ...spec, source: absolute(spec.source) } };
  if (document.kind !== "TrainingJob") return document;
  const folds = spec.evaluation?.method === "CrossValidation" ? { folds: 2 } : {};
  return {
    ...document,
    spec: {
      ...spec,
      dataset: absolute(spec.dataset),
      evaluation: { ...spec.evaluation, ...folds },
      budget: { maxSteps: spec.llm?.provider === "Gemini" ? 8 : 1, maxSeconds: 600 },
      sandbox: { ...spec.sandbox, stepTimeoutSeconds: 30 },
    },
  };
}

function absolute(source: { uri?: string }): object {
  if (source.uri === undefined) return source;
  return { uri: `file:${join(EXAMPLES, source.uri.replace(/^file:/, ""))}` };
}

const here = place();
afterAll(() => here[Symbol.dispose]());

// Before the jobs, whose places it would wait for.
test.each(manifests)(
  "autoai validate finds $name valid",
  async ({ name, documents }) => {
    const { code, stdout, stderr } = await autoai(["validate", "-f", join(EXAMPLES, name), "--embedded"]);
    expect(code, stderr).toBe(0);
    expect(stdout).toBe(documents.map(({ kind, metadata }) => `${kind} ${metadata.name}: valid\n`).join(""));
  },
  2 * MINUTES,
);

describe.concurrent.each(runnable)("$name", ({ name, documents, jobs }) => {
  test(
    "ends READY, at least as good as the baseline where candidates are compared",
    async () => {
      await using server = await startGeminiServer({ script: scripts.success() });
      const text = documents.map((document) => JSON.stringify(hurried(document))).join("\n---\n");
      const file = here.write(name, text);
      const ended = await autoai(["run", "-f", file, "--home", here.home, "--json"], {
        env: { GEMINI_API_KEY: "any-key", AUTOAI_GEMINI_BASE_URL: server.url },
      });
      expect(ended.code, ended.stderr).toBe(0);
      const printed = JSON.parse(ended.stdout);
      const done = (printed.kind === "List" ? printed.items : [printed]).map((job: unknown) =>
        TrainingJob.parse(job),
      );
      expect(done.map(({ metadata }: TrainingJob) => metadata.name)).toEqual(
        jobs.map(({ metadata }) => metadata.name),
      );
      for (const { status, spec } of done as TrainingJob[]) {
        expect(status?.state).toBe("READY");
        expect(status?.model?.finalScore).toMatch(/^-?\d/);
        expect(status?.baselineScore).toMatch(/^-?\d/);
        expect(status?.usage?.tokens === 0).toBe(spec.llm.provider === "Offline");
      }
      expect(server.complaints).toEqual([]);
    },
    20 * MINUTES,
  );
});
