/** A MinIO of the test's own, on loopback and in a directory that goes with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { accessSync, constants, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { S3Store, type S3StoreOptions } from "../operator/storage/minio.ts";

export type Minio = {
  readonly options: S3StoreOptions;
  readonly store: S3Store;
  /** Stops it without letting go of its port or its files; `start` goes on with them. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
};

/**
 * Path of the program, or undefined where it is not installed: then what was not tested is said on stderr.
 * With CI=true that is an error.
 */
export function findMinio(): string | undefined {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "autoai-cluster");
  const built = directories(cache).filter((name) => name.startsWith("minio-") && !name.includes(".partial"));
  const places = [
    process.env.AUTOAI_MINIO,
    ...built.map((name) => join(cache, name, "minio")),
    ...(process.env.PATH ?? "").split(":").map((directory) => join(directory, "minio")),
  ];
  const found = places.find((path) => path !== undefined && isExecutable(path));
  if (found !== undefined) return found;
  const problem =
    "MinIO is missing, so nothing was tested against a real S3 store: build it with test/cluster/build minio, or name it in AUTOAI_MINIO";
  if (process.env.CI === "true") throw new Error(problem);
  console.warn(problem);
  return undefined;
}

/** @param mebibytes of a file system of its own, in memory; as large as that of temporary files where absent */
export async function startMinio(
  program: string,
  { mebibytes }: { readonly mebibytes?: number } = {},
): Promise<Minio> {
  const directory = mkdtempSync(join(tmpdir(), "minio-"));
  const port = await freePort();
  const options = {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: "autoai",
    region: "us-east-1",
    accessKey: `key${randomBytes(6).toString("hex")}`,
    secretKey: randomBytes(16).toString("hex"),
  };
  let running: ChildProcess | undefined;
  const start = async () => {
    const server = [
      ...[program, "server", "--quiet", "--address", `127.0.0.1:${port}`],
      ...["--console-address", "127.0.0.1:0", directory],
    ];
    const [command = "", ...parameters] =
      mebibytes === undefined ? server : onTmpfs(server, mebibytes, directory);
    running = spawn(command, parameters, {
      env: {
        HOME: directory,
        MINIO_ROOT_USER: options.accessKey,
        MINIO_ROOT_PASSWORD: options.secretKey,
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
      },
      stdio: "ignore",
    });
    const child = running;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`MinIO ended with ${child.exitCode} before it answered`);
      const ready = await fetch(`${options.endpoint}/minio/health/ready`).catch(() => undefined);
      if (ready?.ok) return;
      await sleep(50);
    }
  };
  const stop = async () => {
    const child = running;
    running = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  };
  await start();
  const store = new S3Store(options);
  await store.ensureBucket();
  return {
    options,
    store,
    start,
    stop,
    async close() {
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The command in a mount namespace of its own, where a directory is a file system in memory: gone with the process. */
function onTmpfs(command: readonly string[], mebibytes: number, directory: string): string[] {
  const isRoot = process.getuid?.() === 0;
  const mount = `mount -t tmpfs -o size=${mebibytes}m tmpfs '${directory}' && exec "$@"`;
  return ["unshare", "--mount", ...(isRoot ? [] : ["--map-root-user"]), "sh", "-c", mount, "sh", ...command];
}

/** A port that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null
          ? resolve(address.port)
          : reject(new Error("no port was given")),
      );
    });
  });
}

function directories(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
