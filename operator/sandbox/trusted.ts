/** The runner's own verbs: trusted code that reads untrusted bytes, without network wherever bubblewrap is. */
import { copyFile, link, lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RunnerRefusal } from "../api/profile.ts";
import { type Mount, SCRATCH, trustedArguments } from "./bubblewrap.ts";
import { bounded, type Ended, run } from "./child.ts";
import { type Outcome, PlatformError, type TrustedExecution } from "./executor.ts";
import type { SandboxHost } from "./sandboxed.ts";
import type { TemporaryDirectory } from "./temporary.ts";
import { EXCHANGE, type RunnerWorker, type WorkerProgram } from "./worker.ts";

const REFUSED = 2;

/** Runs a verb of the runner, and stores its outputs before the outcome is told. */
export async function runTrusted(
  host: SandboxHost,
  execution: TrustedExecution,
  directory: string,
  signal: AbortSignal,
  worker?: RunnerWorker,
): Promise<Outcome> {
  const job = join(directory, "job");
  await mkdir(job, { mode: 0o700 });
  const inputs = await Promise.all(
    Object.entries(execution.inputs).map(async ([path, key]) => ({
      path,
      from: await host.store.pathOf(key),
    })),
  );
  await writeFile(join(job, "request.json"), JSON.stringify(execution.request));
  for (const path of Object.keys(execution.outputs))
    await mkdir(dirname(join(job, path)), { recursive: true });
  for (const { path, from } of inputs) {
    await mkdir(dirname(join(job, path)), { recursive: true });
    if (worker !== undefined || host.bubblewrap === undefined) await linkOrCopy(from, join(job, path));
    // Mounted over it: what is read there cannot be written.
    else await writeFile(join(job, path), "");
  }
  const ended =
    worker === undefined
      ? await runFresh(host, execution, directory, inputs, signal)
      : await worker.run({
          verb: execution.verb,
          directory: job,
          inputs: Object.keys(execution.inputs),
          seconds: execution.limits.seconds,
          memoryBytes: execution.limits.memoryBytes,
          signal,
        });
  if (ended.timedOut) {
    throw new PlatformError(
      "RunnerTimedOut",
      `runner verb ${execution.verb} did not end within ${execution.limits.seconds} s`,
    );
  }
  if (ended.code === 0) {
    const result = await readJson(join(job, "result.json"), execution.verb, ended);
    await keep(host, execution, job);
    return { ...outcome("Completed", ended), result };
  }
  if (ended.code === REFUSED) {
    const refusal = RunnerRefusal.safeParse(await readJson(join(job, "error.json"), execution.verb, ended));
    if (refusal.success) {
      const { line, column, ...said } = refusal.data;
      const where = { ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) };
      return { ...outcome("Refused", ended), refusal: { ...said, ...where } };
    }
  }
  throw failed(execution.verb, ended);
}

/** In a process of its own, in a sandbox of its own. */
function runFresh(
  host: SandboxHost,
  execution: TrustedExecution,
  directory: string,
  inputs: readonly { readonly path: string; readonly from: string }[],
  signal: AbortSignal,
): Promise<Ended> {
  const job = join(directory, "job");
  const mounts = inputs.map(({ path, from }) => ({ from, to: `/job/${path}` }));
  const python = ["-m", "autoai_runner", execution.verb, "--request", "request.json"];
  return run({
    ...program(host, python, { from: job, to: "/job" }, mounts),
    cwd: job,
    variables: trustedVariables({
      path: "/usr/bin:/bin",
      runner: host.runnerDir,
      temporary: host.bubblewrap === undefined ? directory : "/tmp",
      cpus: execution.limits.cpus,
    }),
    seconds: execution.limits.seconds,
    signal,
  });
}

/** The program that keeps the libraries of the verbs loaded and runs them in children; see worker.ts. */
export function workerProgram(host: SandboxHost, exchange: TemporaryDirectory, cpus: number): WorkerProgram {
  const isOpen = host.bubblewrap === undefined;
  const inside = isOpen ? exchange.path : EXCHANGE;
  const python = ["-m", "autoai_runner.worker", inside, ...(isOpen ? ["--open"] : [])];
  return {
    ...program(host, python, { from: exchange.path, to: EXCHANGE }, []),
    variables: {
      ...trustedVariables({
        path: "/usr/bin:/bin",
        runner: host.runnerDir,
        temporary: isOpen ? exchange.path : SCRATCH,
        cpus,
      }),
      // Threads that they start when they are loaded: what is forked must have none.
      OPENBLAS_NUM_THREADS: "1",
      JE_ARROW_MALLOC_CONF: "background_thread:false",
    },
    exchange,
    inside,
  };
}

/** The runner's Python, in a sandbox that holds one directory, where there are sandboxes. */
function program(
  host: SandboxHost,
  python: readonly string[],
  directory: Mount,
  inputs: readonly Mount[],
): { command: string; args: string[] } {
  if (host.bubblewrap === undefined) return { command: host.python.own, args: [...python] };
  const own = [...new Set([host.python.prefix, join(host.runnerDir, "autoai_runner")])];
  const mounts = own.map((path) => ({ from: path, to: path }));
  const args = trustedArguments(host.python, { directory, mounts, inputs, nests: directory.to === EXCHANGE });
  return { command: host.bubblewrap.path, args: [...args, host.python.own, ...python] };
}

/** A second name for a file that is read and never written; a copy on a file system that has no links. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
}

async function keep(host: SandboxHost, execution: TrustedExecution, job: string): Promise<void> {
  for (const [path, key] of Object.entries(execution.outputs)) {
    const file = join(job, path);
    const about = await lstat(file).catch(() => undefined);
    if (about?.isFile()) await host.store.adopt(key, file);
  }
}

async function readJson(path: string, verb: string, ended: Ended): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    throw failed(verb, ended);
  }
}

function failed(verb: string, ended: Ended): PlatformError {
  const how = ended.signal === null ? `exit code ${ended.code}` : ended.signal;
  const said = bounded(ended.stderr.trim(), 4000);
  return new PlatformError(
    "RunnerFailed",
    `runner verb ${verb} failed with ${how}: ${said || "it said nothing"}`,
  );
}

function outcome(ended: "Completed" | "Refused", { code, seconds, stdout, stderr }: Ended): Outcome {
  const text = bounded(stdout + stderr, 5000);
  return {
    ended,
    exitCode: code,
    signal: null,
    seconds,
    peakMemoryBytes: 0,
    output: { head: text, tail: "", truncated: 0 },
  };
}

/** The environment of a trusted verb, in a process or in a pod. */
export function trustedVariables(place: {
  readonly path: string;
  readonly runner: string;
  readonly temporary: string;
  readonly cpus: number;
}): Record<string, string> {
  const threads = String(Math.max(1, Math.ceil(place.cpus)));
  return {
    PATH: place.path,
    HOME: place.temporary,
    TMPDIR: place.temporary,
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    PYTHONPATH: place.runner,
    PYTHONSAFEPATH: "1",
    PYTHONNOUSERSITE: "1",
    PYTHONHASHSEED: "0",
    PYTHONDONTWRITEBYTECODE: "1",
    OMP_NUM_THREADS: threads,
    OPENBLAS_NUM_THREADS: threads,
  };
}
