/** Bad input: one clear line, exit 2, no stack trace; and nothing on standard output. */
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { manifest } from "../builders/manifests.ts";
import { linear } from "../builders/tables.ts";
import { autoai, type Ended, MINUTES, place } from "./harness.ts";

const here = place();
afterAll(() => here[Symbol.dispose]());

const GOOD = linear(120);
const LINES = GOOD.trimEnd().split("\n");

function expectOneLine(ended: Ended, message: RegExp): void {
  expect(ended.stderr).toMatch(message);
  expect(ended.stderr).not.toMatch(/^\s+at .*:\d+/m);
  expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(ended.stdout).toBe("");
  expect(ended.code).toBe(2);
}

describe("manifests", () => {
  const run = (name: string, text: string) =>
    autoai(["run", "-f", here.write(name, text), "--home", here.home]);
  here.write("rows.csv", GOOD);

  test.concurrent("no such manifest", async () => {
    expectOneLine(
      await autoai(["run", "-f", join(here.folder, "none.yaml"), "--home", here.home]),
      /none\.yaml: there is no such file/,
    );
  });

  test.concurrent.each<[string, string, RegExp]>([
    ["an empty manifest", "", /must hold at least one resource/],
    [
      "no such CSV",
      manifest({ dataset: { uri: "file:none.csv" } }),
      /TrainingJob no-such-csv: .*none\.csv: there is no such file/,
    ],
    ["a folder for a CSV", manifest({ dataset: { uri: "file:." } }), /is not a file; expected a CSV/],
    ["an unknown metric", manifest({ evaluation: { metric: "Roc" } }), /spec\.evaluation\.metric: .*RocAuc/],
    [
      "a metric that does not fit the task",
      manifest({ task: "Regression", evaluation: { metric: "RocAuc" } }),
      /spec\.evaluation\.metric: .*(Rmse|Regression)/,
    ],
    ["a budget of 0 steps", manifest({ budget: { maxSteps: 0 } }), /spec\.budget\.maxSteps: .*from 1 to 500/],
    [
      "a budget of 0 seconds",
      manifest({ budget: { maxSeconds: 0 } }),
      /spec\.budget\.maxSeconds: .*from 1 to 86400/,
    ],
    ["a budget of 0 tokens", manifest({ budget: { maxTokens: 0 } }), /spec\.budget\.maxTokens: .*from 1 to/],
    ["an unknown field", manifest({ taget: "answer" }), /spec\.taget: .*did you mean target\?/],
    [
      "a ConfigMap that is not there",
      manifest({ dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } } }),
      /ConfigMap .*rows/,
    ],
    [
      "a Dataset that is not there",
      manifest({ dataset: { datasetRef: { name: "nothing" } } }),
      /Dataset .*nothing/,
    ],
    [
      "a recipe of a job that is not there",
      manifest({ recipeFrom: "nothing", llm: {} }),
      /TrainingJob .*nothing/,
    ],
    [
      "an address that the embedded run does not read",
      manifest({ dataset: { uri: "https://host/rows.csv" } }),
      /reads data sets from files and ConfigMaps alone/,
    ],
    ["Gemini without a key", manifest({ llm: { provider: "Gemini" } }), /set GEMINI_API_KEY/],
    [
      "Gemini with a Secret that is not there",
      manifest({ llm: { provider: "Gemini", apiKeySecretRef: { name: "gemini", key: "apiKey" } } }),
      /Secret .*gemini/,
    ],
    [
      "a deployment alone",
      JSON.stringify({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "ModelDeployment",
        metadata: { name: "d" },
        spec: { modelRef: { trainingJob: "job" } },
      }),
      /holds no TrainingJob and no Dataset/,
    ],
    ["a kind that is not ours", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", /Pod/],
    ["no YAML at all", "{[", /:1:3: document 1: is not valid YAML/],
    [
      "a key that the ConfigMap does not have",
      `${manifest({ dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } } })}---\n${JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "rows" }, data: { "other.csv": "a,b\n1,2\n" } })}`,
      /spec\.dataset\.configMapKeyRef\.key: must be a key of ConfigMap rows, which has other\.csv/,
    ],
  ])(
    "%s",
    async (name, text, message) => {
      const id = name.replaceAll(/\W/g, "-").toLowerCase();
      expectOneLine(await run(`${id}.yaml`, text.replace('"name": "job"', `"name": "${id}"`)), message);
    },
    10 * MINUTES,
  );

  test.concurrent(
    "ten jobs in one file with one wrong: none is begun",
    async () => {
      const jobs = Array.from({ length: 10 }, (_, index) =>
        manifest({ name: `ten-${index}`, ...(index === 6 ? { targt: "answer", target: undefined } : {}) }),
      );
      const ended = await run("ten.yaml", jobs.join("---\n"));
      expect(ended.stderr).toMatch(/ten-6.*spec\.targt|document 7.*spec\.targt/);
      expect(ended.stderr).not.toMatch(/ten-[^6]/);
      expect(ended.code).toBe(2);
      expect((await autoai(["list", "--home", here.home])).stdout).not.toMatch(/ten-/);
    },
    10 * MINUTES,
  );
});

describe("data", () => {
  const header = LINES[0] ?? "";
  test.concurrent.each<[string, string | Uint8Array, RegExp]>([
    ["an empty file", "", /empty/],
    ["a header alone", `${header}\n`, /rows/],
    [
      "one class",
      [header, ...LINES.slice(1).filter((line) => line.endsWith("yes"))].join("\n"),
      /one (value|class)|yes/,
    ],
    ["duplicate headers", GOOD.replace("a,b,", "a,a,"), /\ba\b/],
    [
      "ragged rows",
      [...LINES.slice(0, 50), `${LINES[50]},more`, ...LINES.slice(51)].join("\n"),
      /[Ll]ine 51 has 9 fields, expected 8/,
    ],
    ["NUL bytes", GOOD.replace(/g1/, "g\0"), /NUL/],
    ["a target that is missing", GOOD.replace("answer", "anser"), /answer.*anser/],
    ["a constant number as target", GOOD.replaceAll(/(yes|no)$/gm, "7"), /7|one value|constant/],
    ["a picture", new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]), /./],
  ])(
    "%s",
    async (name, data, message) => {
      const id = name.replaceAll(/\W/g, "-");
      here.write(`${id}.csv`, data);
      const file = here.write(`${id}.yaml`, manifest({ name: id, dataset: { uri: `file:${id}.csv` } }));
      expectOneLine(await autoai(["run", "-f", file, "--home", here.home]), message);
    },
    10 * MINUTES,
  );

  test.concurrent(
    "101 MB",
    async () => {
      truncateSync(here.write("large.csv", GOOD), 101 * 1024 ** 2);
      const file = here.write("large.yaml", manifest({ name: "large", dataset: { uri: "file:large.csv" } }));
      expectOneLine(
        await autoai(["run", "-f", file, "--home", here.home]),
        /large\.csv has 105906176 bytes.*100 MB/,
      );
      expectOneLine(await autoai(["preview", join(here.folder, "large.csv")]), /100 MB/);
    },
    10 * MINUTES,
  );

  test.concurrent(
    "a metric that does not fit what the data say the task is",
    async () => {
      const spec = manifest({ name: "auto", evaluation: { method: "Holdout", metric: "Rmse" } });
      expectOneLine(
        await autoai(["run", "-f", here.write("auto.yaml", spec), "--home", here.home]),
        /Rmse does not fit the task.*BinaryClassification.*RocAuc/,
      );
    },
    10 * MINUTES,
  );
});

describe("commands", () => {
  test.concurrent.each<[string[], RegExp]>([
    [["rum"], /unknown command 'rum'/],
    [["run", "-f", "job.yaml", "--jsn"], /unknown option '--jsn'/],
    [["run"], /required option '-f, --filename/],
    [["inspect"], /missing required argument 'job'/],
    [["list", "more"], /too many arguments/],
    [["inspect", "churm"], /there is no job churm/],
    [["report", "churm"], /there is no job churm/],
    [["predict", "churm", "--input", "rows.csv"], /there is no job churm/],
    [["retrain", "churm", "--data", "rows.csv"], /there is no job churm/],
    [["preview", "none.csv"], /none\.csv: there is no such file/],
    [["validate", "-f", "none.yaml"], /none\.yaml: there is no such file/],
  ])(
    "autoai %j",
    async (args, message) => {
      const ended = await autoai(args, { env: { AUTOAI_HOME: here.home } });
      expect(ended.stderr).toMatch(message);
      expect(ended.stderr).not.toMatch(/^\s+at .*:\d+/m);
      expect(ended.code).toBe(2);
    },
    5 * MINUTES,
  );
});
