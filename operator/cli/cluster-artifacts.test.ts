/** The commands that fetch from a cluster, against a server that answers as the API server and its proxy do. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DIGEST, FILES, MANIFEST, PREFIX, publishTo } from "../../test/builders/published.ts";
import { encode } from "../evaluation/context.ts";
import { openPackage } from "../evaluation/package-entries.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { packTar } from "../storage/tar.ts";
import { clusterModel, clusterReport } from "./cluster-artifacts.ts";
import { UsageError } from "./exit.ts";

const PROXY =
  "/api/v1/namespaces/autoai-system/services/http:autoai:8080/proxy/artifacts/trainingjobs/team/churn";
const OPTIONS = { namespace: "team", operatorNamespace: "autoai-system", operatorService: "autoai" };
const JOB = {
  apiVersion: "autoai.dev/v1alpha1",
  kind: "TrainingJob",
  metadata: { name: "churn", namespace: "team" },
  spec: { dataset: { uri: "https://example.org/rows.csv" }, target: "y" },
  status: {
    state: "READY",
    model: { name: "m", description: "", uri: "s3://autoai/x", digest: DIGEST, finalScore: "1" },
  },
};

let server: Server;
let store: MemoryStore;
let folder: string;
let tokens: unknown[];
let answer: (url: string, response: ServerResponse) => Promise<void>;

const showJob = (response: ServerResponse) =>
  response.setHeader("content-type", "application/json").end(JSON.stringify(JOB));

function modelIs(send: (response: ServerResponse) => Promise<void>): void {
  answer = async (url, response) => {
    if (url.endsWith("/model")) await send(response);
    else showJob(response);
  };
}

beforeEach(async () => {
  store = new MemoryStore();
  await publishTo(store);
  tokens = [];
  answer = async (url, response) => {
    if (url === "/apis/autoai.dev/v1alpha1/namespaces/team/trainingjobs/churn") {
      showJob(response);
    } else if (url === `${PROXY}/report`) response.end("<p>report</p>");
    else if (url === `${PROXY}/model`) {
      const { entries } = await openPackage(store, PREFIX, DIGEST);
      await pipeline(packTar(entries, new Date(0)), response).catch(() => response.destroy());
    } else response.writeHead(404).end(JSON.stringify({ outcome: "Missing", message: "there is none" }));
  };
  server = createServer((request: IncomingMessage, response) => {
    tokens.push(request.headers["x-autoai-token"]);
    void answer(request.url ?? "", response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  folder = mkdtempSync(join(tmpdir(), "artifacts-"));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    join(folder, "kubeconfig"),
    JSON.stringify({
      "current-context": "c",
      clusters: [{ name: "c", cluster: { server: url, "insecure-skip-tls-verify": true } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      users: [{ name: "u", user: { token: "mine" } }],
    }),
  );
  vi.stubEnv("KUBECONFIG", join(folder, "kubeconfig"));
  vi.spyOn(process.stdout, "write").mockImplementation(() => true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

test("report writes the page that the operator gave to the bearer of the token", async () => {
  const output = join(folder, "report.html");
  expect(await clusterReport("churn", { ...OPTIONS, output })).toBe(0);
  expect(readFileSync(output, "utf8")).toBe("<p>report</p>");
  expect(tokens).toEqual(["mine"]);
  expect(readdirSync(folder).sort()).toEqual(["kubeconfig", "report.html"]);
});

test("a report that broke off is not there, and the command says so", async () => {
  answer = async (_url, response) => void response.write("<p>re", () => response.destroy());
  await expect(clusterReport("churn", { ...OPTIONS, output: join(folder, "report.html") })).rejects.toThrow(
    /broke off on its way/,
  );
  expect(readdirSync(folder)).toEqual(["kubeconfig"]);
});

describe("a cluster that does not answer as it should", () => {
  const status = (code: number, reason: string, message: string) => {
    answer = async (_url, response) =>
      void response.writeHead(code).end(JSON.stringify({ kind: "Status", code, reason, message }));
  };
  const failure = () =>
    clusterReport("churn", { ...OPTIONS, output: join(folder, "report.html") }).then(
      () => undefined,
      (error) => error,
    );

  test.each([
    [404, "NotFound", 'services "autoai" not found'],
    [503, "ServiceUnavailable", 'no endpoints available for service "http:autoai:8080"'],
    [503, "ServiceUnavailable", 'no service port 8080 found for service "autoai"'],
  ])("%i, %s, %s: the operator is elsewhere", async (code, reason, message) => {
    status(code, reason, message);
    const error = await failure();
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain("say where by --operator-namespace and --operator-service");
  });

  test("credentials that ended: log in again", async () => {
    status(401, "Unauthorized", "Unauthorized");
    expect(await failure()).toMatchObject({ name: "UsageError", message: /kubeconfig: log in again/ });
  });

  test("what passes by itself is not blamed on who asked", async () => {
    status(429, "Busy", "ask again in a few seconds");
    const error = await failure();
    expect(error.message).toBe("ask again in a few seconds");
    expect(error).not.toBeInstanceOf(UsageError);
  });

  test("an API server that is away is named, with why", async () => {
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect((await failure()).message).toBe(
      `the API server of your kubeconfig cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}. See whether 'kubectl version' reaches it`,
    );
  });

  test.each([
    ["{}", /no cluster is configured.*set KUBECONFIG$/],
    ["{ token: secret\n{{{", /^expected a kubeconfig [^\n]+, found: [^\n]+ Set KUBECONFIG to [^\n]+$/],
  ])("a kubeconfig of %j is told in one line", async (content, expected) => {
    writeFileSync(join(folder, "kubeconfig"), content);
    const error = await failure();
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toMatch(expected);
    expect(error.message).not.toContain("secret");
  });
});

describe("model", () => {
  const fetched = () => clusterModel("churn", { ...OPTIONS, output: join(folder, "model") });

  test("writes the package as it was published", async () => {
    expect(await fetched()).toBe(0);
    for (const [path, content] of Object.entries({ ...FILES, "model.json": MANIFEST })) {
      expect(readFileSync(join(folder, "model", path)).equals(Buffer.from(content)), path).toBe(true);
    }
  });

  test("leaves nothing where the package broke off", async () => {
    await store.put(`${PREFIX}/recipe/train.py`, encode("other"));
    await expect(fetched()).rejects.toThrow(/broke off on its way/);
    expect(readdirSync(folder)).toEqual(["kubeconfig"]);
  });

  test("does not blame the way where this machine cannot write", async () => {
    const output = join(folder, "kubeconfig", "model");
    await expect(clusterModel("churn", { ...OPTIONS, output })).rejects.toThrow(/^E[A-Z]+: .*kubeconfig/);
    expect(readdirSync(folder)).toEqual(["kubeconfig"]);
  });

  test("leaves nothing where it is whole, and another one than the status says", async () => {
    const files = { "model.json": '{"files": {}}' };
    modelIs((response) => pipeline(packTar(archive(files), new Date(0)), response));
    await expect(fetched()).rejects.toThrow(/has the digest/);
    expect(existsSync(join(folder, "model"))).toBe(false);
  });

  test.each(["../outside", "extra"])("writes no file that model.json does not name: %s", async (path) => {
    const files = { "model.json": new TextDecoder().decode(MANIFEST), [path]: "x" };
    modelIs((response) => pipeline(packTar(archive(files), new Date(0)), response));
    await expect(fetched()).rejects.toThrow(/names no further file/);
    expect(readdirSync(folder)).toEqual(["kubeconfig"]);
  });

  test("refuses a folder with something in it, before anything is asked", async () => {
    await expect(clusterModel("churn", { ...OPTIONS, output: folder })).rejects.toThrow(/is there already/);
    expect(tokens).toEqual([]);
  });

  test("says what the operator said where it refuses", async () => {
    const refusal = { outcome: "Denied", message: "you may not get trainingjobs" };
    modelIs(async (response) => void response.writeHead(403).end(JSON.stringify(refusal)));
    await expect(fetched()).rejects.toThrow("you may not get trainingjobs");
  });
});

async function* archive(files: Readonly<Record<string, string>>) {
  for (const [path, content] of Object.entries(files)) {
    yield { path, size: Buffer.byteLength(content), body: Readable.from([Buffer.from(content)]) };
  }
}
