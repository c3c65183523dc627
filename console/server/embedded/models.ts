/** Models of the home, asked through servers of this process whose workers are in the sandbox. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLog } from "../../../inference-server/log/segments.ts";
import { type ModelServer, serveModel } from "../../../inference-server/serve.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { UsageError } from "../../../operator/cli/exit.ts";
import { predictionLogFolder } from "../../../operator/cli/inferences.ts";
import { predictions } from "../../../operator/cli/predict.ts";
import { launcher } from "../../../operator/cli/serve.ts";
import type { Home, Installation } from "../../../operator/embedded/home.ts";
import { once } from "../../../operator/embedded/once.ts";
import { ConsoleError } from "../errors.ts";
import type { Answer, Models } from "../gateway.ts";
import { publishedModels } from "../published.ts";

/** Workers hold a model each: as many as a laptop has room for. */
const KEPT = 2;
const IDLE_MS = 10 * 60_000;

type Kept = { readonly server: Promise<ModelServer>; readonly close: () => Promise<void>; used: number };

export type EmbeddedModelsOptions = {
  readonly home: Home;
  readonly installation: Installation;
  readonly env: NodeJS.ProcessEnv;
  readonly unsafeNoSandbox: boolean;
  readonly now: () => number;
};

export class EmbeddedModels implements Models {
  readonly manifest: Models["manifest"];
  readonly examples: Models["examples"];
  readonly #options: EmbeddedModelsOptions;
  readonly #servers = new Map<string, Kept>();
  readonly #sweep: NodeJS.Timeout;
  #batches = 0;

  constructor(options: EmbeddedModelsOptions) {
    this.#options = options;
    ({ manifest: this.manifest, examples: this.examples } = publishedModels(options.home.store));
    this.#sweep = setInterval(() => void this.#closeIdle(), 60_000).unref();
  }

  async predict(job: TrainingJob, rows: readonly Readonly<Record<string, unknown>>[]): Promise<Answer> {
    const { fastify } = await this.#serverOf(job);
    const { statusCode, body } = await fastify.inject({
      method: "POST",
      url: "/predict",
      headers: { "content-type": "application/json" },
      payload: JSON.stringify({ rows }),
    });
    const answer = JSON.parse(body) as Answer & { error?: string; problems?: unknown };
    if (statusCode === 200) return answer;
    const message = answer.error ?? "the model did not answer";
    throw new ConsoleError(statusCode < 500 ? "Invalid" : "Unavailable", message, {
      problems: answer.problems,
    });
  }

  async predictCsv(job: TrainingJob, csv: Uint8Array): Promise<Uint8Array> {
    const { home, installation, unsafeNoSandbox } = this.#options;
    if (this.#batches >= 1) throw new ConsoleError("TooMany", "another CSV is being predicted: wait for it");
    this.#batches += 1;
    const runner = once(home, installation, unsafeNoSandbox);
    try {
      return await predictions(home, job, runner, csv, "the CSV");
    } catch (error) {
      if (error instanceof UsageError) throw new ConsoleError("Invalid", error.message);
      throw error;
    } finally {
      this.#batches -= 1;
      await runner.end();
    }
  }

  log(job: TrainingJob, since: number): AsyncIterable<string> {
    return readLog(predictionLogFolder(this.#options.home, job), since);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#servers.keys()].map((id) => this.#end(id)));
  }

  async #serverOf(job: TrainingJob): Promise<ModelServer> {
    const id = `${job.metadata.uid}:${job.status?.model?.digest}`;
    let kept = this.#servers.get(id);
    if (!kept) {
      const oldest = [...this.#servers].sort(([, one], [, other]) => one.used - other.used)[0];
      const full = this.#servers.size >= KEPT;
      // Before anything is waited for: who asks meanwhile would start another one, that nobody ends.
      kept = this.#start(job);
      this.#servers.set(id, kept);
      if (full && oldest) await this.#end(oldest[0]);
      // One that did not come up is tried anew the next time.
      kept.server.catch(() => this.#end(id));
    }
    kept.used = this.#options.now();
    try {
      return await kept.server;
    } catch (error) {
      throw new ConsoleError(
        "Unavailable",
        `the model could not be loaded: ${(error as Error).message}`.slice(0, 600),
      );
    }
  }

  #start(job: TrainingJob): Kept {
    const { home, env, unsafeNoSandbox } = this.#options;
    const folder = mkdtempSync(join(tmpdir(), "autoai-console-"));
    const shared = join(folder, "socket");
    mkdirSync(shared, { mode: 0o755 });
    const stop = new AbortController();
    const server = (async () => {
      const options = { port: "0", host: "", runtime: "Auto", log: "Background", unsafeNoSandbox };
      const launch = await launcher(home, job, {
        options,
        env,
        shared,
        runtime: "Auto",
        signal: stop.signal,
      });
      return serveModel({
        ...launch,
        socketPath: join(shared, "worker.sock"),
        logger: false,
        log: { folder: predictionLogFolder(home, job), mode: "Background" },
      });
    })();
    const close = async (): Promise<void> => {
      stop.abort();
      await server.then((one) => one.close()).catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    };
    return { server, close, used: this.#options.now() };
  }

  async #closeIdle(): Promise<void> {
    const before = this.#options.now() - IDLE_MS;
    for (const [id, { used }] of this.#servers) if (used < before) await this.#end(id);
  }

  async #end(id: string): Promise<void> {
    const kept = this.#servers.get(id);
    this.#servers.delete(id);
    await kept?.close();
  }
}
