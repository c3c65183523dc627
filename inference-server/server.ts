#!/usr/bin/env node
/**
 * The server as a program: options, listening, and an end that answers what is in flight.
 *
 *     server.js --package DIR --digest SHA256 --socket PATH [--port 8080] [--host 0.0.0.0]
 *               [--runtime Auto|Compiled|Onnx|DataFrame] [--python FILE --runner DIR | --onnx-worker]
 *               [--max-body-bytes N] [--max-rows N] [--timeout-seconds N]
 *               [--log-folder DIR --log-mode Background [--log-sample 0.1] [--log-bytes 536870912]
 *                [--log-ship FILE [--log-segment-seconds 60]]]
 *
 * With --python it starts the worker itself, as a child without a sandbox, with --onnx-worker the one of --runtime Onnx;
 * without, it waits for a worker that connects to the socket, as the one in a container beside it does. --log-ship names the
 * file with the leave to send the log to the store (operator/api/prediction-log.ts, LogGrant); objects are named by the
 * host's name, which is the pod's.
 */
import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import closeWithGrace from "close-with-grace";
import { ModelRefusedError } from "./errors.ts";
import { LOG_MODES } from "./log/prediction-log.ts";
import { onnxLauncher } from "./onnx/launch.ts";
import { pythonLauncher } from "./python.ts";
import { WANTED, type Wanted } from "./runtime/runtime.ts";
import type { WorkerLauncher } from "./runtime/worker-link.ts";
import { DEFAULT_LIMITS, type ServeLimits, type ServeOptions, serveModel } from "./serve.ts";

/** For all of the end: requests that still come (15 s), requests in flight (15 s), what is left of the log (75 s). */
const END_MILLISECONDS = 110_000;
/** Where Kubernetes looks for why a container ended. */
const TERMINATION_LOG = "/dev/termination-log";

const OPTIONS = {
  package: { type: "string" },
  digest: { type: "string" },
  socket: { type: "string" },
  port: { type: "string", default: "8080" },
  host: { type: "string", default: "0.0.0.0" },
  python: { type: "string" },
  runner: { type: "string" },
  runtime: { type: "string" },
  "onnx-worker": { type: "boolean", default: false },
  "max-body-bytes": { type: "string" },
  "max-rows": { type: "string" },
  "timeout-seconds": { type: "string" },
  "log-folder": { type: "string" },
  "log-mode": { type: "string", default: "Background" },
  "log-sample": { type: "string", default: "0.1" },
  "log-bytes": { type: "string" },
  "log-ship": { type: "string" },
  "log-segment-seconds": { type: "string", default: "60" },
} as const;

const options = readOptions();

function readOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    // What the program was called with is as wrong as a value out of bounds: the same end, and not a stack.
    return end(new ModelRefusedError((error as Error).message));
  }
}

function needed(name: "package" | "digest" | "socket" | "runner"): string {
  const value = options[name];
  if (value === undefined) throw new ModelRefusedError(`--${name} is missing`);
  return value;
}

function predictionLog(folder: string): NonNullable<ServeOptions["log"]> {
  const mode = LOG_MODES.find((one) => one === options["log-mode"]);
  if (!mode)
    throw new ModelRefusedError(`--log-mode ${options["log-mode"]}: expected one of ${LOG_MODES.join(", ")}`);
  const sample = numberOf("log-sample", options["log-sample"], 0, 1);
  const { "log-bytes": bytes, "log-ship": grantFile } = options;
  const segmentSeconds = numberOf("log-segment-seconds", options["log-segment-seconds"], 1, 86_400);
  return {
    folder,
    mode,
    sample,
    ...(bytes === undefined
      ? {}
      : { limits: { totalBytes: numberOf("log-bytes", bytes, 2 ** 20, 2 ** 40) } }),
    ...(grantFile === undefined ? {} : { ship: { grantFile, server: hostname(), segmentSeconds } }),
  };
}

function limits(): Partial<ServeLimits> {
  const { "max-body-bytes": body, "max-rows": rows, "timeout-seconds": seconds } = options;
  const requestRows = rows === undefined ? undefined : numberOf("max-rows", rows, 1, 1e6);
  const patience = seconds === undefined ? undefined : numberOf("timeout-seconds", seconds, 1, 3600) * 1000;
  return {
    ...(body === undefined ? {} : { bodyBytes: numberOf("max-body-bytes", body, 1, 2 ** 30) }),
    ...(requestRows === undefined
      ? {}
      : { requestRows, waitingRows: Math.max(DEFAULT_LIMITS.waitingRows, 2 * requestRows) }),
    ...(patience === undefined ? {} : { waitMilliseconds: patience, batchMilliseconds: patience }),
  };
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  throw new ModelRefusedError(`--${name} ${text}: expected a number from ${least} to ${most}`);
}

/** How the worker is started, where this program does it. */
function launcher(directory: string): WorkerLauncher | undefined {
  if (options["onnx-worker"]) return onnxLauncher(directory);
  if (options.python === undefined) return undefined;
  return pythonLauncher({ python: options.python, runnerDir: needed("runner"), directory, engine: "Auto" });
}

function wantedRuntime(): Wanted | undefined {
  if (options.runtime === undefined) return undefined;
  const wanted = WANTED.find((one) => one === options.runtime);
  if (wanted) return wanted;
  throw new ModelRefusedError(`--runtime ${options.runtime}: expected one of ${WANTED.join(", ")}`);
}

try {
  const directory = needed("package");
  const runtime = wantedRuntime();
  const launch = launcher(directory);
  const server = await serveModel({
    directory,
    digest: needed("digest"),
    socketPath: needed("socket"),
    ...(runtime === undefined ? {} : { runtime }),
    ...(launch === undefined ? {} : { launch }),
    limits: limits(),
    logger: { level: "info" },
    ...(options["log-folder"] === undefined ? {} : { log: predictionLog(options["log-folder"]) }),
  });
  closeWithGrace({ delay: END_MILLISECONDS, logger: false }, async ({ err }) => {
    if (err) server.fastify.log.error({ err }, "ending after an error");
    else await server.drain();
    await server.close().catch((error) => {
      server.fastify.log.error({ err: error }, "the end was not as it should be");
      throw error;
    });
  });
  await server.listen({ host: options.host, port: Number(options.port) });
} catch (error) {
  end(error);
}

function end(error: unknown): never {
  const { message } = error as Error;
  const isRefused = error instanceof ModelRefusedError;
  process.stderr.write(`${JSON.stringify({ level: 60, msg: message })}\n`);
  leave(isRefused ? "ModelRefused" : "ServerFailed", message);
  process.exit(isRefused ? 2 : 1);
}

/** Leaves why it ended where the operator finds it, in a container; elsewhere there is no such file, and none is made. */
function leave(reason: string, message: string): void {
  try {
    writeFileSync(TERMINATION_LOG, JSON.stringify({ reason, message: message.slice(0, 2000) }), {
      flag: "r+",
    });
  } catch {
    // The log has it too.
  }
}
