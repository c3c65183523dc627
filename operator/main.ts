/** The operator in a cluster: the composition root that chooses the API server, pods and the S3 store. */
import { ApiServer } from "./cluster/kubernetes/api-server.ts";
import { KubernetesLease } from "./cluster/kubernetes/lease.ts";
import { readConfiguration } from "./configuration.ts";
import { installation } from "./embedded/home.ts";
import { Election, type LeaseClock } from "./engine/lease.ts";
import { httpServer } from "./observability/http.ts";
import { createLog } from "./observability/log.ts";
import { Metrics } from "./observability/metrics.ts";
import { ClusterOperator } from "./operator.ts";

/** Until what is under way is left as it is: it is in the journal, or will be done again. */
const STOP_SECONDS = 3;
/** A process whose watches heard nothing for so long is of no use. */
const SILENCE_SECONDS = 900;

async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const configuration = readConfiguration(env);
  const { store } = configuration;
  const log = createLog(configuration.logLevel, [store.secretKey, store.accessKey, env.GEMINI_API_KEY]);
  const metrics = new Metrics({
    queueDepths: () => operator.queueDepths(),
    jobs: () => operator.jobCounts(),
    leads: () => operator.leads,
  });
  const api = ApiServer.fromEnvironment((verb, resource, code) => metrics.apiRequest(verb, resource, code));
  const operator = new ClusterOperator({
    configuration,
    api,
    metrics,
    log,
    env,
    installation: installation(env),
  });
  const http = httpServer({
    health: () => {
      const silent = operator.silentSeconds;
      return { ok: silent < SILENCE_SECONDS, detail: `watches were heard from ${Math.round(silent)} s ago` };
    },
    readiness: () => ({ ok: operator.synced, detail: operator.synced ? "ready" : "reading the cluster" }),
    metrics: async () => ({
      contentType: metrics.registry.contentType,
      text: await metrics.registry.metrics(),
    }),
    journal: (request) => operator.reading.journal(request),
    predictions: (request) => operator.reading.predictions(request),
    artifact: (request) => operator.reading.artifact(request),
  });
  await http.listen({ host: "::", port: configuration.httpPort });

  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log.info({ signal }, "asked to stop");
      stop.abort();
    });
  }
  log.info(
    {
      identity: configuration.identity,
      namespaces: configuration.watchNamespaces,
      port: configuration.httpPort,
    },
    "started",
  );
  await Promise.race([operator.watch(), aborted(stop.signal)]);
  const election = new Election({
    store: new KubernetesLease(api, configuration.namespace, configuration.lease),
    identity: configuration.identity,
    clock,
    onError: (error) => log.warn({ error }, "the lease could not be reached"),
    onLeader: (leader) => log.info({ leader }, "leader"),
  });
  const ending = await election.run(stop.signal, () => operator.lead());
  if (ending === "Lost") {
    // At once: the next leader may begin in a few seconds. The container is started again.
    log.error("the lease is lost: ending");
    return 1;
  }
  await Promise.race([operator.stop(), clock.sleep(STOP_SECONDS, new AbortController().signal)]);
  await election.release().catch((error) => log.warn({ error }, "the lease could not be released"));
  await http.close();
  log.info("stopped");
  return 0;
}

const clock: LeaseClock = {
  now: Date.now,
  sleep: (seconds, signal) =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, seconds * 1000);
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
    }),
};

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

try {
  process.exit(await main(process.env));
} catch (error) {
  process.stderr.write(`autoai: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
