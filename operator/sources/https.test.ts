import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type FetchOptions, fetchBytes, isPublic } from "./https.ts";

let folder = "";
let tls = { key: "", cert: "" };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autoai-https-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test".split(" "),
    ...["-addext", "subjectAltName=DNS:data.example,DNS:other.example", "-keyout", key, "-out", cert],
  ]);
  tls = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A server on this machine that stands for one of the internet: its address counts as public, and no other local one. */
async function serve(listener: RequestListener) {
  const server = createServer(tls, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const resolved: string[] = [];
  const options: FetchOptions = {
    maxBytes: 1000,
    ca: tls.cert,
    resolve: async (host) => {
      resolved.push(host);
      return ["127.0.0.1"];
    },
    isAllowed: (address) => address === "127.0.0.1" || isPublic(address),
  };
  return { at: (path: string, host = "data.example") => `https://${host}:${port}${path}`, options, resolved };
}

const csv: RequestListener = (_request, response) => {
  response.setHeader("content-type", "text/csv");
  response.end("a,b\n1,2\n");
};

describe("a file at an HTTPS address", () => {
  test("is read", async () => {
    const { at, options } = await serve(csv);
    expect(new TextDecoder().decode(await fetchBytes(at("/rows.csv"), options))).toBe("a,b\n1,2\n");
  });

  test("may be behind redirects, to another host too, but not behind many", async () => {
    const { at, options, resolved } = await serve((request, response) => {
      if (request.url === "/rows.csv") return csv(request, response);
      response.statusCode = 302;
      response.setHeader("location", request.url === "/loop" ? "/loop" : at("/rows.csv", "other.example"));
      response.end();
    });
    expect((await fetchBytes(at("/moved"), options)).length).toBe(8);
    expect(resolved).toEqual(["data.example", "other.example"]);
    await expect(fetchBytes(at("/loop"), options)).rejects.toMatchObject({ reason: "SourceRefused" });
  });

  test("is refused as soon as it is too large, whether it says so or not", async () => {
    let sent = 0;
    const { at, options } = await serve((request, response) => {
      if (request.url === "/honest") response.setHeader("content-length", "5000000");
      const timer = setInterval(() => {
        sent += 500;
        response.write("x".repeat(500));
      }, 1);
      response.on("close", () => clearInterval(timer));
    });
    for (const path of ["/honest", "/endless"])
      await expect(fetchBytes(at(path), options)).rejects.toMatchObject({ reason: "SourceTooLarge" });
    expect(sent).toBeLessThan(1_000_000);
  });

  test.each([
    ["a page", { "content-type": "text/html; charset=utf-8" }, 200, "InvalidSource"],
    ["an image", { "content-type": "image/png" }, 200, "InvalidSource"],
    ["compressed", { "content-type": "text/csv", "content-encoding": "gzip" }, 200, "InvalidSource"],
    ["missing", {}, 404, "SourceNotFound"],
    ["locked", {}, 403, "SourceRefused"],
    ["broken", {}, 503, "SourceUnavailable"],
    ["elsewhere, nowhere", {}, 302, "SourceRefused"],
  ] as const)("that is %s is refused with its reason", async (_what, headers, code, reason) => {
    const { at, options } = await serve((_request, response) => response.writeHead(code, headers).end("x"));
    await expect(fetchBytes(at("/"), options)).rejects.toMatchObject({ reason });
  });

  test("that does not come in time is given up", async () => {
    const { at, options } = await serve((_request, response) => response.flushHeaders());
    const late = fetchBytes(at("/slow"), { ...options, timeoutSeconds: 0.3 });
    await expect(late).rejects.toMatchObject({ reason: "SourceUnavailable" });
  });

  test("with a certificate that nobody signed is refused", async () => {
    const { at, options } = await serve(csv);
    const { ca: _, ...distrustful } = options;
    await expect(fetchBytes(at("/"), distrustful)).rejects.toMatchObject({ reason: "SourceRefused" });
  });

  test("is shown in errors without what may be a signature", async () => {
    const { at, options } = await serve((_request, response) => response.writeHead(403).end());
    const refused = fetchBytes(at("/rows.csv?X-Amz-Signature=topsecret"), options);
    await expect(refused).rejects.toThrow(/\/rows\.csv was answered with 403/);
    await expect(refused).rejects.not.toThrow(/topsecret/);
  });
});

describe("the inside of the cluster", () => {
  const INSIDE = [
    "127.0.0.1",
    "10.96.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
  ];

  test.each(INSIDE)("is not read by a name that is %s", async (address) => {
    let asked = 0;
    const { at, options } = await serve(() => asked++);
    const { isAllowed: _, ...strict } = options;
    const fetched = fetchBytes(at("/"), { ...strict, resolve: async () => ["93.184.215.14", address] });
    await expect(fetched).rejects.toMatchObject({ reason: "SourceForbidden" });
    expect(asked).toBe(0);
  });

  test.each([
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::ffff:7f00:1]/",
    "https://[fd00::1]:8443/",
    "https://169.254.169.254/latest/meta-data",
  ])("is not read by the address %s", async (uri) => {
    await expect(fetchBytes(uri, { maxBytes: 10 })).rejects.toMatchObject({ reason: "SourceForbidden" });
  });

  test.each([
    "http://data.example/rows.csv",
    "https://10.0.0.1/rows.csv",
    "https://user:word@data.example/",
    "file:///etc/passwd",
  ])("is not read by a redirect to %s", async (location) => {
    const { at, options } = await serve((_request, response) => response.writeHead(302, { location }).end());
    await expect(fetchBytes(at("/"), options)).rejects.toMatchObject({ reason: "SourceForbidden" });
  });

  test("is not read by a name that changes its address after it was checked", async () => {
    let asked = 0;
    const { at, options } = await serve((request, response) => {
      asked++;
      csv(request, response);
    });
    let answers = 0;
    // Whatever is answered second is never asked for.
    const resolve = async () => (answers++ === 0 ? ["127.0.0.1"] : ["10.0.0.1"]);
    expect((await fetchBytes(at("/"), { ...options, resolve })).length).toBe(8);
    expect([answers, asked]).toEqual([1, 1]);
  });
});
