/** The author without an LLM on rows that are divided by time and by group: it must look ahead, and never aside. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { JournalEntry } from "../../operator/api/journal.ts";
import { manifest } from "../builders/manifests.ts";
import { inGroups, overTime } from "../builders/tables.ts";
import { answers, autoai, type Ended, jobOf, journalOf, MINUTES, type Place, place } from "./harness.ts";

/** Draft, search and tuned candidate. A step may be long, since machines that run tests are busy. */
const SHORT = { budget: { maxSteps: 3, maxSeconds: 900 }, sandbox: { stepTimeoutSeconds: 300 } };

type Trained = {
  readonly ended: Ended;
  readonly entries: JournalEntry[];
  readonly files: Map<string, string[][]>;
};

const places: Place[] = [];
afterAll(() => {
  for (const made of places) made[Symbol.dispose]();
});

async function train(rows: string, spec: object): Promise<Trained> {
  const here = place();
  places.push(here);
  here.write("rows.csv", rows);
  here.write("job.yaml", manifest({ ...SHORT, ...spec }));
  const ended = await autoai(["run", "-f", "job.yaml", "--home", here.home, "--json"], { cwd: here.folder });
  return { ended, entries: await journalOf(here, "job"), files: splitFiles(here.home) };
}

/** Rows of each split file, header first; no cell here is quoted. */
function splitFiles(home: string): Map<string, string[][]> {
  const paths = readdirSync(home, { recursive: true, encoding: "utf8" });
  const ours = paths.filter((path) => path.includes("/data/") && !path.includes("environments/"));
  return new Map(
    ours
      .filter((path) => path.endsWith(".csv"))
      .map((path) => [
        basename(path),
        readFileSync(join(home, path), "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => line.split(",")),
      ]),
  );
}

/** The cells of a column of a split file. */
function cells({ files }: Trained, file: string, column: string): string[] {
  const [header = [], ...rows] = files.get(file) ?? [];
  return rows.map((row) => row[header.indexOf(column)] ?? "");
}

function expectReady(trained: Trained): void {
  expect(trained.ended.code, trained.ended.stderr).toBe(0);
  const { status } = jobOf(trained.ended);
  expect(status?.state).toBe("READY");
  expect(status?.model?.finalScore).toMatch(/^-?\d/);
  expect(status?.baselineScore).toMatch(/^-?\d/);
  const output = answers(trained.entries, "execute_python_file").join("\n");
  expect(output).toContain("RESULT");
  expect(output).not.toMatch(/Error/);
}

describe.concurrent("autoai run with the author without an LLM", () => {
  test(
    "on rows divided by time: ends READY, and what is scored is later than what was learnt from",
    async () => {
      const trained = await train(overTime(600), {
        evaluation: { split: "Time", column: "day", metric: "RocAuc" },
      });
      expectReady(trained);
      const [past, middle, future] = ["train.csv", "selection.features.csv", "final.features.csv"].map(
        (file) => cells(trained, file, "day").sort(),
      ) as [string[], string[], string[]];
      expect(past.at(-1)?.localeCompare(middle[0] ?? "")).toBe(-1);
      expect(middle.at(-1)?.localeCompare(future[0] ?? "")).toBe(-1);
      expect(trained.entries.find(({ type }) => type === "DatasetPrepared")).toMatchObject({
        method: "Holdout",
        warnings: expect.arrayContaining([expect.objectContaining({ code: "TimeMeansHoldout" })]),
      });
    },
    20 * MINUTES,
  );

  test(
    "on rows divided by group: ends READY, no group on two sides, and errors are of groups",
    async () => {
      const trained = await train(inGroups(600, 40), {
        task: "Regression",
        evaluation: { split: "Group", column: "family", metric: "Rmse", folds: 3 },
      });
      expectReady(trained);
      const sides = ["train.csv", "selection.features.csv", "final.features.csv"].map(
        (file) => new Set(cells(trained, file, "family")),
      ) as [Set<string>, Set<string>, Set<string>];
      expect(sides[0].size + sides[1].size + sides[2].size).toBe(40);
      for (const fold of [0, 1, 2]) {
        const learnt = new Set(cells(trained, `fold-${fold}.train.csv`, "family"));
        expect(cells(trained, `fold-${fold}.features.csv`, "family").filter((g) => learnt.has(g))).toEqual(
          [],
        );
      }
      const published = trained.entries.find((entry) => entry.type === "ModelPublished");
      expect(published).toMatchObject({ final: { groups: sides[2].size } });
    },
    20 * MINUTES,
  );
});
