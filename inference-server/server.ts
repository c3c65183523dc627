#!/usr/bin/env node
/**
 * The server as a program: options, listening, and an end that answers what is in flight.
 *
 *     server.js --package DIR --digest SHA256 --socket PATH [--port 8080] [--host 0.0.0.0]
 *               [--python FILE --runner DIR [--engine Auto]] [--log-folder DIR --log-mode Background [--log-sample 0.1]]
 *
 * With --python it starts the worker itself, as a child without a sandbox; without, it waits for a worker that connects to
 * the socket, as the one in a container beside it does.
 */
import { parseArgs } from "node:util";
import closeWithGrace from "close-with-grace";
import { ModelRefusedError } from "./errors.ts";
import { LOG_MODES, type LogMode } from "./log/prediction-log.ts";
import { pythonLauncher } from "./python.ts";
import { serveModel } from "./serve.ts";

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
  },
});

function needed(name: "package" | "digest" | "socket" | "runner"): string {
  const value = options[name];
  if (value === undefined) throw new ModelRefusedError(`--${name} is missing`);
  return value;
}

function predictionLog(folder: string): { folder: string; mode: LogMode; sample: number } {
  const mode = LOG_MODES.find((one) => one === options["log-mode"]);
  if (!mode)
    throw new ModelRefusedError(`--log-mode ${options["log-mode"]}: expected one of ${LOG_MODES.join(", ")}`);
  return { folder, mode, sample: Number(options["log-sample"]) };
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
