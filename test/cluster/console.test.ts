/** The console on a real API server, with the tokens of two users who live in two namespaces. No operator runs: nothing of it is needed. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ClusterConsole,
  ClusterConsoleSettings,
  startClusterConsole,
} from "../../console/server/cluster/start.ts";
import type { Dataset } from "../../operator/api/dataset.ts";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import { jobPrefix } from "../../operator/evaluation/context.ts";
import { datasetKeys } from "../../operator/reconcilers/dataset.ts";
import { journalOf, prepared } from "../builders/entries.ts";
import { findMinio, type Minio, startMinio } from "../minio.ts";
import { eventually, withCluster } from "./cluster.ts";

const cluster = withCluster();
const minio = findMinio();
const ORIGIN = "http://console.test";

type User = { readonly namespace: string; readonly token: string; cookie: string };

let store: Minio;
let served: ClusterConsole;
let folder = "";
let ada: User;
let bob: User;
const faults: unknown[] = [];

/** A ServiceAccount that may edit AutoAI's kinds in a namespace of its own, and nothing else. */
async function user(name: string): Promise<User> {
  const namespace = await cluster.namespace(`console-${name}`);
  await cluster.apply(
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "autoai", namespace },
      rules: [
        {
          apiGroups: ["autoai.dev"],
          resources: ["datasets", "trainingjobs", "modeldeployments"],
          verbs: ["*"],
        },
      ],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name, namespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "autoai" },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
  );
  const token = (await cluster.kubectl("create", "token", name, "-n", namespace, "--duration=1h")).trim();
  return { namespace, token, cookie: "" };
}

const HEADERS = { host: "console.test", origin: ORIGIN, "x-autoai-console": "1" };

const signIn = (credential: string) =>
  served.app.inject({ method: "POST", url: "/api/sign-in", headers: HEADERS, payload: { credential } });

async function ask(who: User, procedure: string, input?: unknown) {
  const answer = await served.app.inject({
    method: "POST",
    url: `/api/trpc/${procedure}`,
    headers: { ...HEADERS, cookie: who.cookie, "content-type": "application/json" },
    ...(input === undefined ? {} : { payload: JSON.stringify(input) }),
  });
  const body = answer.json();
  return { status: answer.statusCode, data: body.result?.data, message: body.error?.message as string };
}

/** What a stream says until the sentence comes; the stream is then cut off. */
async function streamed(who: User, procedure: string, input: object, until: RegExp): Promise<string> {
  const address = served.app.server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const stop = new AbortController();
  const query = encodeURIComponent(JSON.stringify(input));
  // fetch forbids the Host header: the port is of the loopback address, under the name that the console knows.
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    let said = "";
    const asked = request(
      {
        port,
        host: "127.0.0.1",
        path: `/api/trpc/${procedure}?input=${query}`,
        headers: { ...HEADERS, cookie: who.cookie },
        signal: stop.signal,
      },
      (response) => {
        response.setEncoding("utf8").on("data", (text: string) => {
          said += text;
          if (!until.test(said)) return;
          resolve(said);
          stop.abort();
        });
        response.once("end", () => reject(new Error(`the stream ended: ${said}`)));
        response.on("error", () => undefined);
      },
    );
    asked.once("error", reject);
    asked.end();
  });
}

beforeAll(async () => {
  if (minio === undefined) throw new Error("MinIO is missing: test/cluster/build minio makes it");
  await cluster.kinds();
  store = await startMinio(minio);
  await store.store.ensureBucket();
  [ada, bob] = await Promise.all([user("ada"), user("bob")]);
  folder = mkdtempSync(join(tmpdir(), "autoai-console-"));
  mkdirSync(folder, { recursive: true });
  const config = JSON.parse(await cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"));
  const {
    server,
    "certificate-authority-data": authority,
    "certificate-authority": file,
  } = config.clusters[0].cluster;
  const caFile = file ?? join(folder, "ca.crt");
  if (authority !== undefined) writeFileSync(caFile, Buffer.from(authority, "base64"));
  served = await startClusterConsole(
    ClusterConsoleSettings.parse({
      AUTOAI_CONSOLE_ORIGINS: ORIGIN,
      AUTOAI_CONSOLE_PORT: "0",
      AUTOAI_CONSOLE_KEY: randomBytes(32).toString("base64"),
      AUTOAI_API_SERVER: server,
      AUTOAI_API_SERVER_CA: caFile,
      AUTOAI_STORE_ENDPOINT: store.options.endpoint,
      AUTOAI_STORE_BUCKET: store.options.bucket,
      AUTOAI_STORE_ACCESS_KEY: store.options.accessKey,
      AUTOAI_STORE_SECRET_KEY: store.options.secretKey,
    }),
    { version: "test", onFault: (what, error) => faults.push(what, error) },
  );
});

afterAll(async () => {
  await served?.close();
  // Where an operator of another test saw the resources and is gone since, nobody is there to take its finalizers off.
  for (const kind of ["trainingjobs", "datasets"]) {
    await cluster.kubectl("delete", kind, "--all", "-n", ada.namespace, "--wait=false");
    const names = (await cluster.kubectl("get", kind, "-n", ada.namespace, "-o", "name")).split("\n");
    for (const name of names.filter((line) => line !== "")) {
      const patch = '{"metadata":{"finalizers":null}}';
      await cluster.run(["patch", "-n", ada.namespace, name, "--type=merge", "-p", patch]);
    }
  }
  await store?.close();
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

const FORM = {
  name: "job",
  dataset: "rows",
  target: "y",
  task: "Auto",
  method: "Auto",
  split: "Random",
  publish: "AsScored",
  maxSteps: 3,
  maxSeconds: 30,
  maxTokens: 1000,
  provider: "Offline",
};

test("signing in takes a token that the API server knows", async () => {
  expect((await signIn("not.a.token")).statusCode).toBe(401);
  expect((await signIn(`${ada.token.slice(0, -4)}AAAA`)).statusCode).toBe(401);
  for (const who of [ada, bob]) {
    const { statusCode, headers, body } = await signIn(who.token);
    expect(statusCode, body).toBe(200);
    expect(body).not.toContain(who.token);
    who.cookie = String(headers["set-cookie"]).split(";")[0] ?? "";
    expect(who.cookie).not.toContain(who.token.split(".")[1]);
  }
  expect((await ask(ada, "me")).data).toMatchObject({
    user: `system:serviceaccount:${ada.namespace}:ada`,
    mode: "Cluster",
  });
});

describe("two users in two namespaces", () => {
  test("make what is theirs, by the API server's rules", async () => {
    const { data, status, message } = await ask(ada, "datasets.announce", {
      namespace: ada.namespace,
      name: "rows",
    });
    expect(status, message).toBe(200);
    expect(data).toMatchObject({ name: "rows", state: "Waiting" });
    expect((await ask(ada, "jobs.create", { ...FORM, namespace: ada.namespace })).status).toBe(200);
    const again = await ask(ada, "jobs.create", { ...FORM, namespace: ada.namespace });
    expect([again.status, again.message]).toEqual([409, expect.stringContaining("already exists")]);
    const suspended = await ask(ada, "jobs.suspend", {
      place: { namespace: ada.namespace, name: "job" },
      suspend: true,
    });
    expect(suspended.status, suspended.message).toBe(200);
    expect((await cluster.get<TrainingJob>("trainingjob", ada.namespace, "job"))?.spec.suspend).toBe(true);
  });

  test("see nothing of each other's, whatever they ask for", async () => {
    const place = { namespace: ada.namespace, name: "job" };
    const rows = { namespace: ada.namespace, name: "rows" };
    for (const [procedure, input] of [
      ["jobs.get", place],
      ["jobs.remove", place],
      ["jobs.suspend", { place, suspend: false }],
      ["jobs.create", { ...FORM, namespace: ada.namespace, name: "other" }],
      ["datasets.get", rows],
      ["datasets.profile", rows],
      ["datasets.announce", { namespace: ada.namespace, name: "other" }],
      ["models.get", place],
      ["models.deploy", { place, deployment: "other" }],
      ["resources.get", { kind: "TrainingJob", place }],
      ["resources.list", { kind: "TrainingJob", namespace: ada.namespace }],
      ["resources.list", { kind: "Dataset", namespace: ada.namespace }],
      ["resources.list", { kind: "ModelDeployment", namespace: ada.namespace }],
    ] as const) {
      const { status, data } = await ask(bob, procedure, input);
      expect([procedure, status, data]).toEqual([procedure, 403, undefined]);
    }
    for (const [method, url] of [
      ["GET", `/api/reports/${ada.namespace}/job`],
      ["GET", `/api/uploads/${ada.namespace}/rows`],
      ["PUT", `/api/uploads/${ada.namespace}/rows?offset=0`],
      ["GET", `/api/predictions/${ada.namespace}/job`],
    ] as const) {
      const headers = { ...HEADERS, cookie: bob.cookie, "content-type": "application/octet-stream" };
      const { statusCode } = await served.app.inject({
        method,
        url,
        headers,
        ...(method === "PUT" ? { payload: "x" } : {}),
      });
      expect([url, statusCode]).toEqual([url, 403]);
    }
    const { data } = await ask(bob, "resources.overview", { namespace: ada.namespace });
    expect(data).toMatchObject({ total: 0, denied: expect.arrayContaining(["TrainingJob"]) });
    expect(data.denied).toHaveLength(3);
    expect((await ask(bob, "resources.freeName", { kind: "TrainingJob", place })).data).toBe("job");
    const told = await streamed(bob, "resources.changes", { namespace: ada.namespace }, /"type":"All".*\n/);
    expect(told).not.toContain('"name":"job"');
  });

  test("a journal is read by who may get the job, and by nobody else", async () => {
    const job = await cluster.get<TrainingJob>("trainingjob", ada.namespace, "job");
    if (!job) throw new Error("the job is gone");
    const [entry] = journalOf(prepared());
    await store.store.put(`${jobPrefix(job)}/journal/000000.json`, Buffer.from(JSON.stringify(entry)));
    const place = { namespace: ada.namespace, name: "job" };
    expect(await streamed(ada, "jobs.journal", { place }, /"type":"Current"/)).toContain('"type":"Prepared"');
    const told = await streamed(bob, "jobs.journal", { place }, /FORBIDDEN|Prepared/);
    expect(told).not.toContain("Prepared");
  });
});

test("a list comes a page at a time, and has what changed since", async () => {
  const list = async (more: object = {}) =>
    (await ask(ada, "resources.list", { kind: "TrainingJob", namespace: ada.namespace, ...more })).data;
  const names = ({ rows }: { rows: { name: string }[] }) => rows.map(({ name }) => name);
  for (const name of ["second", "third"]) {
    const made = await ask(ada, "jobs.create", { ...FORM, namespace: ada.namespace, name });
    expect(made.status, made.message).toBe(200);
  }
  await eventually("the new jobs", 20, async () => (await list()).total === 3);
  expect(names(await list()).sort()).toEqual(["job", "second", "third"]);
  const [first, second] = [await list({ limit: 2 }), await list({ from: 2, limit: 2 })];
  expect([...names(first), ...names(second)]).toEqual(names(await list()));
  expect([names(first).length, second.total, second.matching]).toEqual([2, 3, 3]);
  const found = await list({ find: "THIR" });
  expect([names(found), found.total, found.matching]).toEqual([["third"], 3, 1]);
  const place = { namespace: ada.namespace, name: "job" };
  expect((await ask(ada, "resources.freeName", { kind: "TrainingJob", place })).data).toBe("job-2");
});

test("a stream tells of changes, and one that was cut off of what was missed", async () => {
  const input = { namespace: ada.namespace };
  const told = await streamed(ada, "resources.changes", input, /"type":"All"[\s\S]*id: (\S+)/);
  const lastEventId = [...told.matchAll(/^id: (\S+)$/gm)].at(-1)?.[1];
  await cluster.kubectl("delete", "trainingjob", "job", "-n", ada.namespace, "--wait=false");
  const more = await streamed(
    ada,
    "resources.changes",
    { ...input, lastEventId },
    /"type":"Gone","kind":"TrainingJob"/,
  );
  expect(more).not.toContain('"type":"All"');
});

test("a CSV comes in pieces into the store, where the operator looks for it", async () => {
  const url = `/api/uploads/${ada.namespace}/rows`;
  const headers = { ...HEADERS, cookie: ada.cookie };
  const piece = (offset: number, payload: string) =>
    served.app.inject({
      method: "PUT",
      url: `${url}?offset=${offset}`,
      headers: { ...headers, "content-type": "application/octet-stream" },
      payload,
    });
  expect((await piece(0, "a,b\n")).json()).toEqual({ received: 4 });
  expect((await piece(0, "a,b\n")).statusCode).toBe(409);
  expect((await served.app.inject({ method: "GET", url, headers })).json()).toMatchObject({ received: 4 });
  expect((await piece(4, "1,2\n")).json()).toEqual({ received: 8 });
  const finish = await served.app.inject({
    method: "POST",
    url: `${url}/finish`,
    headers,
    payload: { sizeBytes: 8 },
  });
  expect(finish.statusCode, finish.body).toBe(204);
  const dataset = await cluster.get<Dataset>("dataset", ada.namespace, "rows");
  if (!dataset) throw new Error("the data set is gone");
  expect(Buffer.from(await store.store.get(datasetKeys(dataset).source)).toString()).toBe("a,b\n1,2\n");
  expect(await store.store.list("uploads/")).toEqual([]);
});

test("a session ends where its user's rights do, at once", async () => {
  await cluster.kubectl("delete", "rolebinding", "ada", "-n", ada.namespace);
  const place = { namespace: ada.namespace, name: "rows" };
  await eventually("the refusal", 20, async () => (await ask(ada, "datasets.get", place)).status === 403);
  expect(faults).toEqual([]);
});
