/**
 * Environments of generated code: resolved, locked with hashes, installed once, and named by the digest of the lock.
 *
 * Wheels only, so no setup script runs; nothing of an environment runs here either: uv looks at it while it is empty,
 * and bytecode is compiled by the base interpreter, which reads no `.pth` file of it (-I -S).
 */
import { mkdirSync } from "node:fs";
import { access, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FileStore } from "../storage/file-store.ts";
import { bounded, type Ended, run } from "./child.ts";
import { sharedLockKey } from "./environment-keys.ts";
import { PlatformError } from "./executor.ts";
import type { PythonFacts } from "./python.ts";
import { environmentDigest, normaliseLock, requirementProblem } from "./requirements.ts";
import type { TemporaryDirectories } from "./temporary.ts";

const MESSAGE_CHARACTERS = 2000;
/** What uv needs of the operator's own variables: the way to the index, and where it caches. No key of ours. */
const PASSED_ON = new Set(
  [
    ...["PATH", "HOME", "LANG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "NETRC"],
    ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"],
  ].flatMap((name) => [name, name.toLowerCase()]),
);

export type EnvironmentsOptions = {
  readonly store: FileStore;
  readonly directory: string;
  readonly temporary: TemporaryDirectories;
  readonly python: PythonFacts;
  readonly uv: string;
  readonly runnerDir: string;
  readonly variables: NodeJS.ProcessEnv;
};

export type Resolved = { readonly lock: string } | { readonly refusal: { reason: string; message: string } };
export type Installed = {
  readonly digest: string;
  readonly packages: { name: string; version: string }[];
};

type Work = { readonly seconds: number; readonly signal: AbortSignal };

export class Environments {
  readonly #options: EnvironmentsOptions;
  /** Installations under way by digest: two jobs that want the same one wait for the same one. */
  readonly #installing = new Map<string, Promise<void>>();

  constructor(options: EnvironmentsOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  /** The lock for the base environment with these packages, or why there is none. Throws PlatformError without index. */
  async resolve(packages: readonly string[], work: Work): Promise<Resolved> {
    const problem = requirementProblem(packages);
    if (problem !== undefined) return { refusal: { reason: "InvalidRequirement", message: problem } };
    const base = join(this.#options.runnerDir, "environment.txt");
    if (packages.length === 0) return { lock: normaliseLock(await readFile(base, "utf8")) };
    return this.#options.temporary.within(async (directory) => {
      await writeFile(join(directory, "packages.in"), `${packages.join("\n")}\n`);
      const args = ["pip", "compile", "--quiet", "--generate-hashes", "--only-binary", ":all:"];
      args.push(
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--python",
        this.#options.python.executable,
      );
      const ended = await this.#uv(directory, [...args, base, "packages.in"], work);
      if (ended.code === 0) return { lock: normaliseLock(ended.stdout) };
      const said = ended.stderr.trim();
      // uv ends with 1 where no versions fit, and where the index answers; with 2 where it cannot be asked.
      if (ended.code === 1 && /no solution found/i.test(said)) {
        return { refusal: { reason: "ResolutionFailed", message: bounded(said, MESSAGE_CHARACTERS) } };
      }
      throw unreachable(ended, "resolved");
    });
  }

  /** Installs a lock where it is not installed yet. Any number of times, from any number of processes. */
  async install(lock: string, work: Work): Promise<Installed> {
    const { python, store } = this.#options;
    const digest = environmentDigest(lock, python);
    await store.create(sharedLockKey(digest), new TextEncoder().encode(lock));
    await this.#place(digest, lock, work);
    return { digest, packages: await this.#packages(digest) };
  }

  /** Directory of an environment; installed again from its lock where it was removed. */
  async path(digest: string, work: Work): Promise<string> {
    const path = this.#path(digest);
    if (await isThere(path)) return path;
    const key = sharedLockKey(digest);
    if (!/^[0-9a-f]{64}$/.test(digest) || !(await this.#options.store.exists(key))) {
      throw new PlatformError(
        "EnvironmentMissing",
        `there is no environment ${digest}, nor a lock to make it from`,
      );
    }
    const lock = new TextDecoder().decode(await this.#options.store.get(key));
    await this.#place(digest, lock, work);
    return path;
  }

  async #place(digest: string, lock: string, work: Work): Promise<void> {
    const path = this.#path(digest);
    for (;;) {
      if (await isThere(path)) return;
      const other = this.#installing.get(digest);
      if (other === undefined) break;
      // It may be cancelled, which is no reason for this one to fail: look again.
      await other.catch(() => undefined);
      work.signal.throwIfAborted();
    }
    const installing = this.#make(path, lock, work);
    this.#installing.set(digest, installing);
    try {
      await installing;
    } finally {
      this.#installing.delete(digest);
    }
  }

  async #make(path: string, lock: string, work: Work): Promise<void> {
    const { python, temporary } = this.#options;
    await temporary.within(async (directory) => {
      const made = join(directory, "environment");
      await writeFile(join(directory, "lock.txt"), lock);
      const venv = ["venv", "--quiet", "--no-project", "--python", python.executable, made];
      check(await this.#uv(directory, venv, work), "made");
      const install = [
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
      ];
      check(
        await this.#uv(directory, [...install, "--python", join(made, "bin/python"), "-r", "lock.txt"], work),
        "installed",
      );
      const compile = ["-I", "-S", "-B", "-m", "compileall", "-qq", "-j", "0", "-x", "/tests?/"];
      // Hash-based and unchecked: valid on a read-only mount, whatever the files' times. A file that does not
      // compile is its package's own affair, so the exit code is not looked at.
      await this.#run(
        directory,
        [python.executable, ...compile, "--invalidation-mode", "unchecked-hash", join(made, "lib")],
        work,
      );
      work.signal.throwIfAborted();
      try {
        await rename(made, path);
      } catch (error) {
        // Another process was first, and made the same.
        if (!(await isThere(path))) throw error;
      }
    });
  }

  async #packages(digest: string): Promise<{ name: string; version: string }[]> {
    const site = join(this.#path(digest), "lib", `python${this.#options.python.version}`, "site-packages");
    return (await readdir(site))
      .flatMap((entry) => {
        const [, name, version] = /^(.+)-([^-]+)\.dist-info$/.exec(entry) ?? [];
        return name && version ? [{ name: name.replaceAll(/[_.]+/g, "-").toLowerCase(), version }] : [];
      })
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  #path(digest: string): string {
    return join(this.#options.directory, digest);
  }

  #uv(directory: string, args: readonly string[], work: Work): Promise<Ended> {
    return this.#run(directory, [this.#options.uv, "--color", "never", "--no-progress", ...args], work);
  }

  /** Runs a program that dies with the operator, whatever way that goes. */
  async #run(directory: string, program: readonly string[], work: Work): Promise<Ended> {
    const { python, runnerDir, variables } = this.#options;
    const launch = `import os, sys; sys.path.insert(0, ${JSON.stringify(runnerDir)}); from autoai_runner.confine import die_with_parent; die_with_parent(); os.umask(0o022); os.execv(sys.argv[1], sys.argv[1:])`;
    const ended = await run({
      command: python.executable,
      args: ["-I", "-S", "-B", "-c", launch, ...program],
      cwd: directory,
      variables: passOn(variables),
      seconds: work.seconds,
      signal: work.signal,
    });
    work.signal.throwIfAborted();
    if (ended.timedOut) {
      throw new PlatformError("InstallTimedOut", `installing did not end within ${work.seconds} s`);
    }
    return ended;
  }
}

function passOn(variables: NodeJS.ProcessEnv): Record<string, string> {
  const passed: Record<string, string> = { UV_NO_CONFIG_PROMPT: "1" };
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) continue;
    if (PASSED_ON.has(name) || name.startsWith("UV_")) passed[name] = value;
  }
  // pip's names for the same, where uv's own are not given.
  passed.UV_DEFAULT_INDEX ??= variables.UV_INDEX_URL ?? variables.PIP_INDEX_URL ?? "";
  if (passed.UV_DEFAULT_INDEX === "") delete passed.UV_DEFAULT_INDEX;
  delete passed.UV_NO_CONFIG_PROMPT;
  return passed;
}

function check(ended: Ended, what: string): void {
  if (ended.code !== 0) throw unreachable(ended, what);
}

function unreachable(ended: Ended, what: string): PlatformError {
  const said = bounded(ended.stderr.trim(), MESSAGE_CHARACTERS);
  const network =
    /failed to fetch|error sending request|client error|dns error|connection|timed? ?out|certificate|status (server|client) error/i;
  if (network.test(said)) {
    return new PlatformError(
      "IndexUnreachable",
      `the environment could not be ${what}, because the package index did not answer: ${said}`,
    );
  }
  return new PlatformError(
    "InstallFailed",
    `the environment could not be ${what}: ${said || `exit ${ended.code}`}`,
  );
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
