import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ModelRefusedError } from "../../inference-server/errors.ts";
import { LOG_MODES } from "../../inference-server/log/prediction-log.ts";
import { onnxLauncher } from "../../inference-server/onnx/launch.ts";
import { MANIFEST_FILE, verifyPackage } from "../../inference-server/package/verify.ts";
import { workerArguments } from "../../inference-server/python.ts";
import { WANTED, type Wanted } from "../../inference-server/runtime/runtime.ts";
import type { WorkerLauncher } from "../../inference-server/runtime/worker-link.ts";
import { type ModelServer, serveModel } from "../../inference-server/serve.ts";
import { find, Journal } from "../agent/journal.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import { type Home, homePath, installation, openHome } from "../embedded/home.ts";
import { embeddedExecutor } from "../embedded/operator.ts";
import { journalPrefix } from "../evaluation/context.ts";
import type { Limits } from "../sandbox/executor.ts";
import { EXIT, UsageError } from "./exit.ts";
import { predictionLogFolder } from "./inferences.ts";
import { readyJob } from "./jobs.ts";
import { asksAnLlm } from "./run.ts";

export type ServeOptions = {
  port: string;
  host: string;
  runtime: string;
  log: string;
  home?: string;
  unsafeNoSandbox?: boolean;
};

const LIMITS: Omit<Limits, "seconds"> = {
  cpus: 1,
  memoryBytes: 4 * 1024 ** 3,
  diskBytes: 1024 ** 3,
  processes: 64,
};

/** `autoai serve`: the published model over HTTP, its worker in the sandbox, until it is interrupted. */
export async function serve(name: string, options: ServeOptions, env: NodeJS.ProcessEnv): Promise<number> {
  const port = Number(options.port);
  if (!/^\d+$/.test(options.port) || port > 65_535) {
    throw new UsageError(`--port ${options.port}: expected a number from 0 to 65535`);
  }
  const runtime = WANTED.find((one) => one === options.runtime);
  if (!runtime) throw new UsageError(`--runtime ${options.runtime}: expected one of ${WANTED.join(", ")}`);
  const mode = LOG_MODES.find((one) => one === options.log);
  if (!mode) throw new UsageError(`--log ${options.log}: expected one of ${LOG_MODES.join(", ")}`);
  const home = openHome(homePath(options.home, env));
  const job = await readyJob(home, name);
  const stop = interruption();
  // Mode 700, and within it a directory that the worker's user may pass.
  const private_ = mkdtempSync(join(tmpdir(), "autoai-serve-"));
  const shared = join(private_, "socket");
  mkdirSync(shared, { mode: 0o755 });
  try {
    const launch = await launcher(home, job, { options, env, shared, runtime, signal: stop.signal });
    const server = await serveModel({
      ...launch,
      runtime,
      socketPath: join(shared, "worker.sock"),
      logger: { level: "warn", stream: process.stderr },
      log: { folder: predictionLogFolder(home, job), mode },
    });
    return await untilStopped(server, { name, port, host: options.host }, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return EXIT.interrupted;
    if (error instanceof ModelRefusedError) throw new Error(`${name} is not served: ${error.message}`);
    throw error;
  } finally {
    stop.end();
    rmSync(private_, { recursive: true, force: true });
  }
}

type Launching = {
  readonly options: ServeOptions;
  readonly env: NodeJS.ProcessEnv;
  readonly shared: string;
  readonly runtime: Wanted;
  readonly signal: AbortSignal;
};

/** The package of the job, and a way to start its worker in the sandbox. */
export async function launcher(
  home: Home,
  job: TrainingJob,
  { options, env, shared, runtime, signal }: Launching,
): Promise<{ directory: string; digest: string; launch: WorkerLauncher }> {
  const journal = await Journal.load(home.store, journalPrefix(job), { now: Date.now }, 0);
  const published = find(journal.entries, "ModelPublished");
  if (!published) throw new Error(`the journal of ${job.metadata.name} names no published model`);
  const { prefix, digest } = published;
  const directory = dirname(await home.store.pathOf(`${prefix}/${MANIFEST_FILE}`));
  // Before an environment is installed for it: what it needs stands in there, too.
  const { manifest } = await verifyPackage(directory, digest);
  // No environment and no pickle: what it reads is model.onnx.
  if (runtime === "Onnx") return { directory, digest, launch: onnxLauncher(directory) };
  const allowUnsandboxed = options.unsafeNoSandbox === true || !(await asksAnLlm(home, job, env));
  const executor = embeddedExecutor(
    { home, installation: installation(env), allowUnsandboxed },
    () => undefined,
  );
  const paths = [MANIFEST_FILE, ...Object.keys(manifest.files)];
  const launch = await executor.resident(
    {
      environment: manifest.provenance.environment,
      inputs: Object.fromEntries(paths.map((path) => [path, `${prefix}/${path}`])),
      shared,
      command: (place) =>
        workerArguments({
          runnerDir: place.runner,
          directory: place.workspace,
          socketPath: `${place.shared}/worker.sock`,
          engine: runtime,
        }),
      limits: LIMITS,
    },
    signal,
  );
  return { directory, digest, launch };
}

async function untilStopped(
  server: ModelServer,
  { name, port, host }: { name: string; port: number; host: string },
  signal: AbortSignal,
): Promise<number> {
  const { runtime } = server;
  try {
    const address = await server.listen({ port, host });
    const { engine, refused } = runtime.status();
    const why = refused ? `; the compiled one does not: ${refused}` : "";
    process.stdout.write(`${name} is served at ${address} by the ${engine} engine${why}\n`);
    process.stdout.write(`Try it at ${address}/docs; Ctrl-C ends it.\n`);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return EXIT.ready;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") throw new UsageError(`port ${port} is in use: choose another with --port`);
    if (code === "EACCES")
      throw new UsageError(`port ${port} is not allowed to you: choose another with --port`);
    throw error;
  } finally {
    await server.close();
  }
}

/** A signal for SIGINT and SIGTERM. The second one ends the process as it would without. */
function interruption(): { signal: AbortSignal; end: () => void } {
  const abort = new AbortController();
  const signals = ["SIGINT", "SIGTERM"] as const;
  const onSignal = () => {
    end();
    abort.abort();
  };
  const end = () => {
    for (const name of signals) process.off(name, onSignal);
  };
  for (const name of signals) process.on(name, onSignal);
  return { signal: abort.signal, end };
}
