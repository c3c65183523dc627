/**
 * ArtifactStore on files: one file a key, below one directory.
 *
 * A file appears under its key by rename or link alone, so that a process killed at any moment leaves whole objects
 * and, at worst, a partial one where no key leads. Partial ones of processes that are gone are swept when a store opens.
 */
import { randomUUID } from "node:crypto";
import { constants, mkdirSync, readdirSync, rmSync } from "node:fs";
import {
  chmod,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type ArtifactStore, NotFoundError, type ObjectDigest } from "./artifact-store.ts";
import { checkKey, checkPrefix } from "./key.ts";
import { digestOf, type StoredStream, type Streams } from "./streams.ts";

/** No key starts with a dot, so nothing of it is ever listed. */
const PARTIAL = ".partial";

export class FileStore implements ArtifactStore, Streams {
  readonly #root: string;

  /** Makes the directory where there is none, readable by its owner alone. */
  constructor(root: string) {
    this.#root = resolve(root);
    const partial = join(this.#root, PARTIAL);
    mkdirSync(partial, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(partial)) {
      if (!isAlive(Number(name.split("-")[0]))) rmSync(join(partial, name), { force: true });
    }
  }

  async get(key: string): Promise<Uint8Array> {
    return absent(key, readFile(this.#path(key)));
  }

  async open(key: string): Promise<StoredStream> {
    const file = await absent(key, open(this.#path(key)));
    const facts = await file.stat();
    if (facts.isFile()) return { size: facts.size, body: file.createReadStream() };
    await file.close();
    throw new NotFoundError(key);
  }

  async digest(key: string): Promise<ObjectDigest> {
    return digestOf(await this.open(key));
  }

  async copy(from: string, to: string): Promise<void> {
    const partial = this.#partial();
    try {
      await absent(from, copyFile(this.#path(from), partial, constants.COPYFILE_EXCL));
      await chmod(partial, 0o644);
      await this.#place(partial, this.#path(to));
    } finally {
      await rm(partial, { force: true });
    }
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    const path = this.#path(key);
    await this.#place(await this.#write(body), path);
  }

  async create(key: string, body: Uint8Array): Promise<boolean> {
    const path = this.#path(key);
    if (await this.exists(key)) return false;
    const partial = await this.#write(body);
    try {
      // link, not rename: it fails where something stands.
      await inDirectory(path, () => link(partial, path));
      return true;
    } catch (error) {
      if (code(error) === "EEXIST") return false;
      throw error;
    } finally {
      await rm(partial, { force: true });
    }
  }

  async exists(key: string): Promise<boolean> {
    try {
      return (await stat(this.#path(key))).isFile();
    } catch (error) {
      if (code(error) === "ENOENT" || code(error) === "ENOTDIR") return false;
      throw error;
    }
  }

  async list(prefix: string): Promise<string[]> {
    checkPrefix(prefix);
    const keys: string[] = [];
    await this.#collect(prefix.slice(0, prefix.lastIndexOf("/") + 1), prefix, keys);
    return keys.sort();
  }

  async deletePrefix(prefix: string): Promise<void> {
    const keys = await this.list(prefix);
    for (const key of keys) await rm(join(this.#root, key), { force: true });
    const directories = new Set(keys.flatMap(parents));
    for (const directory of [...directories].sort((one, other) => other.length - one.length)) {
      // Not empty, or already gone: both are as they should be.
      await rmdir(join(this.#root, directory)).catch(() => undefined);
    }
  }

  uri(key: string): string {
    return pathToFileURL(this.#path(key)).href;
  }

  /** The file that holds the object, to be read and never written. Throws NotFoundError where there is no such key. */
  async pathOf(key: string): Promise<string> {
    if (!(await this.exists(key))) throw new NotFoundError(key);
    return this.#path(key);
  }

  /** As put, with the content of a file, which is gone from its place afterwards. Never read into memory. */
  async adopt(key: string, file: string): Promise<void> {
    const path = this.#path(key);
    await chmod(file, 0o644);
    try {
      await this.#place(file, path);
    } catch (error) {
      if (code(error) !== "EXDEV") throw error;
      const partial = this.#partial();
      await copyFile(file, partial, constants.COPYFILE_FICLONE);
      await this.#place(partial, path);
      await rm(file, { force: true });
    }
  }

  #path(key: string): string {
    checkKey(key);
    return join(this.#root, key);
  }

  #partial(): string {
    return join(this.#root, PARTIAL, `${process.pid}-${randomUUID()}`);
  }

  async #write(body: Uint8Array): Promise<string> {
    const partial = this.#partial();
    const file = await open(partial, "wx", 0o644);
    try {
      await file.writeFile(body);
      // Whatever the umask: the directory above keeps others out, and a sandbox's user reads its inputs.
      await file.chmod(0o644);
      await file.datasync();
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return partial;
  }

  async #place(file: string, path: string): Promise<void> {
    await inDirectory(path, () => rename(file, path));
  }

  async #collect(directory: string, prefix: string, keys: string[]): Promise<void> {
    const entries = await readdir(join(this.#root, directory), { withFileTypes: true }).catch((error) => {
      if (code(error) === "ENOENT" || code(error) === "ENOTDIR") return [];
      throw error;
    });
    for (const entry of entries) {
      const key = directory + entry.name;
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory()) {
        const below = `${key}/`;
        if (below.startsWith(prefix) || prefix.startsWith(below)) await this.#collect(below, prefix, keys);
      } else if (key.startsWith(prefix)) keys.push(key);
    }
  }
}

/** Makes the directory of a path for an action, and again where a concurrent deletePrefix took it away. */
async function inDirectory(path: string, action: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await action();
      return;
    } catch (error) {
      if (code(error) !== "ENOENT" || attempt === 2) throw error;
    }
  }
}

async function absent<T>(key: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(code(error) ?? "")) throw new NotFoundError(key);
    throw error;
  }
}

function parents(key: string): string[] {
  const segments = key.split("/");
  return segments.slice(1).map((_, depth) => segments.slice(0, depth + 1).join("/"));
}

function code(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return code(error) === "EPERM";
  }
}
