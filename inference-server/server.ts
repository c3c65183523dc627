#!/usr/bin/env node
/**
 * The server as a program: options, listening, and an end that answers what is in flight.
 *
 *     server.js --package DIR --digest SHA256 --socket PATH [--port 8080] [--host 0.0.0.0]
 *               [--python FILE --runner DIR [--engine Auto]]
 *               [--log-folder DIR --log-mode Background [--log-sample 0.1] [--log-bytes 536870912]
 *                [--log-ship FILE [--log-segment-seconds 60]]]
 *
 * With --python it starts the worker itself, as a child without a sandbox; without, it waits for a worker that connects to
 * the socket, as the one in a container beside it does. --log-ship names the file with the leave to send the log to the store
 * (operator/api/prediction-log.ts, LogGrant); objects are named by the host's name, which is the pod's.
 */
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import closeWithGrace from "close-with-grace";
import { ModelRefusedError } from "./errors.ts";
import { LOG_MODES } from "./log/prediction-log.ts";
import { pythonLauncher } from "./python.ts";
import { type ServeOptions, serveModel } from "./serve.ts";

const DRAIN_MILLISECONDS = 30_000;

const { values: options } = parseArgs({
  options: {
    package: { type: "string" },
    digest: { type: "string" },
    socket: { type: "string" },
    port: { type: "string", default: "8080" },
    host: { type: "string", default: "0.0.0.0" },
    python: { type: "string" },
    runner: { type: "string" },
    engine: { type: "string", default: "Auto" },
    "log-folder": { type: "string" },
    "log-mode": { type: "string", default: "Background" },
    "log-sample": { type: "string", default: "0.1" },
    "log-bytes": { type: "string" },
    "log-ship": { type: "string" },
    "log-segment-seconds": { type: "string", default: "60" },
  },
});

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

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  throw new ModelRefusedError(`--${name} ${text}: expected a number from ${least} to ${most}`);
}

try {
  const directory = needed("package");
  const engine = options.engine === "DataFrame" || options.engine === "Compiled" ? options.engine : "Auto";
  const server = await serveModel({
    directory,
    digest: needed("digest"),
    socketPath: needed("socket"),
    ...(options.python === undefined
      ? {}
      : {
          launch: pythonLauncher({ python: options.python, runnerDir: needed("runner"), directory, engine }),
        }),
    logger: { level: "info" },
    ...(options["log-folder"] === undefined ? {} : { log: predictionLog(options["log-folder"]) }),
  });
  closeWithGrace({ delay: DRAIN_MILLISECONDS, logger: false }, async ({ err }) => {
    if (err) server.fastify.log.error({ err }, "ending after an error");
    await server.close();
  });
  await server.fastify.listen({ host: options.host, port: Number(options.port) });
} catch (error) {
  // One line for whoever looks at the container's log: kubelet keeps the last of them.
  process.stderr.write(`${JSON.stringify({ level: 60, msg: (error as Error).message })}\n`);
  process.exit(error instanceof ModelRefusedError ? 2 : 1);
}
