import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fc } from "../../../test/properties.ts";
import { METRICS, Metric, Task } from "../../api/metrics.ts";
import { type ColumnProfile, ColumnType } from "../../api/profile.ts";
import { pythonString, quotedComment } from "./python/literals.ts";
import { type BriefingParts, column, converse, number, PLENTY, SAVED, searched, written } from "./testing.ts";

const python =
  process.env.AUTOAI_PYTHON ?? join(dirname(fileURLToPath(import.meta.url)), "../../../.venv/bin/python");

/** Runs Python on JSON, and reads JSON back. */
function inPython(program: string, input: unknown, files: Readonly<Record<string, string>> = {}): unknown {
  const folder = mkdtempSync(join(tmpdir(), "offline-"));
  try {
    mkdirSync(join(folder, "data"));
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text);
    writeFileSync(join(folder, "input.json"), JSON.stringify(input));
    execFileSync(python, ["-c", program], { cwd: folder });
    return JSON.parse(readFileSync(join(folder, "output.json"), "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NASTY = [
  '"',
  "'",
  '"""',
  "\\",
  "\n",
  "\r",
  "\u2028",
  "\u202e",
  "\u0000",
  "\u007f",
  "\ud800",
  "{name}",
  "$" + "{1}",
  "%s",
  "`",
  "#",
  "__class__",
  "🙂",
  '"""\nimport os\nos.system("id")\n"""',
  "'; DROP TABLE users; --",
  "\\u0022",
  "\\N{BULLET}",
  "],\nEVIL = [",
];
const text = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.array(fc.constantFrom(...NASTY), { maxLength: 4 }).map((parts) => parts.join("")),
);

describe("text from data", () => {
  it("comes back from a Python literal as it was", () => {
    const samples = [...NASTY, ...fc.sample(text, { numRuns: 500, seed: 1 })];
    const read = inPython(
      `import ast, json
literals = json.load(open("input.json"))
json.dump([ast.literal_eval(literal) for literal in literals], open("output.json", "w"))`,
      samples.map(pythonString),
    );
    expect(read).toEqual(samples);
  });

  it("stays on one line, and shows no character that a reader cannot see", () => {
    fc.assert(
      fc.property(text, (value) => {
        for (const literal of [pythonString(value), quotedComment(value)]) {
          expect(literal).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        }
      }),
    );
  });
});

const briefings: fc.Arbitrary<BriefingParts> = fc
  .record({
    task: fc.constantFrom(...Task.options),
    metric: fc.constantFrom(...Metric.options),
    target: text.filter((name) => name !== ""),
    rows: fc.constantFrom(30, 900, 9000, 200_000),
    classes: fc.array(text, { minLength: 2, maxLength: 40 }),
    names: fc.uniqueArray(text, { minLength: 1, maxLength: 8 }),
    types: fc.array(fc.constantFrom(...ColumnType.options), { minLength: 8, maxLength: 8 }),
    distinct: fc.array(fc.constantFrom(0, 1, 2, 7, 60, 5000), { minLength: 8, maxLength: 8 }),
    numbers: fc.array(fc.record({ min: fc.double(), max: fc.double(), mean: fc.double() }), {
      minLength: 8,
      maxLength: 8,
    }),
    kind: fc.constantFrom("Random" as const, "Time" as const, "Group" as const),
  })
  .filter(
    ({ task, metric, target, names }) => METRICS[metric].tasks.includes(task) && !names.includes(target),
  )
  .map(({ task, metric, target, rows, classes, names, types, distinct, numbers, kind }) => ({
    task,
    metric,
    target,
    rows,
    direction: METRICS[metric].direction,
    classes: task === "Regression" ? [] : classes.slice(0, task === "BinaryClassification" ? 2 : 40),
    columns: names.map((name, index) => {
      const { min, max, mean } = numbers[index] ?? { min: 0, max: 1, mean: 0.5 };
      return column(name, types[index] ?? "Text", {
        distinct: distinct[index] ?? 3,
        min: String(min),
        max: String(max),
        ...(Number.isFinite(mean) ? { mean, standardDeviation: Math.abs(mean) } : {}),
        top: [{ value: name.slice(0, 64), count: 1 }],
        meanLength: name.length,
      });
    }),
    splitBy: kind === "Random" ? { kind } : { kind, column: names[0] ?? "" },
  }));

type Written = { readonly path: string; readonly content: string; readonly target: string };

describe("generated Python", () => {
  it("compiles, names the target as it is, and defines nothing that data asked for", async () => {
    const files: Written[] = [];
    for (const parts of fc.sample(briefings, { numRuns: 60, seed: 2 })) {
      const replies = await converse(
        {
          save_model_settings: [SAVED],
          install_dependencies: [{ ok: true }],
          execute_python_file: [searched(0.9), searched(0.8)],
        },
        parts,
        PLENTY,
      );
      for (const { calls } of replies) {
        for (const { name, args } of calls) {
          if (name !== "write_python_file") continue;
          files.push({ path: String(args.path), content: String(args.content), target: parts.target ?? "" });
        }
      }
    }
    expect(new Set(files.map(({ path }) => path))).toEqual(
      new Set(["features.py", "models.py", "train.py", "trials.py", "search.py"]),
    );
    const outcomes = inPython(
      `import ast, json
def look(file):
    compile(file["content"], file["path"], "exec")
    tree = ast.parse(file["content"])
    names = {t.id: s for s in tree.body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)}
    calls = [ast.unparse(s) for s in tree.body if isinstance(s, ast.Expr) and not isinstance(s.value, ast.Constant)]
    target = ast.literal_eval(names["TARGET"].value) if "TARGET" in names else None
    return {"target": target, "evil": "EVIL" in names, "calls": calls}
def seen(file):
    try:
        return look(file)
    except (SyntaxError, ValueError) as error:
        return {"error": str(error), "content": file["content"]}
files = json.load(open("input.json"))
json.dump([seen(file) for file in files], open("output.json", "w"))`,
      files,
    ) as { target: string | null; evil: boolean; calls: string[]; error?: string }[];
    for (const [index, outcome] of outcomes.entries()) {
      const file = files[index] as Written;
      expect(outcome, JSON.stringify(outcome).slice(0, 400)).not.toHaveProperty("error");
      expect(outcome.evil).toBe(false);
      if (file.path === "features.py") expect(outcome.target).toBe(file.target);
    }
  });
});

describe("the splits by which the author compares models", () => {
  /** The cells of the column on both sides of each split. */
  async function splitBy(
    kind: "Time" | "Group",
    column_: ColumnProfile,
    cells: readonly (string | number)[],
    parts: BriefingParts = {},
  ): Promise<{ known: (string | number)[]; unseen: (string | number)[] }[]> {
    const replies = await converse(
      { save_model_settings: [SAVED], execute_python_file: [searched(0.9)] },
      { rows: 500, columns: [column_, number("a")], splitBy: { kind, column: column_.name }, ...parts },
    );
    const files = Object.fromEntries(
      ["features.py", "models.py", "trials.py"].map((file) => [
        file,
        replies.map((reply) => written(reply, file)).find((text) => text !== "") ?? "",
      ]),
    );
    const rows = cells.map((cell, row) => `${cell},${(row * 7) % 10},${row % 3 === 0 ? "yes" : "no"}`);
    const program = `import json, trials
import pandas as pd
cells = pd.read_csv("data/train.csv")["${column_.name}"]
splits = [{"known": cells.iloc[known].tolist(), "unseen": cells.iloc[unseen].tolist()} for known, unseen in trials.load()[2]]
json.dump(json.loads(pd.Series(splits).to_json(orient="values")), open("output.json", "w"))`;
    return inPython(`import sys\nsys.path.insert(0, ".")\n${program}`, null, {
      ...files,
      "data/train.csv": `${column_.name},a,y\n${rows.join("\n")}\n`,
    }) as { known: (string | number)[]; unseen: (string | number)[] }[];
  }

  it.each([
    ["dates", column("t", "Date"), (n: number) => `2024-01-${String(n + 1).padStart(2, "0")}`],
    ["numbers, as numbers", number("t"), (n: number) => n + 1],
  ])("learn from the past and are asked of the future, a moment on one side: %s", async (_, profile, at) => {
    const moments = Array.from({ length: 120 }, (__, row) => at((row * 11) % 28));
    const splits = await splitBy("Time", profile, moments);
    expect(splits.length).toBeGreaterThan(1);
    const order = Array.from({ length: 28 }, (__, n) => at(n));
    for (const { known, unseen } of splits) {
      const [latest, earliest] = [
        Math.max(...known.map((cell) => order.indexOf(cell))),
        Math.min(...unseen.map((cell) => order.indexOf(cell))),
      ];
      expect(latest).toBeGreaterThanOrEqual(0);
      expect(latest).toBeLessThan(earliest);
    }
  });

  it("keep groups whole, the rows without one among them", async () => {
    const groups = Array.from({ length: 120 }, (_, row) => (row % 13 === 12 ? "" : `g${row % 13}`));
    const splits = await splitBy("Group", column("g", "Category"), groups);
    expect(splits.length).toBeGreaterThan(1);
    expect(splits.reduce((sum, { unseen }) => sum + unseen.length, 0)).toBe(120);
    for (const { known, unseen } of splits)
      expect(unseen.filter((group) => known.includes(group))).toEqual([]);
  });

  it.each(["Time", "Group"] as const)("can be made where all rows have one cell: %s", async (kind) => {
    const splits = await splitBy(
      kind,
      column("c", kind === "Time" ? "Date" : "Category"),
      Array(60).fill("2024-01-01"),
    );
    expect(splits.every(({ known, unseen }) => known.length > 0 && unseen.length > 0)).toBe(true);
    expect(splits.length).toBeGreaterThan(0);
  });
});
