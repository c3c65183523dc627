/** Private directories of executions under way, and the sweep of those whose operator is gone. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Distinguishes this process from an earlier one that had the same id, as in a container that was started again. */
const START = Math.floor(performance.timeOrigin);

export type TemporaryDirectory = { readonly path: string; readonly remove: () => Promise<void> };

export class TemporaryDirectories {
  readonly #root: string;

  /** Makes the root where there is none, and removes what processes that are gone left in it. */
  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(root)) {
      const [pid, start] = name.split("-").map(Number);
      const ours = pid === process.pid;
      if (ours ? start !== START : !isAlive(pid ?? 0))
        rmSync(join(root, name), { recursive: true, force: true });
    }
  }

  /** Runs the action with an empty directory, which is removed afterwards whatever happens. */
  async within<T>(action: (directory: string) => Promise<T>): Promise<T> {
    const { path, remove } = await this.make();
    try {
      return await action(path);
    } finally {
      await remove();
    }
  }

  /** An empty directory, until `remove` is called or this process is gone. */
  async make(): Promise<TemporaryDirectory> {
    const path = join(this.#root, `${process.pid}-${START}-${randomUUID()}`);
    await mkdir(path, { mode: 0o700 });
    return { path, remove: () => removeTree(path) };
  }
}

/** Removes a tree, directories that were made unreadable included. */
export async function removeTree(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    await chmod(directory, 0o700).catch(() => undefined);
    await rm(directory, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
