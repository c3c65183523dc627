/** A client in a pod of the cluster: asks models by their Services, one question or many at once until it is told to stop. */
import { image } from "./choice.ts";
import type { Cluster } from "./cluster.ts";

export type Reply = { readonly status: number; readonly body: Record<string, unknown> };

/** What came of a load. */
export type Load = {
  readonly requests: number;
  /** Requests that were not answered with 200, by status or error. */
  readonly failures: Readonly<Record<string, number>>;
  /** Answers that were not those of the model that gave them. */
  readonly wrong: number;
  /** Answers by the digest of their model. */
  readonly byDigest: Readonly<Record<string, number>>;
};

const POD = "client";

/**
 * A Service without a ready server refuses connections: while a worker is replaced for longer than probes bear, and
 * until the node has heard of its first one, which is later than the status says so. A busy node's names come late.
 */
const NOT_CONNECTED = ["ECONNREFUSED", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];
const CONNECTED_SECONDS = 30;

const ASK = `
const [url, body] = process.argv.slice(1);
const request = body ? { method: "POST", headers: { "content-type": "application/json" }, body } : {};
const end = Date.now() + ${CONNECTED_SECONDS * 1000};
(async () => {
  while (true) {
    const reply = await fetch(url, request).catch(({ message, cause }) => {
      if (${JSON.stringify(NOT_CONNECTED)}.includes(cause?.code) && Date.now() < end) return;
      console.error(message + ": " + (cause?.code ?? cause));
      process.exit(1);
    });
    if (reply) return console.log(JSON.stringify({ status: reply.status, body: await reply.json() }));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
})();`;

const LOAD = `
const { existsSync, rmSync, writeFileSync } = require("node:fs");
const [url, body, connections, known, begun, stop, name] = process.argv.slice(1);
const values = JSON.parse(known);
const found = { requests: 0, failures: {}, wrong: 0, byDigest: {} };
const count = (map, key) => { map[key] = (map[key] ?? 0) + 1; };
async function one() {
  while (!existsSync(stop)) {
    const headers = { "content-type": "application/json", "x-request-id": name + "-" + ++found.requests };
    try {
      const reply = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(20000) });
      const answer = await reply.json();
      if (reply.status !== 200) { count(found.failures, reply.status + " " + answer.reason); continue; }
      count(found.byDigest, answer.model.digest);
      if (answer.predictions[0] !== values[answer.model.digest]) found.wrong++;
      if (found.requests >= 20 * connections && !existsSync(begun)) writeFileSync(begun, "");
    } catch (error) {
      count(found.failures, error.cause?.code ?? error.name);
    }
  }
}
Promise.all(Array.from({ length: Number(connections) }, one)).then(() => { rmSync(stop); console.log(JSON.stringify(found)); });`;

const BEGUN = `
const timer = setInterval(() => { if (require("node:fs").existsSync(process.argv[1])) clearInterval(timer); }, 50);`;

export type Client = {
  /** GET where there is no body, POST otherwise. Tries again for a while where it cannot connect. */
  ask(url: string, body?: unknown): Promise<Reply>;
  /**
   * Asks by so many connections, each at once again, until the returned function is called. Resolves once answers come.
   * Its requests are called load-1-N, load-2-N and so on.
   * @param values what a model predicts, by its digest
   */
  load(
    url: string,
    body: unknown,
    connections: number,
    values: Readonly<Record<string, number>>,
  ): Promise<() => Promise<Load>>;
};

/** Makes the pod, under Pod Security restricted. */
export async function clientIn(cluster: Cluster, namespace: string): Promise<Client> {
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: POD, namespace },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: POD,
          image: image("inference-server"),
          imagePullPolicy: "IfNotPresent",
          command: ["node", "-e", "setInterval(() => {}, 1e6)"],
          resources: { requests: { cpu: "10m" } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
        },
      ],
      volumes: [{ name: "tmp", emptyDir: {} }],
    },
  });
  await cluster.kubectl("wait", "-n", namespace, `pod/${POD}`, "--for=condition=Ready", "--timeout=60s");
  const run = async (...args: string[]): Promise<string> => {
    const answer = await cluster.exec(namespace, POD, "node", ...args);
    if (answer.code !== 0) throw new Error(`the client ended with ${answer.code}: ${answer.errors}`);
    return answer.out;
  };
  let loads = 0;
  return {
    async ask(url, body) {
      const more = body === undefined ? [] : [JSON.stringify(body)];
      return JSON.parse(await run("-e", ASK, url, ...more)) as Reply;
    },
    async load(url, body, connections, values) {
      const [begun, stop] = [`/tmp/begun-${++loads}`, `/tmp/stop-${loads}`];
      const done = run(
        "-e",
        LOAD,
        url,
        JSON.stringify(body),
        String(connections),
        JSON.stringify(values),
        begun,
        stop,
        `load-${loads}`,
      );
      // Without an end where it has failed: what it says then is thrown.
      await Promise.race([run("-e", BEGUN, begun), done]);
      return async () => {
        await run("-e", "require('node:fs').writeFileSync(process.argv[1], '')", stop);
        return JSON.parse(await done) as Load;
      };
    },
  };
}
