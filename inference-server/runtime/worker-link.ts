/**
 * The way to the worker: a Unix socket on which the server listens and one worker at a time answers frames.
 *
 * The worker holds generated code. What it sends is bounded and checked, and nothing that it says is trusted but as a
 * prediction.
 */
import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { type Frame, FrameReader } from "./frames.ts";

/** Starts a worker that connects to the socket. Absent where somebody else does, as kubelet does. */
export type WorkerLauncher = (socketPath: string) => WorkerProcess;

export type WorkerProcess = {
  /** Resolves, never rejects, when it is gone: why, for a person. */
  readonly ended: Promise<string>;
  kill(): void;
};

const SMALL_FRAME_BYTES = 64 * 1024;

/** One connection: frames out, and for each the one that answers it, in turn. */
export class WorkerConnection {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #closed: Promise<string>;
  #waiting: { resolve: (frame: Frame) => void; reject: (error: Error) => void } | undefined;
  #limit = SMALL_FRAME_BYTES;
  #fault = "the connection to the worker ended";

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new FrameReader(() => this.#limit);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => undefined);
    this.#closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#waiting?.reject(new Error(this.#fault));
        this.#waiting = undefined;
        resolve(this.#fault);
      });
    });
  }

  /** Resolves when it is gone. */
  get closed(): Promise<string> {
    return this.#closed;
  }

  send(frame: Buffer): void {
    this.#socket.write(frame);
  }

  /** The next frame, of at most so many bytes. Rejects where the connection ends before. One may be awaited at a time. */
  receive(limit = SMALL_FRAME_BYTES): Promise<Frame> {
    this.#limit = limit;
    if (this.#socket.destroyed) return Promise.reject(new Error(this.#fault));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  destroy(why?: string): void {
    if (why !== undefined) this.#fault = why;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        const waiting = this.#waiting;
        if (!waiting) throw new Error("the worker spoke without being asked");
        this.#waiting = undefined;
        waiting.resolve(frame);
      }
    } catch (error) {
      this.destroy((error as Error).message);
    }
  }
}

/** Listens on the socket; a worker may connect whoever its user is, since the directory keeps all others out. */
export async function listen(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  await rm(path, { force: true });
  const server = createServer(onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o666);
  return server;
}
