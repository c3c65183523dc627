/** What Prometheus is told. Every label has few values: no name of a job, namespace or file is one. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const TOOLS: ReadonlySet<string> = new Set([
  "install_dependencies",
  "write_python_file",
  "execute_python_file",
  "save_model_settings",
]);

export type JobCounts = Readonly<Record<"TRAINING" | "READY" | "ERROR" | "Suspended", number>>;

export type MetricsSources = {
  readonly queueDepths: () => Readonly<Record<string, number>>;
  readonly jobs: () => JobCounts;
  readonly leads: () => boolean;
};

export class Metrics {
  readonly registry = new Registry();
  readonly #reconciles = new Counter({
    name: "autoai_reconciles_total",
    help: "Reconciles by kind and what they came to.",
    labelNames: ["kind", "result"],
    registers: [this.registry],
  });
  readonly #reconcileSeconds = new Histogram({
    name: "autoai_reconcile_seconds",
    help: "How long a reconcile took, LLM replies included.",
    labelNames: ["kind"],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #queueSeconds = new Histogram({
    name: "autoai_queue_wait_seconds",
    help: "How long a key that was due waited for a worker.",
    labelNames: ["kind"],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #steps = new Counter({
    name: "autoai_steps_total",
    help: "Tool calls of the agents by tool and result.",
    labelNames: ["tool", "result"],
    registers: [this.registry],
  });
  readonly #tokens = new Counter({
    name: "autoai_tokens_total",
    help: "Tokens of prompts and of output that LLMs were asked and gave.",
    labelNames: ["direction"],
    registers: [this.registry],
  });
  readonly #toolSeconds = new Histogram({
    name: "autoai_tool_seconds",
    help: "From a tool call to its result in the journal.",
    labelNames: ["tool"],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #podStartSeconds = new Histogram({
    name: "autoai_pod_start_seconds",
    help: "From the creation of a tool pod until its containers run.",
    labelNames: ["role"],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #apiRequests = new Counter({
    name: "autoai_api_requests_total",
    help: "Requests to the API server by verb, resource and status code (0: not answered).",
    labelNames: ["verb", "resource", "code"],
    registers: [this.registry],
  });
  readonly #watchRestarts = new Counter({
    name: "autoai_watch_restarts_total",
    help: "Watches that had to be begun again, by resource and reason.",
    labelNames: ["resource", "reason"],
    registers: [this.registry],
  });

  constructor(sources: MetricsSources) {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: "autoai_queue_depth",
      help: "Keys that wait for a worker.",
      labelNames: ["kind"],
      registers: [this.registry],
      collect() {
        for (const [kind, depth] of Object.entries(sources.queueDepths())) this.set({ kind }, depth);
      },
    });
    new Gauge({
      name: "autoai_jobs",
      help: "TrainingJobs by state.",
      labelNames: ["state"],
      registers: [this.registry],
      collect() {
        for (const [state, count] of Object.entries(sources.jobs())) this.set({ state }, count);
      },
    });
    new Gauge({
      name: "autoai_leader",
      help: "1 where this process leads, 0 where it stands by.",
      registers: [this.registry],
      collect() {
        this.set(sources.leads() ? 1 : 0);
      },
    });
  }

  reconciled(kind: string, result: string, seconds: number): void {
    this.#reconciles.inc({ kind, result });
    this.#reconcileSeconds.observe({ kind }, seconds);
  }

  waited(kind: string, seconds: number): void {
    this.#queueSeconds.observe({ kind }, seconds);
  }

  /** A model may call a tool that does not exist by any name. */
  toolFinished(name: string, ok: boolean, seconds: number): void {
    const tool = TOOLS.has(name) ? name : "unknown";
    this.#steps.inc({ tool, result: ok ? "ok" : "failed" });
    this.#toolSeconds.observe({ tool }, seconds);
  }

  tokens(prompt: number, output: number): void {
    this.#tokens.inc({ direction: "input" }, prompt);
    this.#tokens.inc({ direction: "output" }, output);
  }

  podStarted(role: string, seconds: number): void {
    this.#podStartSeconds.observe({ role: role === "install" ? "install" : "execution" }, seconds);
  }

  apiRequest(verb: string, resource: string, code: number): void {
    this.#apiRequests.inc({ verb, resource, code: String(code) });
  }

  watchRestarted(resource: string, reason: string): void {
    this.#watchRestarts.inc({ resource, reason });
  }
}
