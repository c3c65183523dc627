/**
 * A program of generated code that stays until it is ended: a model's worker. It is contained as any other is, by
 * bubblewrap, the supervisor and its limits; but it has no end of its own, keeps nothing, and shares one directory with
 * whoever talks to it.
 */

import { WORKSPACE } from "./bubblewrap.ts";
import type { Limits } from "./executor.ts";
import { converse, layOut, type SandboxHost, supervisor, userOf, variables } from "./sandboxed.ts";
import type { TemporaryDirectories } from "./temporary.ts";

/** Where the shared directory is in the sandbox: read-only, which keeps nobody from connecting to a socket in it. */
const SHARED = "/shared";
/** A year: it ends when it is told to, or when nobody holds its supervisor's stdin any more. */
const FOR_GOOD_SECONDS = 365 * 86_400;
/** What it prints is read and forgotten, however long it stays. */
const OUTPUT_BYTES = 1e15;

export type ResidentProgram = {
  /** Environment by digest. */
  readonly environment: string;
  /** Read-only files: path below the working directory → store key. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Directory of this machine that the program sees as well; others may pass through it. */
  readonly shared: string;
  /** Arguments for the environment's Python, by where things are for it. */
  readonly command: (place: ResidentPlace) => readonly string[];
  readonly limits: Omit<Limits, "seconds">;
};

export type ResidentPlace = { readonly runner: string; readonly workspace: string; readonly shared: string };

export type Resident = {
  /** Resolves, never rejects, when nothing of it is left: why it ended, for a person. */
  readonly ended: Promise<string>;
  kill(): void;
};

/** Starts it. What keeps it from starting is told by `ended`. */
export function startResident(
  host: SandboxHost,
  program: ResidentProgram,
  environment: string,
  temporary: TemporaryDirectories,
): Resident {
  const abort = new AbortController();
  const run = temporary.within((directory) => stay(host, program, environment, directory, abort.signal));
  return {
    ended: run.catch((error) => (abort.signal.aborted ? "it was ended" : (error as Error).message)),
    kill: () => abort.abort(),
  };
}

async function stay(
  host: SandboxHost,
  program: ResidentProgram,
  environment: string,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const limits = { ...program.limits, seconds: FOR_GOOD_SECONDS };
  const mounts = [{ from: program.shared, to: SHARED }];
  const place = await layOut(host, { inputs: program.inputs, limits }, environment, directory, mounts);
  const contained = host.bubblewrap !== undefined;
  const request = {
    python: `${place.environment}/bin/python`,
    command: program.command({
      runner: place.runner,
      workspace: contained ? WORKSPACE : `${place.root}/workspace`,
      shared: contained ? SHARED : program.shared,
    }),
    variables: variables(limits.cpus, place.root, place.environment),
    root: place.root,
    namespace: contained,
    user: userOf(host),
    inputs: Object.keys(program.inputs),
    outputs: [],
    snapshot: false,
    workspaceBytes: 0,
    limits,
    outputBytes: OUTPUT_BYTES,
    fileBytes: limits.diskBytes,
  };
  const { result } = await converse({
    ...supervisor(host, place),
    directory,
    request: Buffer.from(JSON.stringify(request)),
    snapshot: undefined,
    seconds: FOR_GOOD_SECONDS,
    signal,
    bounds: { outputs: new Set<string>(), totalBytes: 1024 ** 2 },
  });
  const last = (result.traceback ?? result.output.tail ?? "").trim().split("\n").at(-1) ?? "";
  const how =
    result.ended === "Completed"
      ? `ended with ${result.signal ?? `exit code ${result.exitCode}`}`
      : `was ended: ${result.ended}`;
  return `it ${how}${last === "" ? "" : `: ${last.slice(0, 300)}`}`;
}
