/** Starts the worker as a child process of this one: for tests and containers that hold both. It is no sandbox. */
import { spawn } from "node:child_process";
import type { WorkerLauncher } from "./runtime/worker-link.ts";

export type PythonOptions = {
  /** Interpreter of the model's environment. */
  readonly python: string;
  /** Directory that holds autoai_runner. */
  readonly runnerDir: string;
  /** Directory of the model package. */
  readonly directory: string;
  /** Where the server does not say. */
  readonly engine: "Auto" | "Compiled" | "DataFrame";
};

const SAID_BYTES = 4096;

/** Arguments of Python for the worker; -P, so that no file of the working directory stands in for a module of ours. */
export function workerArguments(options: Omit<PythonOptions, "python"> & { socketPath: string }): string[] {
  const start = `import sys; sys.path.append(${JSON.stringify(options.runnerDir)}); from autoai_runner.serve.worker import main; main()`;
  return [
    ...["-P", "-c", start, "--socket", options.socketPath],
    ...["--package", options.directory, "--engine", options.engine],
  ];
}

export function pythonLauncher(options: PythonOptions): WorkerLauncher {
  return childLauncher({
    command: options.python,
    args: (socketPath) => workerArguments({ ...options, socketPath }),
    variables: { PATH: "/usr/bin:/bin", LANG: "C.UTF-8", OMP_NUM_THREADS: "1", PYTHONDONTWRITEBYTECODE: "1" },
  });
}

/** A program that is told the socket's path, as a child of this process; what it says last is why it ended. */
export function childLauncher({
  command,
  args,
  variables,
}: {
  readonly command: string;
  readonly args: (socketPath: string) => string[];
  readonly variables: Readonly<Record<string, string>>;
}): WorkerLauncher {
  return (socketPath) => {
    const child = spawn(command, args(socketPath), { stdio: ["ignore", "ignore", "pipe"], env: variables });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-SAID_BYTES);
    });
    return {
      ended: new Promise((resolve) => {
        child.once("error", (error) => resolve(`the worker could not be started: ${error.message}`));
        child.once("close", (code, signal) => {
          const last = said.trim().split("\n").at(-1) ?? "";
          resolve(
            `the worker ended with ${signal ?? `exit code ${code}`}${last ? `: ${last.slice(0, 300)}` : ""}`,
          );
        });
      }),
      kill: () => void child.kill("SIGKILL"),
    };
  };
}
