/** The embedded home: one folder with the resources, artifacts and environments of the runs on this machine. */
import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MemoryCluster } from "../cluster/memory.ts";
import { FileStore } from "../storage/file-store.ts";

export type Home = {
  readonly path: string;
  readonly cluster: MemoryCluster;
  readonly store: FileStore;
};

/** `--home`, or AUTOAI_HOME, or ~/.autoai. */
export function homePath(option: string | undefined, env: NodeJS.ProcessEnv): string {
  return resolve(option ?? env.AUTOAI_HOME ?? join(homedir(), ".autoai"));
}

/** Opens the home, making it where there is none; readable by its owner alone. */
export function openHome(path: string): Home {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return {
    path,
    cluster: new MemoryCluster({ folder: join(path, "objects") }),
    store: new FileStore(join(path, "store")),
  };
}

/** The files of this installation, whether it runs from its sources or from dist. */
export type Installation = {
  readonly root: string;
  readonly runner: string;
  readonly python: string;
  readonly uv: string;
  readonly version: string;
  readonly baselines: { readonly prior: string; readonly boosting: string };
};

/** Throws where `make setup` has not been run. */
export function installation(env: NodeJS.ProcessEnv): Installation {
  const root = packageRoot(dirname(fileURLToPath(import.meta.url)));
  const runner = join(root, "runner");
  const bin = env.AUTOAI_PYTHON ? dirname(env.AUTOAI_PYTHON) : join(root, ".venv", "bin");
  const recipe = (name: string) => readFileSync(join(runner, "autoai_runner", "recipes", name), "utf8");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return {
    root,
    runner,
    python: join(bin, "python"),
    uv: join(bin, "uv"),
    version,
    baselines: { prior: recipe("prior.py"), boosting: recipe("boosting.py") },
  };
}

function packageRoot(folder: string): string {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    try {
      readFileSync(join(at, "runner", "pyproject.toml"));
      return at;
    } catch {
      // Not here: one further up.
    }
  }
  throw new Error("the runner's files are missing beside the program: install AutoAI again");
}
