/** One process a job: a lock file that names its holder, and counts for nothing once that is gone. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

export class LockedError extends Error {
  override readonly name = "LockedError";
}

/** Takes the lock, or throws LockedError. The function returned gives it back. */
export function lockJob(home: string, key: string): () => void {
  const folder = join(home, "locks");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${key.replace("/", ".")}.lock`);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, "wx");
      writeSync(file, identity(process.pid));
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const holder = readHolder(path);
      const pid = Number(holder.split(" ")[0]);
      if (holder !== "" && holder === identity(pid)) {
        throw new LockedError(`${key} is being run by process ${pid}: wait for it, or end it`);
      }
      rmSync(path, { force: true });
    }
  }
  throw new LockedError(`${key} is being taken up by another process at this moment: try again`);
}

/** A pid with the time its process started: pids are used again. */
function identity(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return pid === process.pid ? `${pid}` : "";
  }
}

function readHolder(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
