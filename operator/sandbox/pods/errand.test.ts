import { expect, it } from "vitest";
import type { Execution } from "../executor.ts";
import { errandOf } from "./errand.ts";
import { RUNNER_PATH } from "./settings.ts";

const COMMON = {
  owner: "team/job",
  limits: { seconds: 60, cpus: 1, memoryBytes: 1e9, diskBytes: 1e8, processes: 20 },
  inputs: {},
  outputs: {},
};
const ENVIRONMENT = "e".repeat(64);
const EXECUTIONS: Execution[] = [
  { ...COMMON, kind: "Install", name: "install", packages: [], outcomeKey: "jobs/team/job-1/install.json" },
  {
    ...COMMON,
    kind: "Sandboxed",
    name: "step",
    command: ["train.py"],
    environment: ENVIRONMENT,
    snapshotPrefix: "jobs/team/job-1/workspaces/",
    outcomeKey: "jobs/team/job-1/step.json",
  },
  {
    ...COMMON,
    kind: "Trusted",
    name: "verb",
    verb: "ingest",
    request: {},
    outcomeKey: "jobs/team/job-1/verb.json",
  },
];

it.each(EXECUTIONS)(
  "grants to $kind what is of its own namespace, and nothing of another's",
  async (execution) => {
    const granted: string[] = [];
    const grant = async (key: string) => {
      granted.push(key);
      return key;
    };
    const grants = {
      grantGet: grant,
      grantPut: grant,
      grantPost: async (prefix: string) => ({ url: await grant(prefix), fields: { key: prefix } }),
    };
    const settings = { image: "runner", pullPolicy: "Never", runnerPath: RUNNER_PATH } as const;
    await errandOf(execution, { grants, settings, archive: "a".repeat(64) });
    expect(granted.length).toBeGreaterThan(1);
    for (const key of granted) expect(key).toMatch(/^(jobs|environments)\/team\//);
  },
);
