import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["operator/**/*.test.ts", "inference-server/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
