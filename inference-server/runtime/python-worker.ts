/**
 * ModelRuntime over a Python worker: batches while it is busy, one batch in flight, and starts it again when it dies.
 *
 * A worker that is idle gets what waits at once; while it works, requests queue, and what queued is the next batch, which is sent
 * before the last one is answered. Only where batches are few rows that take milliseconds together as they would alone, the last one is
 * answered first, and those who asked are given a moment to ask again: else two halves of them take turns, each waiting for the other
 * (docs/serving.md has the figures).
 */
import type { Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ModelFailedError, ModelRefusedError, TimedOutError, WorkerUnavailableError } from "../errors.ts";
import { difference, type Reference, TOLERANCES } from "../package/reference.ts";
import { type ModelSchema, wireSchema } from "../schema/columns.ts";
import { BatchQueue, type QueueLimits, type Waiting } from "./batch-queue.ts";
import { encodeFrame, encodeRows, type Frame } from "./frames.ts";
import {
  type Engine,
  engineFits,
  type ModelRuntime,
  type Prediction,
  type RowBatch,
  type RuntimeStatus,
  type Wanted,
} from "./runtime.ts";
import { listen, WorkerConnection, type WorkerLauncher, type WorkerProcess } from "./worker-link.ts";

/** Starts that may fail before the first that succeeds. */
const FIRST_STARTS = 3;
/** Rows of a batch up to which it costs about as much as a single one: what takes long is the pipeline's steps. */
const GATHERED_ROWS = 32;
/** A batch that is over sooner is not waited for: timers are no finer than a millisecond. */
const GATHERED_LEAST_MILLISECONDS = 3;
/** Part of a batch's time that those whom it answered are waited for, and milliseconds at most. */
const GATHERING_SHARE = 0.25;
const GATHERING_MILLISECONDS = 10;
const FRAME_SLACK_BYTES = 64 * 1024;

const Greeting = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("ready"),
    engine: z.enum(["Compiled", "DataFrame", "Onnx"]),
    refused: z.string().nullable(),
  }),
  z.object({ kind: z.literal("failed"), message: z.string() }),
]);
const Answer = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("predictions"), probabilities: z.boolean() }),
  z.object({ kind: z.literal("error"), message: z.string() }),
]);

/** Told of what happens, for metrics and logs. */
export type RuntimeObserver = {
  batch(rows: number, requests: number, seconds: number): void;
  waiting(rows: number): void;
  workerReady(engine: Engine, refused: string | undefined): void;
  workerEnded(why: string): void;
};

export type PythonWorkerOptions = {
  readonly schema: ModelSchema;
  readonly reference: Reference;
  /** Which engine may serve; absent: the one that the worker was started for. */
  readonly wanted?: Wanted | undefined;
  /** Path of the Unix socket that the worker connects to; its directory lets nobody else in. */
  readonly socketPath: string;
  /** Absent where somebody else starts the worker. */
  readonly launch?: WorkerLauncher;
  readonly limits: QueueLimits & {
    /** Milliseconds for one batch; then the worker is taken for hung, and started again. */
    readonly batchMilliseconds: number;
    /** Milliseconds until a worker that was started is ready. */
    readonly loadMilliseconds: number;
  };
  readonly observer: RuntimeObserver;
  readonly clock: { now(): number };
  /** Milliseconds to wait before the nth start in a row is tried. */
  readonly backoff?: (attempt: number) => number;
};

export class PythonWorker implements ModelRuntime {
  readonly #options: PythonWorkerOptions;
  readonly #queue: BatchQueue;
  #server: Server | undefined;
  #process: WorkerProcess | undefined;
  #connection: WorkerConnection | undefined;
  #ready = false;
  /** Whether a batch is in flight. */
  #working = false;
  #wake: () => void = nothing;
  #idle: (() => void) | undefined;
  #loading: NodeJS.Timeout | undefined;
  #engine: Engine | undefined;
  #refused: string | undefined;
  #lastFailure: string | undefined;
  #restarts = 0;
  #failures = 0;
  /** Runs while a worker that served is replaced for the first time: what is asked meanwhile waits for the next one. */
  #replacing: NodeJS.Timeout | undefined;
  #closing = false;
  #closed: Promise<void> | undefined;
  #started: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(options: PythonWorkerOptions) {
    this.#options = options;
    this.#queue = new BatchQueue(options.limits, options.clock.now);
  }

  async start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.#started = { resolve, reject };
    });
    this.#server = await listen(this.#options.socketPath, (socket) => {
      if (this.#connection || this.#closing) socket.destroy();
      else void this.#greet(new WorkerConnection(socket));
    });
    this.#launch();
    await started;
  }

  async predict(rows: RowBatch): Promise<Prediction> {
    if (this.#closing) throw new WorkerUnavailableError("the server is being stopped");
    if (!this.#ready && !this.#replacing)
      throw new WorkerUnavailableError(this.#lastFailure ?? "its worker is starting");
    const predicted = this.#queue.add(rows);
    this.#options.observer.waiting(this.#queue.rows);
    this.#wake();
    return predicted;
  }

  status(): RuntimeStatus {
    return {
      ready: this.#ready && !this.#closing,
      ...(this.#engine ? { engine: this.#engine } : {}),
      ...(this.#refused ? { refused: this.#refused } : {}),
      ...(this.#lastFailure ? { lastFailure: this.#lastFailure } : {}),
      restarts: this.#restarts,
    };
  }

  close(patienceMilliseconds = Number.POSITIVE_INFINITY): Promise<void> {
    this.#closed ??= this.#close(patienceMilliseconds);
    return this.#closed;
  }

  async #close(patienceMilliseconds: number): Promise<void> {
    // What waits is answered: nothing new gets in.
    this.#closing = true;
    if (!this.#ready) this.#stopWaiting("the server is being stopped");
    if (this.#ready && (this.#working || this.#queue.rows > 0)) {
      const patience = Number.isFinite(patienceMilliseconds)
        ? setTimeout(() => this.#idle?.(), patienceMilliseconds)
        : undefined;
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      clearTimeout(patience);
    }
    this.#started?.reject(new Error("the server was stopped before its model was ready"));
    this.#connection?.destroy("the server is being stopped");
    this.#process?.kill();
    await this.#process?.ended;
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }

  /** Starts a worker and, when it has ended, the next one. */
  #launch(): void {
    const { launch, socketPath, observer } = this.#options;
    if (!launch || this.#closing) return;
    const worker = launch(socketPath);
    this.#process = worker;
    const timer = setTimeout(() => {
      this.#fail(`the worker was not ready within ${this.#options.limits.loadMilliseconds} ms`);
      worker.kill();
    }, this.#options.limits.loadMilliseconds);
    this.#loading = timer;
    void worker.ended.then(async (why) => {
      clearTimeout(timer);
      if (this.#process === worker) this.#process = undefined;
      this.#connection?.destroy(why);
      if (this.#closing) return;
      this.#fail(why);
      // One that was to replace another is no better: nobody is to wait for a third.
      if (this.#failures > 0) this.#stopWaiting(why);
      observer.workerEnded(why);
      if (this.#failures >= FIRST_STARTS - 1) {
        // Of no effect once it has started: from then on it is tried again for ever.
        this.#started?.reject(new ModelRefusedError(`the worker ended before the model was ready: ${why}`));
      }
      await sleep((this.#options.backoff ?? backoff)(this.#failures++), undefined, { ref: false });
      if (this.#closing) return;
      this.#restarts++;
      this.#launch();
    });
  }

  /** What was in flight fails with its connection; what waits goes on waiting where a worker that served has ended. */
  #fail(why: string): void {
    const served = this.#ready;
    this.#ready = false;
    this.#lastFailure = why;
    if (this.#closing) this.#stopWaiting(why);
    else if (served) {
      const { waitMilliseconds } = this.#options.limits;
      this.#replacing = setTimeout(() => this.#stopWaiting(why), waitMilliseconds);
    } else if (!this.#replacing) this.#stopWaiting(why);
  }

  /** Nobody waits for a worker any longer, until one is ready. */
  #stopWaiting(why: string): void {
    clearTimeout(this.#replacing);
    this.#replacing = undefined;
    this.#queue.rejectAll(new WorkerUnavailableError(why));
  }

  /** A worker has connected: tells it the schema, waits until it has loaded, and puts it to the test. */
  async #greet(connection: WorkerConnection): Promise<void> {
    const { schema, reference, observer, limits, wanted } = this.#options;
    this.#connection = connection;
    // Whoever started it: one that hangs while it loads is given up.
    const loading = setTimeout(
      () => connection.destroy(`the worker was not ready within ${limits.loadMilliseconds} ms`),
      limits.loadMilliseconds,
    );
    void connection.closed.then(() => clearTimeout(loading));
    void connection.closed.then((why) => {
      if (this.#connection === connection) this.#connection = undefined;
      if (this.#ready) this.#fail(why);
      // Of one that was launched, its process tells.
      if (!this.#options.launch && !this.#closing) observer.workerEnded(why);
      this.#wake();
      // A launched one that no longer talks is of no use; its end starts the next.
      this.#process?.kill();
    });
    try {
      connection.send(encodeFrame({ ...wireSchema(schema), ...(wanted ? { engine: wanted } : {}) }));
      connection.send(encodeRows("reference", [reference.rows]));
      const greeting = Greeting.parse((await connection.receive()).json);
      if (greeting.kind === "failed")
        throw new ModelRefusedError(`the model cannot be loaded: ${greeting.message}`);
      if (!engineFits(wanted ?? "Auto", greeting.engine)) {
        throw new ModelRefusedError(
          `the runtime ${wanted ?? "Auto"} was asked for, and the worker that came has the ${greeting.engine} engine`,
        );
      }
      connection.send(encodeRows("predict", [reference.rows]));
      const answer = await connection.receive(this.#frameLimit(reference.rows.count));
      const differs = difference(
        this.#read(answer, reference.rows.count),
        reference.expected,
        TOLERANCES[greeting.engine],
      );
      if (differs !== undefined) {
        throw new ModelRefusedError(`this is not the model that was published: ${differs}`);
      }
      this.#engine = greeting.engine;
      this.#refused = greeting.refused ?? undefined;
    } catch (error) {
      const refused = error instanceof ModelRefusedError || error instanceof ModelFailedError;
      this.#fail((error as Error).message);
      this.#stopWaiting((error as Error).message);
      connection.destroy((error as Error).message);
      // Once is enough: it is the same model next time. A worker that merely died is tried again.
      if (refused) this.#started?.reject(new ModelRefusedError((error as Error).message));
      return;
    }
    clearTimeout(this.#loading);
    clearTimeout(loading);
    this.#ready = true;
    clearTimeout(this.#replacing);
    this.#replacing = undefined;
    this.#failures = 0;
    observer.workerReady(this.#engine, this.#refused);
    this.#started?.resolve();
    await this.#work(connection);
  }

  /** Asks the worker batch after batch until the connection ends; the next is sent before the last is answered. */
  async #work(connection: WorkerConnection): Promise<void> {
    let answerLast = nothing;
    while (this.#ready && this.#connection === connection) {
      const batch = this.#queue.take();
      this.#options.observer.waiting(this.#queue.rows);
      if (batch.length === 0) {
        answerLast();
        answerLast = nothing;
        this.#working = false;
        this.#idle?.();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#working = true;
      const start = this.#options.clock.now();
      const answer = this.#ask(connection, batch);
      answerLast();
      answerLast = await answer;
      const milliseconds = this.#options.clock.now() - start;
      const rows = batch.reduce((sum, one) => sum + one.rows.count, this.#queue.rows);
      if (milliseconds < GATHERED_LEAST_MILLISECONDS || rows > GATHERED_ROWS) continue;
      answerLast();
      answerLast = nothing;
      await this.#gather(this.#queue.requests + batch.length, milliseconds);
    }
    answerLast();
    this.#working = false;
    this.#idle?.();
  }

  /** Until so many requests wait, or those that do have waited for a small part of what a batch takes. */
  async #gather(requests: number, batchMilliseconds: number): Promise<void> {
    const most = Math.min(GATHERING_MILLISECONDS, batchMilliseconds * GATHERING_SHARE);
    await new Promise<void>((resolve) => {
      // Requests that have arrived by then are read after the timers were looked at.
      const timer = setTimeout(() => setImmediate(resolve), most);
      this.#wake = () => {
        if (this.#ready && !this.#closing && this.#queue.requests < requests) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Sends a batch; what is returned settles its requests. Never rejects. */
  async #ask(connection: WorkerConnection, batch: readonly Waiting[]): Promise<() => void> {
    const { limits, observer, clock, schema } = this.#options;
    const rows = batch.reduce((sum, one) => sum + one.rows.count, 0);
    const start = clock.now();
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      connection.destroy(`the model did not answer within ${limits.batchMilliseconds} ms`);
    }, limits.batchMilliseconds);
    try {
      const requests = batch.map((one) => one.rows);
      connection.send(encodeRows("predict", requests));
      const prediction = this.#read(await connection.receive(this.#frameLimit(rows)), rows);
      const seconds = (clock.now() - start) / 1000;
      this.#queue.took(rows, seconds);
      observer.batch(rows, batch.length, seconds);
      return () => share(batch, prediction, schema.classes.length);
    } catch (error) {
      if (error instanceof ModelFailedError) {
        if (batch.length === 1) return () => batch[0]?.reject(error);
        // One request's rows must not fail those of others: each is asked alone.
        const answers: (() => void)[] = [];
        for (const one of batch) answers.push(await this.#ask(connection, [one]));
        return () => {
          for (const answer of answers) answer();
        };
      }
      const why = (error as Error).message;
      connection.destroy(why);
      const failure = hung ? new TimedOutError(limits.batchMilliseconds) : new WorkerUnavailableError(why);
      return () => {
        for (const { reject } of batch) reject(failure);
      };
    } finally {
      clearTimeout(timer);
    }
  }

  #frameLimit(rows: number): number {
    return FRAME_SLACK_BYTES + rows * 8 * (1 + this.#options.schema.classes.length);
  }

  /** @throws ModelFailedError where the model raised; Error where the worker broke the protocol */
  #read({ json, numbers }: Frame, rows: number): Prediction {
    const answer = Answer.parse(json);
    if (answer.kind === "error") throw new ModelFailedError(answer.message.slice(0, 500));
    const { classes } = this.#options.schema;
    const expected = rows * (1 + (answer.probabilities ? classes.length : 0));
    if (numbers.length !== expected)
      throw new Error(`the worker sent ${numbers.length} numbers, not ${expected}`);
    const values = numbers.subarray(0, rows);
    if (!numbers.every(Number.isFinite))
      throw new ModelFailedError("it gave something that is no finite number");
    if (
      classes.length > 0 &&
      !values.every((value) => Number.isInteger(value) && value >= 0 && value < classes.length)
    ) {
      throw new Error("the worker predicted a class that the target does not have");
    }
    return answer.probabilities ? { values, probabilities: numbers.subarray(rows) } : { values };
  }
}

/** Gives each request its part of a batch's answer. */
function share(batch: readonly Waiting[], { values, probabilities }: Prediction, classes: number): void {
  let at = 0;
  for (const { rows, resolve } of batch) {
    const end = at + rows.count;
    resolve({
      values: values.subarray(at, end),
      ...(probabilities ? { probabilities: probabilities.subarray(at * classes, end * classes) } : {}),
    });
    at = end;
  }
}

const nothing = (): void => undefined;

/** 0.1 s, doubled each time, at most 10 s. */
const backoff = (attempt: number): number => Math.min(10_000, 100 * 2 ** attempt);
