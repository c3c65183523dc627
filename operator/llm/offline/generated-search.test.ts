/** The generated search, run on machines where trials hang, die or fail, and where the time is over. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { type Found, readSearch } from "./search-result.ts";
import { type BriefingParts, converse, SAVED, searched, written } from "./testing.ts";

const python =
  process.env.AUTOAI_PYTHON ?? join(dirname(fileURLToPath(import.meta.url)), "../../../.venv/bin/python");

/** A profile of many rows, for a plan with five splits of which two will do; the file has fewer, so that fits are quick. */
const PARTS: BriefingParts = { rows: 8000 };
const ROWS = Array.from(
  { length: 240 },
  (_, row) => `${(row * 7) % 10},${"xyz"[row % 3]},${(row * row) % 7 < 3 ? "yes" : "no"}`,
);

/** What stands in for a slow machine: trials from the third on do as they are told, and the clock is ours. */
const slow = (misfortune: string, clock: string, fits: boolean): string => `import os, time, trials
import numpy as np
from pathlib import Path

fitted, seconds = trials.evaluate, time.monotonic
del trials.TRIALS[5:]
for trial in trials.TRIALS:
    name = {"boosting": "max_iter", "forest": "n_estimators"}.get(trial["model"])
    trial["settings"] = {**trial["settings"], **({name: 15} if name else {})}

def quick(task, deadline):
    """In place of a fit: better than chance, a little different for each trial."""
    if time.monotonic() > deadline:
        return None
    number, split = task
    _, target, splits, _ = trials.load()
    unseen = splits[split][1]
    chance = np.random.default_rng(number).random(len(target))[unseen]
    likely = np.clip(0.3 * target[unseen] + 0.7 * chance, 0, 1)
    output = np.column_stack([1 - likely, likely])
    return {"number": number, "split": split, "output": output, "iterations": None, "seconds": 0.1}

def count(kind):
    return len(list(Path(".").glob(kind + "-*")))

def evaluate(task, deadline):
    number, split = task
    Path(f"begun-{number}-{split}").touch()
    if number >= 3:
        ${misfortune}
    piece = ${fits ? "fitted" : "quick"}(task, deadline)
    Path(f"done-{number}-{split}").touch()
    return piece

def stuck():
    Path(f"stuck-{os.getpid()}").touch()
    print("stuck", flush=True)
    time.sleep(10_000)

def surprise(*_):
    raise KeyError("surprise")

trials.evaluate, time.monotonic = evaluate, lambda: seconds() + (${clock})
`;

type Ended = {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  begun: string[];
};

/** Each test waits for a process or two that load scikit-learn. */
const BUSY = { timeout: 300_000 };

const folders: string[] = [];
const running: ChildProcess[] = [];
afterEach(() => {
  for (const { pid } of running.splice(0)) {
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Runs the search that the author wrote, for 600 s by its clock. onOutput sees all of the output so far. */
async function search(
  { misfortune = "pass", clock = "0", fits = false }: { misfortune?: string; clock?: string; fits?: boolean },
  onOutput: (output: string, pid: number) => void = () => undefined,
): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "offline-"));
  folders.push(folder);
  const replies = await converse(
    { save_model_settings: [SAVED], execute_python_file: [searched(0.9)] },
    PARTS,
  );
  for (const file of ["features.py", "models.py", "trials.py", "search.py"]) {
    const text = replies.map((reply) => written(reply, file)).find((content) => content !== "") ?? "";
    writeFileSync(join(folder, file), text);
  }
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "data", "train.csv"), `a,b,y\n${ROWS.join("\n")}\n`);
  writeFileSync(join(folder, "slow.py"), slow(misfortune, clock, fits));
  const program = `import sys
sys.path.insert(0, ".")
sys.argv = ["search.py", "--seconds", "600"]
import runpy, slow
runpy.run_path("search.py", run_name="__main__")`;
  const child = spawn(python, ["-c", program], { cwd: folder, detached: true });
  running.push(child);
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    onOutput(output, child.pid ?? 0);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  });
  const begun = readdirSync(folder).filter((name) => name.startsWith("begun-"));
  return { code, output, errors, begun };
}

/** What the author makes of the output. */
const found = ({ output }: Ended): Found | undefined => readSearch({ output: { head: output, tail: "" } });
const results = ({ output }: Ended): string[] =>
  output.split("\n").filter((line) => line.startsWith("RESULT "));

const pieces = ({ begun }: Ended, number: number): string[] =>
  begun.filter((name) => name.startsWith(`begun-${number}-`)).sort();

describe("the search, where the machine is slow", BUSY, () => {
  it("ends with a result where the time is over while trials are under way", async () => {
    const ended = await search({ misfortune: "stuck()", clock: "10_000 if count('stuck') > 1 else 0" });
    expect(ended).toMatchObject({ code: 0, errors: "" });
    expect(found(ended)?.finished).toBeGreaterThanOrEqual(1);
    expect(found(ended)?.finished).toBeLessThan(4);
  });

  it("prints what it has when it is interrupted, and ends, no process of a trial left over", async () => {
    let interrupted = false;
    const ended = await search({ misfortune: "stuck()" }, (output, pid) => {
      if (interrupted || output.split("stuck").length < 3) return;
      interrupted = true;
      process.kill(-pid, "SIGINT"); // as the supervisor does: all processes
    });
    expect(interrupted).toBe(true);
    expect(ended).toMatchObject({ code: 0, errors: "" });
    expect(ended.output.trimEnd().split("\n").at(-1)).toMatch(/^RESULT /);
    expect(found(ended)).toBeDefined();
  });

  it("prints a result as soon as a trial is finished, and the blend of all in its place", async () => {
    const ended = await search({ fits: true });
    expect(ended).toMatchObject({ code: 0, errors: "" });
    const [first] = results(ended);
    expect(readSearch({ output: { head: first, tail: "" } })).toMatchObject({ finished: 1 });
    expect(found(ended)?.finished).toBe(5);
    expect(pieces(ended, 1)).toHaveLength(5);
  });

  it("tries models on fewer splits where the first one took long", async () => {
    const busy = await search({ clock: "40 * count('done-0')" });
    expect(pieces(busy, 0)).toHaveLength(5);
    expect(pieces(busy, 1)).toEqual(["begun-1-3", "begun-1-4"]);
    expect(found(busy)?.finished).toBe(5);
  });

  it("says what to do where not one trial was finished", async () => {
    const ended = await search({ clock: "10_000 * count('begun')" });
    expect(ended.code).toBe(1);
    expect(ended.output).toContain("allow more seconds");
    expect(found(ended)).toBeUndefined();
  });
});

describe("the search, where trials fail", BUSY, () => {
  it.each([
    ["raises what nobody expected", "trials.fit = surprise", /trial 3 .*: KeyError: 'surprise'/],
    ["kills its process, as running out of memory does", "os._exit(1)", /no more trials/],
  ])("goes on without one that %s", async (_, misfortune, said) => {
    const ended = await search({ misfortune, fits: true });
    expect(ended).toMatchObject({ code: 0, errors: "" });
    expect(ended.output).toMatch(said);
    expect(found(ended)?.finished).toBeGreaterThanOrEqual(1);
  });
});
