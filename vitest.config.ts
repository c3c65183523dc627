import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Nothing is timed, and the machine may be busy: with the other project's tests, which run beside.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: [
      {
        extends: true,
        test: {
          name: "local",
          include: [
            "operator/**/*.test.ts",
            "inference-server/**/*.test.ts",
            "console/**/*.test.ts",
            "test/**/*.test.ts",
          ],
          exclude: ["test/cluster/*.test.ts"],
          setupFiles: ["test/statuses/local.ts"],
        },
      },
      // On a real cluster (test/cluster/README.md), which its tests share: one file at a time.
      {
        extends: true,
        test: {
          name: "cluster",
          include: ["test/cluster/*.test.ts"],
          // It takes minutes, and everything that is on the cluster: `make restore` runs it.
          exclude: process.env.AUTOAI_RESTORE ? [] : ["test/cluster/backup.test.ts"],
          setupFiles: ["test/cluster/setup.ts"],
          fileParallelism: false,
        },
      },
    ],
  },
});
