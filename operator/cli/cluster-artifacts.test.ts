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
