import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MemoryCluster } from "../cluster/memory.ts";
import { StalledError } from "../engine/errors.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { absoluteFileUri, bringSource, MAX_DATASET_BYTES, sourceProblem } from "./source.ts";

let folder = "";
const uri = (name: string) => pathToFileURL(join(folder, name)).href;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autoai-source-"));
  mkdirSync(join(folder, "a folder"));
  writeFileSync(join(folder, "rows 100%.csv"), "a,b\n1,2\n");
  writeFileSync(join(folder, "large.csv"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a file as a data set", () => {
  test("of the most bytes there may be is taken, one of a byte more is not", async () => {
    truncateSync(join(folder, "large.csv"), MAX_DATASET_BYTES);
    expect(await sourceProblem({ uri: uri("large.csv") })).toBeUndefined();
    truncateSync(join(folder, "large.csv"), MAX_DATASET_BYTES + 1);
    expect(await sourceProblem({ uri: uri("large.csv") })).toMatch(/has 104857601 bytes; .*100 MB/);
  });

  test.each([
    ["none.csv", /none\.csv: there is no such file/],
    ["rows 100%.csv/more.csv", /there is no such file/],
    ["a folder", /is not a file; expected a CSV/],
  ])("%s is told what is wrong with it", async (name, message) => {
    expect(await sourceProblem({ uri: uri(name) })).toMatch(message);
  });

  test("elsewhere than on this machine is not read", async () => {
    for (const address of ["https://host/rows.csv", "s3://bucket/rows.csv"])
      expect(await sourceProblem({ uri: address })).toMatch(/download it and name it with file:/);
  });
});

describe("addresses in a manifest", () => {
  test.each([
    ["file:rows.csv", "file:///jobs/rows.csv"],
    ["file:./data/rows.csv", "file:///jobs/data/rows.csv"],
    ["file:../rows.csv", "file:///rows.csv"],
    ["file:/data/rows.csv", "file:///data/rows.csv"],
    ["file:///data/rows.csv", "file:///data/rows.csv"],
    ["file:my rows.csv", "file:///jobs/my%20rows.csv"],
    ["file:my%20rows.csv", "file:///jobs/my%20rows.csv"],
    ["s3://bucket/rows.csv", "s3://bucket/rows.csv"],
  ])("%s, seen from /jobs, is %s", (address, absolute) => {
    expect(absoluteFileUri(address, "/jobs")).toBe(absolute);
  });

  test("a percent sign that encodes nothing is part of the name", () => {
    expect(absoluteFileUri("file:rows 100%.csv", folder)).toBe(uri("rows 100%.csv"));
  });
});

describe("bringing a source", () => {
  const store = new MemoryStore();
  const cluster = new MemoryCluster();
  const bring = bringSource(cluster, store);
  const text = async (key: string) => new TextDecoder().decode(await store.get(key));

  test("copies a file's bytes", async () => {
    await bring({ uri: uri("rows 100%.csv") }, "default", "file");
    expect(await text("file")).toBe("a,b\n1,2\n");
  });

  test("takes a ConfigMap's key", async () => {
    cluster.setConfigMap("team", "rows", { "rows.csv": "a\n1\n" });
    await bring({ configMapKeyRef: { name: "rows", key: "rows.csv" } }, "team", "map");
    expect(await text("map")).toBe("a\n1\n");
  });

  test.each([
    [{ name: "none", key: "rows.csv" }, /there is no such ConfigMap/],
    [{ name: "rows", key: "other.csv" }, /it has the keys rows\.csv/],
  ])("stalls where the ConfigMap or its key is missing: %j", async (configMapKeyRef, message) => {
    const brought = bring({ configMapKeyRef }, "team", "missing");
    await expect(brought).rejects.toBeInstanceOf(StalledError);
    await expect(brought).rejects.toThrow(message);
    expect(await store.exists("missing")).toBe(false);
  });

  test("stalls where the file is missing", async () => {
    await expect(bring({ uri: uri("none.csv") }, "default", "missing")).rejects.toMatchObject({
      reason: "InvalidSource",
    });
  });
});
