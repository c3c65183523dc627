import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createPlainServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { ApiServer } from "./api-server.ts";

afterEach(() => vi.unstubAllEnvs());

test("where nothing names a cluster, it is said, with what to do", () => {
  vi.stubEnv("KUBECONFIG", undefined);
  vi.stubEnv("HOME", "/nonexistent");
  expect(() => ApiServer.fromEnvironment()).toThrow(/no cluster is configured.*KUBECONFIG/);
});

/** A pair of key and certificate for 127.0.0.1, signed by itself. */
function certificate(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "autoai-api-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
    ...["-keyout", key, "-out", cert],
  ]);
  const pair = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(folder, { recursive: true, force: true });
  return pair;
}

test("requests in a row share a connection, and a server with another certificate is reached when that is known", async () => {
  const served = certificate();
  let connections = 0;
  const server = createServer(served, (_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
  server.on("secureConnection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const config = new KubeConfig();
  const trust = (cert: string) =>
    config.loadFromOptions({
      clusters: [
        {
          name: "c",
          server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
          caData: Buffer.from(cert).toString("base64"),
        },
      ],
      users: [{ name: "u", token: "token" }],
      contexts: [{ name: "x", cluster: "c", user: "u" }],
      currentContext: "x",
    });
  trust(served.cert);
  const api = new ApiServer(config);
  for (let count = 0; count < 10; count++) await api.request("GET", "/api/v1/pods");
  // A socket may not be free yet when the next request comes.
  expect(connections).toBeLessThan(4);

  const renewed = certificate();
  server.setSecureContext(renewed);
  server.closeAllConnections();
  await expect(api.request("GET", "/api/v1/pods")).rejects.toThrow();
  trust(renewed.cert);
  await expect(vi.waitFor(() => api.request("GET", "/api/v1/pods"), 5000)).resolves.toEqual({});
});

test("so many requests are under way at once and no more, but one that is urgent does not wait", async () => {
  let underWay = 0;
  let most = 0;
  let isHeld = true;
  const held: (() => void)[] = [];
  const server = createPlainServer((request, response) => {
    const answer = () => {
      underWay--;
      response.setHeader("content-type", "application/json");
      response.end("{}");
    };
    most = Math.max(most, ++underWay);
    if (request.url === "/urgent") answer();
    else if (isHeld) held.push(answer);
    else setImmediate(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: "test",
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      skipTLSVerify: true,
    },
    { name: "test" },
  );
  const api = new ApiServer(config);
  const answers = Array.from({ length: 100 }, (_, number) => api.request("GET", `/${number}`));
  await vi.waitFor(() => expect(held.length).toBe(48));
  await api.request("GET", "/urgent", { urgent: true });
  expect(held.length).toBe(48);
  isHeld = false;
  for (const answer of held) answer();
  await Promise.all(answers);
  expect(most).toBe(49);
});
