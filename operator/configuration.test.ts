import { describe, expect, test } from "vitest";
import { ConfigurationError, readConfiguration } from "./configuration.ts";

const ENV = {
  AUTOAI_NAMESPACE: "autoai-system",
  AUTOAI_IDENTITY: "autoai-0",
  AUTOAI_STORE_ENDPOINT: "http://10.96.0.9:9000",
  AUTOAI_STORE_ACCESS_KEY: "access",
  AUTOAI_STORE_SECRET_KEY: "s3cret-value",
  AUTOAI_RUNNER_IMAGE: "autoai-runner:dev",
};

describe("the configuration of the operator", () => {
  test("has defaults for all but what only the chart can know", () => {
    expect(readConfiguration(ENV)).toMatchObject({
      watchNamespaces: [],
      store: { bucket: "autoai", region: "us-east-1", port: 9000, selector: { cidr: "10.96.0.9/32" } },
      runner: { pullPolicy: "IfNotPresent" },
      environmentsClaim: undefined,
      httpPort: 8080,
      artifacts: "Retain",
      logLevel: "info",
    });
  });

  test("reads lists and JSON", () => {
    const read = readConfiguration({
      ...ENV,
      AUTOAI_WATCH_NAMESPACES: "one, two",
      AUTOAI_POD_NODE_SELECTOR: '{"pool":"cpu"}',
      AUTOAI_STORE_SELECTOR: '{"namespace":"autoai-system","podLabels":{"app":"minio"}}',
      AUTOAI_INDEX_EGRESS: '[{"cidr":"0.0.0.0/0","except":["10.0.0.0/8"],"ports":[443]}]',
      AUTOAI_HTTP_PORT: "9090",
    });
    expect(read.watchNamespaces).toEqual(["one", "two"]);
    expect(read.pods.nodeSelector).toEqual({ pool: "cpu" });
    expect(read.index.egress?.[0]?.ports).toEqual([443]);
    expect(read.httpPort).toBe(9090);
  });

  test.each([
    [{ AUTOAI_STORE_ENDPOINT: "http://minio:9000" }, /AUTOAI_STORE_SELECTOR: is not set/],
    [{ AUTOAI_RUNNER_IMAGE: undefined }, /AUTOAI_RUNNER_IMAGE: is not set/],
    [{ AUTOAI_STORE_ENDPOINT: "minio:9000" }, /AUTOAI_STORE_ENDPOINT: must be http:\/\/host:port/],
    [{ AUTOAI_WATCH_NAMESPACES: "One" }, /AUTOAI_WATCH_NAMESPACES \(at 0\): must be the name/],
    [{ AUTOAI_POD_NODE_SELECTOR: "{pool: cpu}" }, /AUTOAI_POD_NODE_SELECTOR: must be JSON/],
    [{ AUTOAI_HTTP_PORT: "http" }, /AUTOAI_HTTP_PORT: /],
    [{ AUTOAI_ARTIFACTS: "Keep" }, /AUTOAI_ARTIFACTS: .*Retain.*Delete/],
  ])("names the variable that is at fault: %j", (change, message) => {
    expect(() => readConfiguration({ ...ENV, ...change })).toThrow(message);
  });

  test("names all of them at once, and repeats no value", () => {
    const read = () =>
      readConfiguration({ AUTOAI_STORE_ENDPOINT: "user:s3cret-value@host", AUTOAI_STORE_SECRET_KEY: "" });
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(/AUTOAI_NAMESPACE: is not set[\s\S]*AUTOAI_RUNNER_IMAGE: is not set/);
    expect(read).not.toThrow(/s3cret-value/);
  });
});
