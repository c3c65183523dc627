/** Generated code: one program under the supervisor, inside bubblewrap where there is one. */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { FileStore } from "../storage/file-store.ts";
import {
  type Bubblewrap,
  ENVIRONMENT,
  type Mount,
  ROOT,
  RUNNER,
  sandboxArguments,
  WORKSPACE,
} from "./bubblewrap.ts";
import { bounded, ending, keepTail, killGroup, killWhen, OWN_GROUP } from "./child.ts";
import { type Outcome, PlatformError, type SandboxedExecution } from "./executor.ts";
import { type Delivery, readDelivery } from "./frames.ts";
import type { PythonFacts } from "./python.ts";

export const OUTPUT_BYTES = 50 * 1000 ** 2;
export const FILE_BYTES = 1024 ** 3;
export const SNAPSHOT_BYTES = 600 * 1024 ** 2;
/** How long the supervisor may take to end, pack and send, beyond the program's own time. */
export const GRACE_SECONDS = 60;
/** Users that systemd sets aside for services without one of their own: no file belongs to them. */
const DYNAMIC_USERS = [61184, 65520] as const;

export type SandboxHost = {
  readonly store: FileStore;
  readonly python: PythonFacts;
  readonly runnerDir: string;
  /** Absent: without a sandbox, which the caller has allowed. */
  readonly bubblewrap: Bubblewrap | undefined;
};

/** Runs the program and stores what is kept of it: outputs and snapshot before the outcome is told. */
export async function runSandboxed(
  host: SandboxHost,
  execution: SandboxedExecution,
  environment: string,
  directory: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const place = await layOut(host, execution, environment, directory);
  const outputs = Object.keys(execution.outputs);
  for (const path of outputs) checkPath(path);
  const snapshot =
    execution.workspace === undefined ? undefined : await host.store.pathOf(execution.workspace);
  const request = {
    python: `${place.environment}/bin/python`,
    command: pythonArguments(execution.command, place.runner),
    variables: variables(execution.limits.cpus, place.root, place.environment),
    root: place.root,
    namespace: host.bubblewrap !== undefined,
    user: userOf(host),
    inputs: Object.keys(execution.inputs),
    outputs,
    snapshot: execution.snapshotPrefix !== undefined,
    workspaceBytes: snapshot === undefined ? 0 : (await stat(snapshot)).size,
    limits: execution.limits,
    outputBytes: OUTPUT_BYTES,
    fileBytes: FILE_BYTES,
  };
  const delivery = await converse({
    ...supervisor(host, place),
    directory,
    request: Buffer.from(JSON.stringify(request)),
    snapshot,
    seconds: execution.limits.seconds + GRACE_SECONDS,
    signal,
    bounds: { outputs: new Set(outputs), totalBytes: SNAPSHOT_BYTES + outputs.length * (FILE_BYTES + 4096) },
  });
  for (const [path, file] of delivery.outputs) {
    const key = execution.outputs[path];
    if (key !== undefined) await host.store.adopt(key, file);
  }
  if (execution.snapshotPrefix === undefined || delivery.snapshot === undefined) return delivery.result;
  const { file, sha256 } = delivery.snapshot;
  await host.store.adopt(`${execution.snapshotPrefix}${sha256}.tar`, file);
  return { ...delivery.result, workspace: sha256 };
}

/** A user of nobody else's, where the operator is root. */
export function userOf({ bubblewrap }: SandboxHost): number | null {
  return bubblewrap?.asRoot ? randomInt(...DYNAMIC_USERS) : null;
}

/** The supervisor's command line, inside the sandbox that was laid out. */
export function supervisor(
  { python }: SandboxHost,
  { prefix, runner }: Place,
): { command: string; args: readonly string[] } {
  const start = `import sys; sys.path.insert(0, ${JSON.stringify(runner)}); from autoai_runner.supervise import main; main()`;
  const [command = "", ...args] = [...prefix, python.executable, "-I", "-S", "-B", "-c", start];
  return { command, args };
}

/** Where things are for the program: in the sandbox, or on the machine where there is none. */
export type Place = { root: string; environment: string; runner: string; prefix: readonly string[] };

/** Puts the inputs in place. `shared` are further mounts, left out where there is no sandbox. */
export async function layOut(
  host: SandboxHost,
  execution: Pick<SandboxedExecution, "inputs" | "limits">,
  environment: string,
  directory: string,
  shared: readonly Mount[] = [],
): Promise<Place> {
  const inputs = await Promise.all(
    Object.entries(execution.inputs).map(async ([path, key]) => ({
      from: await host.store.pathOf(key),
      to: `${WORKSPACE}/${checkPath(path)}`,
    })),
  );
  if (host.bubblewrap !== undefined) {
    const mounts = [
      { from: environment, to: ENVIRONMENT },
      { from: join(host.runnerDir, "autoai_runner"), to: `${RUNNER}/autoai_runner` },
      ...shared,
    ];
    const options = { diskBytes: execution.limits.diskBytes, mounts, inputs };
    const args = sandboxArguments(host.bubblewrap, host.python, options);
    return { root: ROOT, environment: ENVIRONMENT, runner: RUNNER, prefix: [host.bubblewrap.path, ...args] };
  }
  const root = join(directory, "sandbox");
  for (const { from, to } of inputs) {
    const target = join(root, to.slice(ROOT.length));
    await mkdir(dirname(target), { recursive: true });
    // A copy: without a sandbox nothing keeps the program from writing to it.
    await copyFile(from, target);
  }
  await mkdir(root, { recursive: true });
  return { root, environment, runner: host.runnerDir, prefix: [] };
}

export function pythonArguments(command: readonly string[], runner: string): string[] {
  if (command[0] !== "@predict") return [...command];
  // -P: the runner's own modules must not stand in for those that a model imports.
  return ["-P", `${runner}/autoai_runner/predict.py`, ...command.slice(1)];
}

export function variables(cpus: number, root: string, environment: string): Record<string, string> {
  const threads = String(Math.max(1, Math.ceil(cpus)));
  const pools = ["OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS", "VECLIB"].map((name) => `${name}_NUM_THREADS`);
  return {
    PATH: `${environment}/bin:/usr/bin:/bin`,
    HOME: `${root}/home`,
    USER: "sandbox",
    LOGNAME: "sandbox",
    TMPDIR: `${root}/tmp`,
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    PYTHONHASHSEED: "0",
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    // Threads that wait give way: machines are shared, and a spinning one holds up the one it waits for.
    OMP_WAIT_POLICY: "PASSIVE",
    MPLBACKEND: "Agg",
    ...Object.fromEntries(
      [...pools, "LOKY_MAX_CPU_COUNT", "POLARS_MAX_THREADS"].map((name) => [name, threads]),
    ),
  };
}

/** Paths are below the working directory: the caller's promise, held here once more because mounts depend on it. */
export function checkPath(path: string): string {
  const segments = path.split("/");
  if (path === "" || segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
    throw new PlatformError(
      "InvalidPath",
      `${JSON.stringify(path)} is not a path below the working directory`,
    );
  }
  return path;
}

type Conversation = {
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly request: Buffer;
  readonly snapshot: string | undefined;
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly bounds: Parameters<typeof readDelivery>[2];
};

/** Hands the supervisor its request and reads what it delivers. Throws PlatformError where that is not whole. */
export async function converse(talk: Conversation): Promise<Delivery> {
  const child = spawn(talk.command, talk.args, {
    cwd: talk.directory,
    env: {},
    stdio: "pipe",
    ...OWN_GROUP,
  });
  const stderr = keepTail(child.stderr);
  const killer = killWhen(child, talk.signal, talk.seconds);
  const gone = ending(child, talk.command);
  gone.catch(() => undefined);
  // It may end before it has read all: what it says then tells more than the broken pipe.
  child.stdin.on("error", () => undefined);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(talk.request.length);
  child.stdin.write(Buffer.concat([length, talk.request]));
  // Kept open: its end tells the supervisor that nobody waits any more.
  if (talk.snapshot !== undefined) createReadStream(talk.snapshot).pipe(child.stdin, { end: false });
  try {
    const delivery = await readDelivery(child.stdout, talk.directory, talk.bounds);
    return delivery;
  } catch (error) {
    killGroup(child);
    await gone;
    if (killer.timedOut()) {
      throw new PlatformError("SandboxHung", `the supervisor did not end within ${talk.seconds} s`, {
        cause: error,
      });
    }
    const said = stderr().trim();
    if (!(error instanceof PlatformError) || said === "") throw error;
    throw new PlatformError(error.reason, `${error.message}; it said: ${bounded(said, 2000)}`, {
      cause: error,
    });
  } finally {
    child.stdin.destroy();
    await gone.catch(() => undefined);
    killer.stop();
  }
}
