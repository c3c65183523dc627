/** Puts a server together: the package is checked, the worker is started and put to the test, and only then is listened. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from "fastify";
import { answerError, app } from "./app.ts";
import { answerNoRequest } from "./bodies.ts";
import { DriftMonitor } from "./drift/monitor.ts";
import { ModelRefusedError } from "./errors.ts";
import { type Address, Listeners } from "./listeners.ts";
import { type LogLimits, type LogMode, PredictionLog } from "./log/prediction-log.ts";
import { Shipper, type ShipperOptions } from "./log/shipper.ts";
import { metrics } from "./metrics.ts";
import { readReference } from "./package/reference.ts";
import { readTrainingProfile } from "./package/training-profile.ts";
import { type ModelPackage, verifyPackage } from "./package/verify.ts";
import { PythonWorker, type PythonWorkerOptions } from "./runtime/python-worker.ts";
import type { ModelRuntime, Wanted } from "./runtime/runtime.ts";
import type { WorkerLauncher } from "./runtime/worker-link.ts";
import { schemaOf } from "./schema/columns.ts";

export type ServeLimits = PythonWorkerOptions["limits"] & {
  /** Bytes of a request's body. */
  readonly bodyBytes: number;
  /** Rows of a request. */
  readonly requestRows: number;
};

export const DEFAULT_LIMITS: ServeLimits = {
  bodyBytes: 16 * 1024 ** 2,
  requestRows: 10_000,
  batchRows: 512,
  largeBatchRows: 4096,
  waitingRows: 20_000,
  waitMilliseconds: 10_000,
  batchMilliseconds: 30_000,
  loadMilliseconds: 120_000,
};

export type ServeOptions = {
  /** Directory of the model package. */
  readonly directory: string;
  /** SHA-256 of its model.json. */
  readonly digest?: string;
  readonly socketPath: string;
  /** Starts the worker; absent: somebody else does, and it connects to the socket. */
  readonly launch?: WorkerLauncher;
  /** Which engine may serve; absent: the one that the worker was started for. */
  readonly runtime?: Wanted;
  readonly limits?: Partial<ServeLimits>;
  readonly logger: NonNullable<FastifyServerOptions["logger"]>;
  readonly clock?: { now(): number };
  /** The prediction log; absent: Off. */
  readonly log?: {
    readonly folder: string;
    readonly mode: LogMode;
    /** Share of the requests that Sampled keeps, 0 to 1. */
    readonly sample?: number;
    readonly limits?: Partial<LogLimits>;
    /** Sends closed segments to the store; absent: they stay in the folder. */
    readonly ship?: Pick<ShipperOptions, "grantFile" | "server" | "segmentSeconds" | "retrySeconds">;
  };
};

export type ModelServer = {
  readonly fastify: FastifyInstance;
  readonly runtime: ModelRuntime;
  /** Resolves to the URL at which it is asked. */
  listen(address: Address): Promise<string>;
  /**
   * Goes on answering, and asks every client to connect anew for its next request, until nobody is connected any more: for a
   * server whose Service is about to know of its end.
   */
  drain(patience?: { readonly leastMilliseconds: number; readonly mostMilliseconds: number }): Promise<void>;
  /**
   * Answers what is in flight for as long as that may take, then ends server and worker and sends the rest of the log. Whoever asked a
   * model that is still at work then is told that it ends: one that hangs must not keep the log of all others from being sent.
   */
  close(patience?: {
    readonly answeringMilliseconds: number;
    readonly sendingMilliseconds: number;
  }): Promise<void>;
};

const ONNX_FILE = "model.onnx";
/** Together with DRAINING within the time that a pod is given (operator/serving/pod.ts). */
const CLOSING = {
  answeringMilliseconds: 15_000,
  /** With the disk of a pod goes what was not sent: long enough for a store that is started again. */
  sendingMilliseconds: 75_000,
};
const DRAINING = {
  /** Until every node has heard that a pod is no endpoint of its Service any more. */
  leastMilliseconds: 5_000,
  /** Clients that keep a connection and send nothing are not waited for any longer. */
  mostMilliseconds: 15_000,
};
const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** @throws ModelRefusedError where the package is not what it should be, or its model does not answer as when it was published */
export async function serveModel(options: ServeOptions): Promise<ModelServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const model = await verifyPackage(options.directory, options.digest);
  const wanted = options.runtime;
  if (wanted === "Onnx") needExport(model);
  const schema = schemaOf(model.manifest);
  const reference = await readReference(model, schema);
  const counted = metrics({ name: model.manifest.provenance.job.name, digest: model.digest });
  const profile = await readTrainingProfile(model);
  const drift = profile && new DriftMonitor(profile, schema);
  if (drift) counted.drift(() => drift.drift());
  const fastify = Fastify({
    logger: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    requestTimeout: 30_000,
    // Keys such as __proto__ are names of columns here, and never assigned.
    onProtoPoisoning: "remove",
    onConstructorPoisoning: "ignore",
    genReqId: ({ headers }) => {
      const given = headers["x-request-id"];
      return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
    },
    return503OnClosing: true,
    clientErrorHandler: answerNoRequest,
    frameworkErrors: answerError,
  });
  const listeners = new Listeners(fastify);
  const runtime = new PythonWorker({
    schema,
    reference,
    wanted,
    socketPath: options.socketPath,
    ...(options.launch ? { launch: options.launch } : {}),
    limits,
    clock: options.clock ?? { now: () => performance.now() },
    observer: {
      ...counted,
      workerReady(engine, refused) {
        counted.workerReady(engine, refused);
        fastify.log.info({ engine, refused }, "worker ready");
      },
      workerEnded(why) {
        counted.workerEnded(why);
        fastify.log.warn({ why }, "worker ended");
      },
    },
  });
  const sayLog = {
    warn: (message: string) => fastify.log.warn(message),
    info: (message: string) => fastify.log.info(message),
  };
  const log = new PredictionLog({
    folder: "",
    mode: "Off",
    sample: 0.1,
    ...options.log,
    observer: counted,
    log: sayLog,
    clock: Date,
    random: Math.random,
  });
  const { ship } = options.log ?? {};
  const shipper =
    ship && log.folder
      ? new Shipper({
          ...ship,
          folder: log.folder,
          observer: counted,
          log: sayLog,
          clock: Date,
          random: Math.random,
        })
      : undefined;
  if (shipper) counted.shipLag(() => shipper.lagSeconds);
  const served = { log, drift, model, schema, runtime, metrics: counted, maxRows: limits.requestRows };
  await fastify.register(app, served);
  try {
    await fastify.ready();
    using _ = eachSoOften(limits.loadMilliseconds, (seconds) => {
      const why = runtime.status().lastFailure ?? `none has connected to ${options.socketPath}`;
      fastify.log.warn(
        `no worker is ready after ${seconds} s, and nothing is served before one is: ${why}. What starts it, beside this server, says why`,
      );
    });
    await runtime.start();
  } catch (error) {
    await runtime.close();
    await fastify.close();
    await shipper?.finish(0);
    throw error;
  }
  return {
    fastify,
    runtime,
    listen: (address) => listeners.listen(address),
    async drain({ leastMilliseconds, mostMilliseconds } = DRAINING) {
      listeners.leave();
      const start = performance.now();
      const passed = () => performance.now() - start;
      while (passed() < mostMilliseconds) {
        if (passed() >= leastMilliseconds && (await listeners.connections()) === 0) return;
        await sleep(100);
      }
    },
    async close({ answeringMilliseconds, sendingMilliseconds } = CLOSING) {
      const start = performance.now();
      const answering = new AbortController();
      const patience = sleep(answeringMilliseconds, undefined, answering).catch(() => undefined);
      // The listener first: what it has taken is answered while the worker is still there.
      const closed = listeners.close();
      await Promise.race([closed, patience]);
      await runtime.close(Math.max(0, answeringMilliseconds - (performance.now() - start)));
      await closed;
      answering.abort();
      await log.close();
      await shipper?.finish(sendingMilliseconds);
    },
  };
}

/** Says again and again for how long, until it is disposed of. */
function eachSoOften(milliseconds: number, say: (seconds: number) => void): Disposable {
  let times = 0;
  const timer = setInterval(() => say((++times * milliseconds) / 1000), milliseconds);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function needExport({ manifest }: ModelPackage): void {
  if (ONNX_FILE in manifest.files) return;
  throw new ModelRefusedError(
    `the runtime Onnx was asked for, and the package has no ${ONNX_FILE}: not every model can be exported. Ask for Auto`,
  );
}
