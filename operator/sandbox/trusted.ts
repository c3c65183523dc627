/** The runner's own verbs: trusted code that reads untrusted bytes, without network wherever bubblewrap is. */
import { link, lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RunnerRefusal } from "../api/profile.ts";
import { trustedArguments } from "./bubblewrap.ts";
import { bounded, type Ended, run } from "./child.ts";
import { type Outcome, PlatformError, type TrustedExecution } from "./executor.ts";
import type { SandboxHost } from "./sandboxed.ts";

const REFUSED = 2;

/** Runs `python -m autoai_runner VERB`, and stores its outputs before the outcome is told. */
export async function runTrusted(
  host: SandboxHost,
  execution: TrustedExecution,
  directory: string,
  signal: AbortSignal,
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
    if (host.bubblewrap === undefined) await link(from, join(job, path));
    // Mounted over it: what is read there cannot be written.
    else await writeFile(join(job, path), "");
  }
  const python = [host.python.own, "-m", "autoai_runner", execution.verb, "--request", "request.json"];
  const prefix =
    host.bubblewrap === undefined
      ? []
      : [
          host.bubblewrap.path,
          ...trustedArguments(host.python, {
            directory: job,
            mounts: [...new Set([host.python.prefix, join(host.runnerDir, "autoai_runner")])].map((path) => ({
              from: path,
              to: path,
            })),
            inputs: inputs.map(({ path, from }) => ({ from, to: `/job/${path}` })),
          }),
        ];
  const [command = "", ...args] = [...prefix, ...python];
  const ended = await run({
    command,
    args,
    cwd: job,
    variables: variables(host, execution.limits.cpus, host.bubblewrap === undefined ? directory : "/tmp"),
    seconds: execution.limits.seconds,
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

function variables(host: SandboxHost, cpus: number, temporary: string): Record<string, string> {
  const threads = String(Math.max(1, Math.ceil(cpus)));
  return {
    PATH: "/usr/bin:/bin",
    HOME: temporary,
    TMPDIR: temporary,
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    PYTHONPATH: host.runnerDir,
    PYTHONSAFEPATH: "1",
    PYTHONNOUSERSITE: "1",
    PYTHONHASHSEED: "0",
    PYTHONDONTWRITEBYTECODE: "1",
    OMP_NUM_THREADS: threads,
    OPENBLAS_NUM_THREADS: threads,
  };
}
