/** `autoai console`: the home in a browser, until it is interrupted. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEmbeddedConsole } from "../../console/server/embedded/start.ts";
import { homePath, installation } from "../embedded/home.ts";
import { EXIT, UsageError } from "./exit.ts";

export type ConsoleOptions = { port: string; home?: string; unsafeNoSandbox?: boolean };

export async function openConsole(options: ConsoleOptions, env: NodeJS.ProcessEnv): Promise<number> {
  const port = Number(options.port);
  if (!/^\d+$/.test(options.port) || port > 65_535) {
    throw new UsageError(`--port ${options.port}: expected a number from 0 to 65535`);
  }
  const install = installation(env);
  const pages = builtPages(install.root);
  try {
    const running = await startEmbeddedConsole({
      homePath: homePath(options.home, env),
      installation: install,
      env,
      port,
      pages,
      unsafeNoSandbox: options.unsafeNoSandbox === true,
      onAddress: (url) => process.stdout.write(`Open ${url} (good once; Ctrl-C ends the console)\n`),
      onFault: (what, error) =>
        process.stderr.write(`${what}: ${error instanceof Error ? error.message : String(error)}\n`),
    });
    await interrupted();
    await running.close();
    return EXIT.ready;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
      throw new UsageError(`port ${port} is in use: choose another with --port`);
    }
    throw error;
  }
}

/** The folder of the built pages; in a clone they are built when they are missing or older than their sources. */
export function builtPages(root: string): string {
  const pages = join(root, "console", "web", "dist");
  const stamp = join(pages, "sources.sha256");
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  if (!existsSync(vite)) {
    if (existsSync(join(pages, "index.html"))) return pages;
    throw new Error(`the console's pages are missing at ${pages}: install AutoAI again`);
  }
  const sources = digestOf(join(root, "console", "web"), [join(root, "package-lock.json")]);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === sources) return pages;
  process.stderr.write("building the console's pages, once\n");
  const built = spawnSync(
    process.execPath,
    [vite, "build", "--logLevel", "error", join(root, "console", "web")],
    {
      cwd: root,
      // What is shipped, whatever this process was started for.
      env: { ...process.env, NODE_ENV: "production" },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  if (built.status !== 0)
    throw new Error("the console's pages could not be built: npm run build:console shows why");
  writeFileSync(stamp, sources);
  return pages;
}

function digestOf(folder: string, more: readonly string[]): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(folder, "dist")))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = createHash("sha256");
  for (const file of [...files, ...more]) hash.update(file.slice(folder.length)).update(readFileSync(file));
  return hash.digest("hex");
}

/** Resolves at SIGINT or SIGTERM; the second one ends the process as it would without. */
function interrupted(): Promise<void> {
  const signals = ["SIGINT", "SIGTERM"] as const;
  return new Promise((resolve) => {
    const end = (): void => {
      for (const name of signals) process.off(name, end);
      resolve();
    };
    for (const name of signals) process.on(name, end);
  });
}
