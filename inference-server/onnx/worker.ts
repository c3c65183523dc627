#!/usr/bin/env node
/**
 * A worker that serves a package's model.onnx, over the same socket and with the same frames as the Python one.
 *
 *     worker.js --socket PATH [--package DIR] [--threads N]
 *
 * It is a process of its own because onnxruntime-node blocks while it predicts, and because the graph was made by
 * generated code: one that never ends must not hold the front, and can be ended with its process. It reads no pickle.
 */
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { encodeFrame, type Frame, FrameReader } from "../runtime/frames.ts";
import { type OnnxEngine, onnxEngine, type WireRows } from "./engine.ts";

const MODEL_FILE = "model.onnx";
const CONNECT_MILLISECONDS = 30_000;
const FRAME_BYTES = 256 * 1024 ** 2;
const MESSAGE_CHARACTERS = 500;

const Load = z.object({
  columns: z.array(z.object({ name: z.string(), kind: z.string() })),
  classes: z.array(z.string()),
});
const Rows = z.object({ rows: z.int().min(0), texts: z.array(z.array(z.string().nullable())) });

const { values: options } = parseArgs({
  options: {
    socket: { type: "string" },
    package: { type: "string", default: "." },
    threads: { type: "string" },
  },
});

/** The server may come up after the worker: waits for it a while. */
async function connected(path: string): Promise<Socket> {
  const end = performance.now() + CONNECT_MILLISECONDS;
  for (;;) {
    try {
      return await new Promise((resolve, reject) => {
        const socket = connect(path);
        socket.once("connect", () => resolve(socket)).once("error", reject);
      });
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(50);
    }
  }
}

/** Frames as they come, one at a time: the server asks the next when it has the answer. */
async function* received(socket: Socket): AsyncGenerator<Frame> {
  const reader = new FrameReader(() => FRAME_BYTES);
  for await (const chunk of socket) yield* reader.push(chunk as Buffer);
}

function rowsOf({ json, numbers }: Frame): WireRows {
  const { rows, texts } = Rows.parse(json);
  return { count: rows, numbers, texts };
}

const describe = (error: unknown): string =>
  (error as Error).message.replaceAll("\n", " ").slice(0, MESSAGE_CHARACTERS);

/** Loads, tells, answers. Returns when the server has gone. */
async function serve(socket: Socket, threads: number): Promise<void> {
  let engine: OnnxEngine | undefined;
  let schema: z.infer<typeof Load> | undefined;
  for await (const frame of received(socket)) {
    if (schema === undefined) {
      schema = Load.parse(frame.json);
    } else if (engine === undefined) {
      // The reference rows: the server asks for them once more, and looks at the answer itself.
      try {
        const model = await readFile(MODEL_FILE);
        engine = await onnxEngine(model, schema.columns, schema.classes, threads);
      } catch (error) {
        socket.write(encodeFrame({ kind: "failed", message: describe(error) }));
        continue;
      }
      socket.write(encodeFrame({ kind: "ready", engine: "Onnx", refused: null }));
    } else {
      const answer = await engine.predict(rowsOf(frame)).then(
        ({ numbers, probabilities }) => encodeFrame({ kind: "predictions", probabilities }, numbers),
        (error: unknown) => encodeFrame({ kind: "error", message: describe(error) }),
      );
      socket.write(answer);
    }
  }
}

if (options.socket === undefined) throw new Error("--socket is missing");
const threads = options.threads === undefined ? availableParallelism() : Number(options.threads);
const socket = await connected(options.socket);
// What a graph keeps in files beside it, the runtime looks for below the working directory, and nowhere else.
process.chdir(options.package);
socket.on("error", () => undefined);
await serve(socket, Math.max(1, Math.floor(threads)));
