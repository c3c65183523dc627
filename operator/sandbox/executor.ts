/**
 * Executor: runs one bounded piece of Python, in a pod or in a process.
 *
 * An execution is named; `ensure` with the same name any number of times, from any number of operators, runs it once.
 */
import { z } from "zod";

/** What a program is allowed. All of them are enforced; exceeding one ends the program and is named in the outcome. */
export type Limits = {
  /** Wall-clock seconds; then SIGINT, and SIGKILL 5 s later. */
  readonly seconds: number;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Workspace and temporary files together. */
  readonly diskBytes: number;
  readonly processes: number;
};

type Common = {
  /** Deterministic and unique: `<job>-<hash>-<n>`; a valid pod name. */
  readonly name: string;
  /** `namespace/name` of the resource to wake when it is over. */
  readonly owner: string;
  readonly limits: Limits;
  /** Read-only files: path below the working directory → store key. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Results: path below the working directory → store key. A missing one is simply not stored. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Store key under which the outcome is kept; whoever finds it there does not run the execution again. */
  readonly outcomeKey: string;
};

/** Generated code: no network, no credentials, nothing but its workspace, its inputs and an environment. */
export type SandboxedExecution = Common & {
  readonly kind: "Sandboxed";
  /** Arguments for the environment's Python, such as ["train.py", "--fast"]; paths below the working directory, or "@predict" for the trusted predictor. */
  readonly command: readonly string[];
  /** Store key of the snapshot (tar) the workspace starts from; absent: empty. */
  readonly workspace?: string;
  /** Where to keep the snapshot of the workspace afterwards: prefix, to which `<sha256>.tar` is added. Absent: thrown away. */
  readonly snapshotPrefix?: string;
  /** Environment by digest, as an InstallExecution made it. */
  readonly environment: string;
};

/** The runner's own code (`python -m autoai_runner VERB`): trusted, sees its inputs and nothing else, no network. */
export type TrustedExecution = Common & {
  readonly kind: "Trusted";
  readonly verb: string;
  /** Handed over as request.json. Paths in it are those of `inputs` and `outputs`. */
  readonly request: unknown;
};

/** Resolves, locks and installs wheels; network to the package index, no generated code. */
export type InstallExecution = Common & {
  readonly kind: "Install";
  /** PEP 508 requirements, on top of the base environment's versions. */
  readonly packages: readonly string[];
};

export type Execution = SandboxedExecution | TrustedExecution | InstallExecution;

export const Output = z.strictObject({
  /** First 2,500 characters, repeated lines folded; the whole output where it is shorter than 5,000. */
  head: z.string(),
  /** Last 2,500 characters; empty where head has it all. */
  tail: z.string(),
  /** Characters between head and tail that were cut. */
  truncated: z.number(),
});
export type Output = z.infer<typeof Output>;

export const Outcome = z.strictObject({
  /**
   * How it ended. Completed: by itself, see exitCode. The others name the limit that ended it.
   * Refused: trusted code found fault with what it was given, see refusal.
   */
  ended: z.enum([
    "Completed",
    "TimedOut",
    "OutOfMemory",
    "DiskFull",
    "TooManyProcesses",
    "TooMuchOutput",
    "Refused",
  ]),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  seconds: z.number(),
  peakMemoryBytes: z.number(),
  /** stdout and stderr as they came. */
  output: Output,
  /** The last Python traceback on stderr, bounded. */
  traceback: z.string().optional(),
  /** Digest of the snapshot afterwards. */
  workspace: z.string().optional(),
  /** Files of the workspace that were not kept, and why: symlinks, devices, beyond the bounds. */
  notKept: z.array(z.string()).max(32).optional(),
  /** Install: digest of the environment, and what is in it. */
  environment: z.string().optional(),
  packages: z.array(z.strictObject({ name: z.string(), version: z.string() })).optional(),
  /** Trusted: result.json as parsed. */
  result: z.unknown().optional(),
  /** Trusted: error.json; Install: what the resolver said. */
  refusal: z
    .strictObject({
      reason: z.string(),
      message: z.string(),
      line: z.int().optional(),
      column: z.string().optional(),
    })
    .optional(),
});
export type Outcome = z.infer<typeof Outcome>;

export interface Executor {
  /**
   * Starts the execution if it neither runs nor ran, and tells its outcome if it is over.
   * undefined: it is under way; the owner is woken when it ends.
   * Throws PlatformError when the platform, not the code, failed.
   */
  ensure(execution: Execution): Promise<Outcome | undefined>;
  /** Ends whatever runs for this owner, and waits until it is gone. May be called twice. */
  cancel(owner: string): Promise<void>;
}

/** The platform's fault: never shown to the model as its own. */
export class PlatformError extends Error {
  override readonly name = "PlatformError";
  readonly reason: string;
  /** No retry helps until somebody mends something, which the message names. What was begun goes on by itself then. */
  readonly stalled: boolean;
  constructor(reason: string, message: string, options?: ErrorOptions & { readonly stalled?: boolean }) {
    super(message, options);
    this.reason = reason;
    this.stalled = options?.stalled ?? false;
  }
}
