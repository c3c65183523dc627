/** A server of a model for tests, with its worker as a plain child process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onnxLauncher } from "../../inference-server/onnx/launch.ts";
import { pythonLauncher } from "../../inference-server/python.ts";
import type { WorkerLauncher, WorkerProcess } from "../../inference-server/runtime/worker-link.ts";
import { type ModelServer, type ServeOptions, serveModel } from "../../inference-server/serve.ts";
import { PYTHON, RUNNER } from "./model-package.ts";

// biome-ignore lint/suspicious/noExplicitAny: replies as they stand
type Body = any;

export type TestServer = AsyncDisposable &
  ModelServer & {
    post(
      url: string,
      payload: unknown,
    ): Promise<{ status: number; body: Body; headers: Record<string, unknown> }>;
    get(url: string): Promise<{ status: number; body: Body }>;
    /** The worker processes that were started, oldest first. */
    readonly workers: readonly WorkerProcess[];
  };

export type TestOptions = Partial<Omit<ServeOptions, "directory">> & {
  engine?: "Auto" | "Compiled" | "DataFrame";
};

export async function modelServer(directory: string, options: TestOptions = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "model-server-"));
  const workers: WorkerProcess[] = [];
  const launchPython = pythonLauncher({
    python: PYTHON,
    runnerDir: RUNNER,
    directory,
    engine: options.engine ?? "Auto",
  });
  const launchWorker =
    options.launch ?? (options.runtime === "Onnx" ? onnxLauncher(directory) : launchPython);
  const launch: WorkerLauncher = (path) => {
    const worker = launchWorker(path);
    workers.push(worker);
    return worker;
  };
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const server = await serveModel({
      logger: false,
      ...options,
      directory,
      socketPath: join(folder, "worker.sock"),
      launch,
    });
    const { fastify } = server;
    return {
      ...server,
      workers,
      post: async (url, payload) => {
        const reply = await fastify.inject({ method: "POST", url, payload: payload as object });
        return { status: reply.statusCode, body: reply.json(), headers: reply.headers };
      },
      get: async (url) => {
        const reply = await fastify.inject(url);
        return { status: reply.statusCode, body: reply.json() };
      },
      [Symbol.asyncDispose]: async () => {
        await server.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
