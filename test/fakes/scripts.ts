/**
 * Scripts for whole jobs on any data set, by the four tools. Each is what one kind of agent does.
 *
 *     await using server = await startGeminiServer({ script: success() });
 */
import { readFileSync } from "node:fs";
import type { Script, Step } from "./gemini-server.ts";

type Call = { readonly name: string; readonly args: Readonly<Record<string, unknown>> };

export const program = (name: string): string =>
  readFileSync(new URL(`./programs/${name}`, import.meta.url), "utf8");

export const install = (...packages: string[]): Call => ({
  name: "install_dependencies",
  args: { packages },
});
export const write = (path: string, content: string = program(path)): Call => ({
  name: "write_python_file",
  args: { path, content },
});
export const execute = (path: string, ...args: string[]): Call => ({
  name: "execute_python_file",
  args: { path, args },
});
export const save = (entry: string, name: string, claimedScore?: number): Call => ({
  name: "save_model_settings",
  args: {
    name,
    description: `${name}, made by ${entry}.`,
    entry,
    ...(claimedScore === undefined ? {} : { claimed_score: claimedScore }),
  },
});

const OK = '"ok":true';

/** Writes a linear model (two files at once), runs it, saves it, and stops. `packages` are installed first, if any. */
export function success({ packages = [] }: { readonly packages?: readonly string[] } = {}): Script {
  return [
    ...(packages.length > 0 ? [{ calls: [install(...packages)] }] : []),
    {
      thought: "Simple first.",
      text: "I start with a linear model.",
      calls: [write("columns.py"), write("train.py")],
    },
    { expect: OK, calls: [execute("train.py")] },
    { expect: OK, calls: [save("train.py", "linear-model", 0.8)] },
    { expect: "verifiedScore", text: "The linear model is saved; I stop here." },
  ];
}

/** The first program raises KeyError; the second is written only if the traceback came back. */
export function selfCorrection(): Script {
  return [
    { calls: [write("columns.py"), write("train.py", program("train_key_error.py"))] },
    { expect: OK, calls: [execute("train.py")] },
    {
      expect: "traceback.*KeyError",
      text: "There is no such column. I mend it.",
      calls: [write("train.py")],
    },
    { expect: OK, calls: [execute("train.py")] },
    { expect: OK, calls: [save("train.py", "mended-model")] },
    { expect: "verifiedScore", text: "Mended and saved." },
  ];
}

/** Claims 0.99 for a tree of one question. */
export function overclaims(): Script {
  return [
    { calls: [write("columns.py"), write("train.py", program("train_weak.py"))] },
    { expect: OK, calls: [save("train.py", "best-model-ever", 0.99)] },
    { expect: "verifiedScore", text: "The score is 0.99, as claimed." },
  ];
}

/** The same call for ever. */
export function endlessRepeat(): Script {
  return {
    steps: [{ calls: [write("loop.py", 'print("again")')] }],
    afterwards: { calls: [execute("loop.py")] },
  };
}

/** For ever something new to run. */
export function endlessNovelty(): Script {
  let asked = 0;
  return () => {
    const number = asked++;
    if (number === 0) return { calls: [write("loop.py", "import sys\nprint(sys.argv)")] };
    return { calls: [execute("loop.py", String(number))] };
  };
}

/** For ever words, and never a tool. */
export function endlessTalk(): Script {
  return { steps: [], afterwards: { text: "Let me think about it a little more." } };
}

/** Like success, but every answer costs `tokens` tokens, most of them for thinking. */
export function tokenGlutton({ tokens = 400_000 }: { readonly tokens?: number } = {}): Script {
  const usage = { prompt: 1000, output: 1000, thoughts: tokens - 2000 };
  const steps = success() as readonly Step[];
  return {
    steps: steps.slice(0, -1).map((step) => ({ ...step, usage })),
    afterwards: { calls: [execute("train.py")], usage },
  };
}

/** Runs a program that sleeps and ignores signals; then goes on as success does, if it is told of the time limit. */
export function sleeper(): Script {
  return [
    { calls: [write("sleeper.py")] },
    { expect: OK, calls: [execute("sleeper.py")] },
    {
      expect: "TimedOut",
      text: "Too slow. Something simpler.",
      calls: [write("columns.py"), write("train.py")],
    },
    { expect: OK, calls: [save("train.py", "quick-model")] },
    { text: "Saved." },
  ];
}

/** The model is the train rows by heart: perfect on what it saw, and no better than a guess on the rest. */
export function memoriser(): Script {
  return [
    { calls: [write("columns.py"), write("memory.py"), write("train.py", program("train_memory.py"))] },
    { expect: OK, calls: [save("train.py", "memory", 1)] },
    { text: "It remembers everything." },
  ];
}

export type LabelledRow = readonly [features: Readonly<Record<string, unknown>>, label: unknown];

/**
 * The recipe carries answers in its code, so that it knows the labels of rows that a fold withholds from it.
 * @param rows what the agent saw while exploring: rows of data/train.csv, cells as JSON, with their labels
 */
export function memoriserFromRows(rows: readonly LabelledRow[]): Script {
  // ASCII JSON, whose string form is a Python literal too.
  const json = JSON.stringify(rows).replace(/[^\x20-\x7e]/g, escaped);
  const literal = JSON.stringify(json);
  const answers = `import json\n\nANSWERS = json.loads(${literal})\n`;
  return [
    {
      calls: [
        write("columns.py"),
        write("memory.py"),
        write("answers.py", answers),
        write("train.py", program("train_answers.py")),
      ],
    },
    { expect: OK, calls: [save("train.py", "answers", 1)] },
    { text: "It knows the answers." },
  ];
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Looks for labels, keys, the network and the home directory, prints `THIEF FOUND n`, then trains an honest model. */
export function thief(): Script {
  return [
    { calls: [write("thief.py"), write("columns.py"), write("train.py")] },
    { expect: OK, calls: [execute("thief.py")] },
    { expect: "THIEF FOUND", calls: [save("train.py", "honest-after-all")] },
    { text: "Saved." },
  ];
}

/** Before each of its steps every fault that passes by itself, with waits of no time. */
export function rainy(steps: Script = success()): Script {
  const faults: Step[] = [
    { status: 429, retryAfter: 0 },
    { status: 503, retryAfter: 0 },
    { status: 500, html: true, retryAfter: 0 },
    { malformed: true },
    { cut: true },
    { reset: true },
    { empty: true },
    { finishReason: "MAX_TOKENS" },
    { finishReason: "MALFORMED_FUNCTION_CALL" },
    { blockReason: "OTHER" },
  ];
  if (typeof steps === "function") throw new TypeError("rainy takes a list of steps");
  const list = "steps" in steps ? steps.steps : steps;
  // One fault before each step, going round; what is left of them comes before the last.
  return list.flatMap((step, index) =>
    index === list.length - 1 ? [...faults.slice(index), step] : [...faults.slice(index, index + 1), step],
  );
}

const SCRIPTS: Readonly<Record<string, () => Script>> = {
  success,
  selfCorrection,
  overclaims,
  endlessRepeat,
  endlessNovelty,
  endlessTalk,
  tokenGlutton,
  sleeper,
  memoriser,
  thief,
  rainy,
};

/** For the command line: a file of steps (`script`) or the name of a script above (`use`). */
export function loadScript({
  script,
  use,
}: {
  readonly script?: string | undefined;
  readonly use?: string | undefined;
}): Script {
  if (script !== undefined) return JSON.parse(readFileSync(script, "utf8")) as Script;
  const chosen = SCRIPTS[use ?? ""];
  if (!chosen) throw new Error(`--script FILE or --use one of ${Object.keys(SCRIPTS).join(", ")}`);
  return chosen();
}
