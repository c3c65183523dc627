import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ready, training } from "../../test/builders/statuses.ts";
import { TrainingJob } from "../api/trainingjob.ts";
import { ConflictError } from "./cluster.ts";
import { MemoryCluster, type MemoryClusterOptions } from "./memory.ts";

const fixed: MemoryClusterOptions = { now: () => 0, uid: () => "uid" };

function job(name = "job", target = "answer"): TrainingJob {
  return TrainingJob.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name },
    spec: { dataset: { uri: "s3://bucket/rows.csv" }, target },
  });
}

describe("a cluster in memory", () => {
  test("gives what is applied its metadata, and a new generation when the spec changes, and only then", () => {
    const cluster = new MemoryCluster(fixed);
    expect(cluster.apply(job()).metadata).toEqual({
      name: "job",
      namespace: "default",
      uid: "uid",
      creationTimestamp: "1970-01-01T00:00:00.000Z",
      generation: 1,
      resourceVersion: "1",
    });
    expect(cluster.apply(job()).metadata).toMatchObject({ generation: 1, resourceVersion: "1" });
    expect(cluster.apply(job("job", "other")).metadata).toMatchObject({ generation: 2, uid: "uid" });
  });

  test("refuses a status made from an object that changed since", async () => {
    const cluster = new MemoryCluster(fixed);
    const read = cluster.apply(job());
    await cluster.updateStatus(read, training());
    await expect(cluster.updateStatus(read, ready())).rejects.toBeInstanceOf(ConflictError);
    expect((await cluster.get("TrainingJob", "default/job"))?.status?.state).toBe("TRAINING");
    cluster.delete("TrainingJob", "default/job");
    await expect(cluster.updateStatus(read, ready())).rejects.toBeInstanceOf(ConflictError);
  });

  test("writes a status only where it differs, and tells whoever watches", async () => {
    const cluster = new MemoryCluster(fixed);
    const seen: (string | undefined)[] = [];
    cluster.watch((resource) => seen.push(resource.metadata.resourceVersion));
    await cluster.updateStatus(cluster.apply(job()), training());
    const read = await cluster.get("TrainingJob", "default/job");
    if (!read) throw new Error("the job is gone");
    await cluster.updateStatus(read, training());
    expect(seen).toEqual(["1", "2"]);
  });

  test("keeps the status of a resource whose spec is applied again", async () => {
    const cluster = new MemoryCluster(fixed);
    await cluster.updateStatus(cluster.apply(job()), training());
    expect(cluster.apply(job("job", "other")).status).toEqual(training());
  });

  test("hands out copies: nobody changes what is stored by changing what he got", async () => {
    const cluster = new MemoryCluster(fixed);
    cluster.apply(job()).spec.target = "changed";
    const read = await cluster.get("TrainingJob", "default/job");
    if (read) read.spec.target = "changed";
    cluster.list("TrainingJob").forEach((one) => {
      one.spec.target = "changed";
    });
    expect((await cluster.get("TrainingJob", "default/job"))?.spec.target).toBe("answer");
  });

  test("folds events that repeat themselves", async () => {
    const cluster = new MemoryCluster(fixed);
    const read = cluster.apply(job());
    for (const message of ["a", "a", "b"]) await cluster.event(read, "Warning", "Evicted", message);
    expect(cluster.events.map(({ message, count }) => [message, count])).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
  });

  test("holds Secrets and ConfigMaps by namespace", async () => {
    const cluster = new MemoryCluster(fixed);
    cluster.setSecret("one", "gemini", { apiKey: "k" });
    cluster.setConfigMap("one", "rows", { "rows.csv": "a" });
    expect(await cluster.secret("one", "gemini")).toEqual({ apiKey: "k" });
    expect(await cluster.secret("other", "gemini")).toBeUndefined();
    expect(await cluster.configMap("one", "rows")).toEqual({ "rows.csv": "a" });
    expect(await cluster.configMap("one", "gemini")).toBeUndefined();
  });
});

describe("a cluster in a folder", () => {
  test("is found again by the next process, but for Secrets, and what was deleted is gone", async () => {
    const folder = mkdtempSync(join(tmpdir(), "autoai-cluster-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const options = { ...fixed, folder: join(folder, "objects") };
    const cluster = new MemoryCluster(options);
    cluster.setSecret("default", "gemini", { apiKey: "AIza" });
    await cluster.updateStatus(cluster.apply(job("one")), ready());
    cluster.apply(job("two"));
    cluster.delete("TrainingJob", "default/two");

    const next = new MemoryCluster(options);
    expect(next.list("TrainingJob")).toEqual(cluster.list("TrainingJob"));
    expect((await next.get("TrainingJob", "default/one"))?.status).toEqual(ready());
    expect(await next.secret("default", "gemini")).toBeUndefined();
    expect(readdirSync(join(folder, "objects"))).toEqual(["trainingjob.default.one.json"]);
  });

  test("tells, when it is read again, of what another process wrote and took away there, and of nothing else", () => {
    const folder = mkdtempSync(join(tmpdir(), "autoai-cluster-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const ours = new MemoryCluster({ folder });
    ours.apply(job("ours"));
    const other = new MemoryCluster({ folder });
    const told: string[] = [];
    ours.watch(({ metadata }) => told.push(metadata.name));
    ours.watchDeletions((_, key) => told.push(`gone ${key}`));
    ours.reload();
    expect(told).toEqual([]);
    other.apply(job("theirs"));
    other.apply(job("ours", "another"));
    ours.reload();
    expect(told.sort()).toEqual(["ours", "theirs"]);
    expect(
      ours
        .list("TrainingJob")
        .map(({ spec }) => spec.target)
        .sort(),
    ).toEqual(["another", "answer"]);
    other.delete("TrainingJob", "default/theirs");
    ours.reload();
    expect(told).toContain("gone default/theirs");
    expect(ours.list("TrainingJob")).toHaveLength(1);
  });

  test("reads again those files alone that are others than before: a home has thousands", () => {
    const folder = mkdtempSync(join(tmpdir(), "autoai-cluster-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    new MemoryCluster({ folder }).apply(job("one"));
    const cluster = new MemoryCluster({ folder });
    const path = join(folder, "trainingjob.default.one.json");
    const { size, atime, mtime } = statSync(path);
    utimesSync(path, atime, mtime);
    cluster.reload();
    writeFileSync(path, "x".repeat(size));
    utimesSync(path, atime, mtime);
    expect(() => cluster.reload()).not.toThrow();
    expect(cluster.list("TrainingJob")).toHaveLength(1);
    utimesSync(path, atime, new Date(mtime.getTime() + 1000));
    expect(() => cluster.reload()).toThrow(SyntaxError);
  });
});
