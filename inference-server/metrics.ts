/** What the server counts, for Prometheus. Labels are bounded: routes, status codes, engines. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Drift } from "./drift/monitor.ts";
import type { LogObserver } from "./log/prediction-log.ts";
import type { ShipObserver } from "./log/shipper.ts";
import type { RuntimeObserver } from "./runtime/python-worker.ts";

export type Metrics = RuntimeObserver &
  LogObserver &
  ShipObserver & {
    readonly registry: Registry;
    /** Where the lag of shipping is asked for, when metrics are read. */
    shipLag(seconds: () => number): void;
    /** Where drift is asked for, when metrics are read. */
    drift(source: () => Drift): void;
    request(route: string, status: number, seconds: number): void;
    /** Requests for predictions that began (1) or ended (-1). */
    inFlight(change: 1 | -1): void;
    rows(count: number, warnings: number): void;
  };

/** @param model labels of every metric: which model this is */
export function metrics(model: { readonly name: string; readonly digest: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ model: model.name, digest: model.digest.slice(0, 12) });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Histogram({
    name: "autoai_inference_request_seconds",
    help: "Time from a request's arrival to its reply.",
    labelNames: ["route", "status"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const inFlight = new Gauge({
    name: "autoai_inference_in_flight_requests",
    help: "Requests for predictions that are not answered yet.",
    registers,
  });
  const rows = new Counter({
    name: "autoai_inference_rows_total",
    help: "Rows that were predicted.",
    registers,
  });
  const warnings = new Counter({
    name: "autoai_inference_row_warnings_total",
    help: "Cells that were predicted with a warning: unseen values, missing ones.",
    registers,
  });
  const batchRows = new Histogram({
    name: "autoai_inference_batch_rows",
    help: "Rows of a batch.",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096],
    registers,
  });
  const batchRequests = new Histogram({
    name: "autoai_inference_batch_requests",
    help: "Requests of a batch.",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    registers,
  });
  const batchSeconds = new Histogram({
    name: "autoai_inference_batch_seconds",
    help: "Time that the worker took for a batch.",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const waiting = new Gauge({
    name: "autoai_inference_waiting_rows",
    help: "Rows that wait for the worker.",
    registers,
  });
  const ready = new Gauge({
    name: "autoai_inference_ready",
    help: "1 where a worker serves, by engine.",
    labelNames: ["engine"],
    registers,
  });
  const ended = new Counter({
    name: "autoai_inference_worker_ends_total",
    help: "Workers that died and were started again.",
    registers,
  });
  const logged = new Counter({
    name: "autoai_inference_log_entries_total",
    help: "Predictions that are in the log, on disk.",
    registers,
  });
  const logSeconds = new Histogram({
    name: "autoai_inference_log_commit_seconds",
    help: "Time to write and sync a group of log entries.",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers,
  });
  const logDropped = new Counter({
    name: "autoai_inference_log_dropped_total",
    help: "Predictions that are not in the log, or not any more, though its mode wants them there.",
    labelNames: ["reason"],
    registers,
  });
  const logLag = new Gauge({
    name: "autoai_inference_log_lag_entries",
    help: "Predictions that wait to be written to the log.",
    registers,
  });
  const shippedSegments = new Counter({
    name: "autoai_inference_log_shipped_segments_total",
    help: "Segments of the log that the store has.",
    registers,
  });
  const shippedBytes = new Counter({
    name: "autoai_inference_log_shipped_bytes_total",
    help: "Compressed bytes of the log that the store has.",
    registers,
  });
  const shipFailures = new Counter({
    name: "autoai_inference_log_ship_failures_total",
    help: "Segments of the log that were not taken by the store, and are tried again.",
    labelNames: ["reason"],
    registers,
  });
  let lag = () => 0;
  new Gauge({
    name: "autoai_inference_log_ship_lag_seconds",
    help: "Age of the oldest segment of the log that the store does not have; 0 where it has them all.",
    registers,
    collect() {
      this.set(lag());
    },
  });
  return {
    registry,
    drift(source) {
      new Gauge({
        name: "autoai_inference_drift_rows",
        help: "Rows in the window that drift is computed of.",
        registers,
        // For both: the registry reads them in the order in which they were made.
        collect() {
          const { rows: seen, columns } = source();
          this.set(seen);
          psi.reset();
          for (const [column, index] of columns) psi.set({ column }, index);
        },
      });
      const psi = new Gauge({
        name: "autoai_inference_drift_psi",
        help: "Population stability index of a column: what came in against what the model was trained on. Absent with fewer than 500 rows.",
        labelNames: ["column"],
        registers,
      });
    },
    shipped(bytes) {
      shippedSegments.inc();
      shippedBytes.inc(bytes);
    },
    shipFailed: (reason) => shipFailures.inc({ reason }),
    shipLag(seconds) {
      lag = seconds;
    },
    logged(count, seconds) {
      logged.inc(count);
      logSeconds.observe(seconds);
    },
    dropped: (count, reason) => logDropped.inc({ reason }, count),
    lag: (count) => logLag.set(count),
    request: (route, status, seconds) => requests.observe({ route, status: String(status) }, seconds),
    inFlight: (change) => inFlight.inc(change),
    rows(count, warned) {
      rows.inc(count);
      if (warned > 0) warnings.inc(warned);
    },
    batch(rowsOf, requestsOf, seconds) {
      batchRows.observe(rowsOf);
      batchRequests.observe(requestsOf);
      batchSeconds.observe(seconds);
    },
    waiting: (count) => waiting.set(count),
    workerReady(engine) {
      ready.reset();
      ready.set({ engine }, 1);
    },
    workerEnded() {
      ready.reset();
      ended.inc();
    },
  };
}
