/** The command line as people have it: a process of its own, with a home of its own. */
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { JournalEntry } from "../../operator/api/journal.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";

export const ROOT = join(import.meta.dirname, "..", "..");
/** Generous: nothing here is timed, and machines that run tests are busy. */
export const MINUTES = 60_000;

const WORK = join(ROOT, ".setup", "e2e");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const STATUSES = join(ROOT, "test", "statuses", "process.ts");

export type Ended = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Options = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
};

export type Running = {
  readonly ended: Promise<Ended>;
  /** Resolves once what it said, on either stream, matches; rejects when the process ends before. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
};

/** Starts `autoai ...`, without whatever key this machine has. */
export function start(args: readonly string[], options: Options = {}): Running {
  const { GEMINI_API_KEY: _, AUTOAI_HOME: __, ...inherited } = process.env;
  const child = spawn(NODE, ["--import", STATUSES, join(ROOT, "operator", "cli.ts"), ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...inherited, ...options.env },
  });
  const out: Buffer[] = [];
  const listeners = new Set<() => void>();
  let stderr = "";
  let said = "";
  const hear = (text: string): void => {
    said += text;
    for (const listener of listeners) listener();
  };
  child.stdout.on("data", (chunk: Buffer) => {
    out.push(chunk);
    hear(chunk.toString());
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
    hear(chunk);
  });
  child.stdin.on("error", () => undefined).end(options.input ?? "");
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout: Buffer.concat(out).toString(), stderr }));
  });
  return {
    ended,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(said);
          if (!found) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
        ended.then(() => reject(new Error(`ended before ${pattern}: ${stderr}`)), reject);
      }),
    kill: (signal) => void child.kill(signal),
  };
}

/** Runs `autoai ...` to its end; as many at once as there are cores, since more would only wait for each other. */
export async function autoai(args: readonly string[], options: Options = {}): Promise<Ended> {
  await slot();
  try {
    return await start(args, options).ended;
  } finally {
    free++;
    waiting.shift()?.();
  }
}

let free = availableParallelism();
const waiting: (() => void)[] = [];

async function slot(): Promise<void> {
  while (free <= 0) await new Promise<void>((resolve) => waiting.push(resolve));
  free--;
}

export type Place = Disposable & {
  /** A folder for manifests and data. */
  readonly folder: string;
  /** The embedded home; its base environment is shared by all tests, so that it is installed once. */
  readonly home: string;
  /** Writes a file into the folder and returns its path. */
  write(name: string, content: string | Uint8Array): string;
};

export function place(): Place {
  mkdirSync(join(WORK, "environments"), { recursive: true });
  const folder = mkdtempSync(join(WORK, "place-"));
  const home = join(folder, "home");
  mkdirSync(home);
  symlinkSync(join(WORK, "environments"), join(home, "environments"));
  return {
    folder,
    home,
    write(name, content) {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What `--json` printed: a TrainingJob, and nothing else. */
export function jobOf({ stdout, stderr, code }: Ended): TrainingJob {
  try {
    return TrainingJob.parse(JSON.parse(stdout));
  } catch (error) {
    throw new Error(`expected a TrainingJob on standard output (exit ${code}): ${stdout}\n${stderr}`, {
      cause: error,
    });
  }
}

/** The journal of a job, as `autoai inspect` gives it. */
export async function journalOf(here: Place, job: string): Promise<JournalEntry[]> {
  const { stdout } = await autoai(["inspect", job, "--json", "--home", here.home]);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JournalEntry.parse(JSON.parse(line)));
}

/** What the tool of this name answered, in order, as JSON. */
export function answers(entries: readonly JournalEntry[], tool: string): string[] {
  return entries.flatMap((entry) =>
    entry.type === "ToolFinished" && entry.name === tool ? [JSON.stringify(entry.response)] : [],
  );
}

/** The files below a folder that hold the text, environments left out: those are wheels from the index. */
export function filesWith(folder: string, text: string): string[] {
  const needle = Buffer.from(text);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("/environments/") && readFileSync(path).includes(needle));
}
