/**
 * Loaded before the command line (`node --import`), it notes when a child process, a verb or an LLM was at work, and what
 * this process itself computed. The program measured is the one that users run: nothing of it is replaced.
 */
import childProcess, { type ChildProcess, type SpawnOptions } from "node:child_process";
import { writeFileSync } from "node:fs";
import module, { syncBuiltinESMExports } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Interval, Recording } from "./intervals.ts";

const output = process.env.AUTOAI_BENCH_RECORD;
if (output === undefined) throw new Error("AUTOAI_BENCH_RECORD must name the file to write");

const now = (): number => performance.timeOrigin + performance.now();
const children: Interval[] = [];
const replies: Interval[] = [];
let open = 0;

const spawn = childProcess.spawn;
function recordingSpawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const from = now();
  const child = spawn(command, args, options);
  // It is there all the time; what counts is when a verb is waited for, below.
  if (args.includes("autoai_runner.worker")) return child;
  open++;
  child.once("exit", () => {
    open--;
    children.push({ from, to: now(), what: whatRuns(command, args) });
  });
  return child;
}
childProcess.spawn = recordingSpawn as typeof spawn;
// What is imported by name from now on is the recording one.
syncBuiltinESMExports();

/** Trusted verbs name themselves in their arguments; generated code and installs go through the supervisor and uv. */
function whatRuns(command: string, args: readonly string[]): string {
  const all = [command, ...args];
  const module = all.indexOf("autoai_runner");
  if (module > 0 && all[module - 1] === "-m") return `trusted:${all[module + 1]}`;
  if (all.some((word) => word.endsWith("/uv") || word === "uv")) return "install";
  if (all.includes("-S") && all.includes("-I")) return "sandboxed";
  return "other";
}

type Running = { run(request: { readonly verb: string }): Promise<unknown> };

/** Verbs that the worker runs: waited for from the request to the answer. */
function recordVerbs(worker: { prototype: unknown }): void {
  const prototype = worker.prototype as Running;
  const run = prototype.run;
  prototype.run = async function (this: Running, request) {
    const from = now();
    try {
      return await run.call(this, request);
    } finally {
      children.push({ from, to: now(), what: `trusted:${request.verb}` });
    }
  };
}

type Replying = { reply(...args: unknown[]): Promise<unknown> };

function recordReplies(model: { prototype: unknown }): void {
  const prototype = model.prototype as Replying;
  const reply = prototype.reply;
  prototype.reply = async function (this: Replying, ...args: unknown[]) {
    const from = now();
    try {
      return await reply.apply(this, args);
    } finally {
      replies.push({ from, to: now(), what: "reply" });
    }
  };
}

// As the command line does it, which would load these later.
module.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "autoai", "node"));
// After the change of spawn, so that nothing binds the old one.
const { OfflineModel } = await import("../../operator/llm/offline/index.ts");
const { GeminiModel } = await import("../../operator/llm/gemini.ts");
const { RunnerWorker } = await import("../../operator/sandbox/worker.ts");
recordVerbs(RunnerWorker);
recordReplies(OfflineModel);
recordReplies(GeminiModel);

process.once("exit", () => {
  const { user, system } = process.cpuUsage();
  const recording: Recording = { children, replies, unended: open, cpuSeconds: (user + system) / 1e6 };
  writeFileSync(output, JSON.stringify(recording));
});
