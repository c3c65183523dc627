import { afterEach, expect, test, vi } from "vitest";
import { ApiServer } from "./api-server.ts";

afterEach(() => vi.unstubAllEnvs());

test("where nothing names a cluster, it is said, with what to do", () => {
  vi.stubEnv("KUBECONFIG", undefined);
  vi.stubEnv("HOME", "/nonexistent");
  expect(() => ApiServer.fromEnvironment()).toThrow(/no cluster is configured.*KUBECONFIG/);
});
