/** Of every file of this folder: its cluster answers, and no version of a resource in it has a status that kstatus could not read. */
import { afterAll, beforeAll, expect } from "vitest";
import { type StatusWatch, watchStatuses } from "../statuses/watch.ts";
import { apiOf } from "./api.ts";
import { withCluster } from "./cluster.ts";

const cluster = withCluster();
let statuses: StatusWatch | undefined;

beforeAll(async () => {
  const answer = await cluster.run(["version", "--request-timeout=10s"]);
  if (answer.code !== 0) {
    const { E2E_CONTEXT: context, KUBECONFIG: kubeconfig = cluster.kubeconfig } = process.env;
    const server = ["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"];
    throw new Error(
      `expected the API server of ${context ?? kubeconfig} to answer at ${(await cluster.run(server)).out}, found: ` +
        `${answer.errors.trim()}. Bring that cluster up, or name another one in KUBECONFIG or E2E_CONTEXT`,
    );
  }
  statuses = watchStatuses(apiOf(cluster));
});

// After those of the file itself, and so when its resources are gone.
afterAll(async () => {
  await statuses?.stop();
  expect(statuses?.faults ?? [], "statuses that kstatus could not read").toEqual([]);
});
