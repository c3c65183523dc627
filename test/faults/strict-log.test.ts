/**
 * The Strict prediction log under `kill -9` and a store that fails: what the server acknowledged is in the log, once. More of it:
 * make faults ARGS="--strict --schedules 20".
 */
import { expect, test } from "vitest";
import { modelPackage } from "../builders/model-package.ts";
import { findMinio, startMinio } from "../minio.ts";
import { tell } from "./embedded/table.ts";
import { runStrict } from "./strict.ts";

const ROUNDS = 3;

test("killed under load, again and again, the server has logged every prediction that it gave, once", {
  timeout: (ROUNDS + 1) * 60_000,
}, async () => {
  using model = await modelPackage("logistic");
  const program = findMinio();
  const minio = program === undefined ? undefined : await startMinio(program);
  try {
    // Of those that follow from small seeds, one in which the store fails in several ways.
    const run = await runStrict({ seed: 1, rounds: ROUNDS, model, minio });
    expect(tell(run)).toEqual(["seed 1: held"]);
    expect(run.struck.get("server killed")).toBe(ROUNDS);
    expect(run.acknowledged).toBeGreaterThan(ROUNDS);
  } finally {
    await minio?.close();
  }
});
