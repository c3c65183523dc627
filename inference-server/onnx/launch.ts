/** Starts the ONNX worker as a child process: with the memory of a process, no variable of the front, and no pickle. */
import { join } from "node:path";
import { childLauncher } from "../python.ts";
import type { WorkerLauncher } from "../runtime/worker-link.ts";

/** @param directory of the model package */
export function onnxLauncher(directory: string): WorkerLauncher {
  // Beside this file, whether that runs as it is written or as it was built.
  const worker = join(import.meta.dirname, import.meta.filename.endsWith(".ts") ? "worker.ts" : "worker.js");
  return childLauncher({
    command: process.execPath,
    args: (socketPath) => [worker, "--socket", socketPath, "--package", directory],
    variables: { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" },
  });
}
