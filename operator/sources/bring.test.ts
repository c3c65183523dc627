import { describe, expect, test } from "vitest";
import { MemoryCluster } from "../cluster/memory.ts";
import { MemoryStore } from "../storage/memory-store.ts";
import { bringSource } from "./bring.ts";
import { belongsTo } from "./s3.ts";

const OWN = { endpoint: "http://10.96.0.9:9000", bucket: "autoai", region: "us-east-1" };

function world() {
  const cluster = new MemoryCluster();
  const store = Object.assign(new MemoryStore(), {
    grants: [] as string[],
    grantGet(key: string) {
      this.grants.push(key);
      return Promise.reject(new Error("nothing is fetched in this test"));
    },
  });
  return { cluster, store, bring: bringSource({ cluster, store, own: OWN }) };
}

describe("a ConfigMap as a data set", () => {
  test("may hold text, and bytes that are no text", async () => {
    const { cluster, store, bring } = world();
    const bytes = Uint8Array.from([0xff, 0xfe, 0x61, 0x00]);
    cluster.setConfigMap("team", "rows", { "a.csv": "a\n1\n", "b.csv": bytes });
    await bring({ configMapKeyRef: { name: "rows", key: "a.csv" } }, "team", "a");
    await bring({ configMapKeyRef: { name: "rows", key: "b.csv" } }, "team", "b");
    expect(new TextDecoder().decode(await store.get("a"))).toBe("a\n1\n");
    expect(await store.get("b")).toEqual(bytes);
  });
});

describe("the operator's bucket", () => {
  test.each([
    "s3://autoai/jobs/other/churn-1234/data/train.csv",
    "s3://autoai/datasets/other/rows/canonical.csv",
    "s3://autoai/jobs/team",
    "s3://autoai/jobs/teammates/churn/data/train.csv",
    "s3://autoai/environments/abc.tar",
    "s3://elsewhere/jobs/team/rows.csv",
  ])("is not read by a namespace where it belongs to others: %s", async (uri) => {
    const { bring, store } = world();
    await expect(bring({ uri }, "team", "key")).rejects.toMatchObject({ reason: "SourceForbidden" });
    expect(store.grants).toEqual([]);
  });

  test("is read where it belongs to the namespace, by its own key", async () => {
    const { bring, store } = world();
    await expect(bring({ uri: "s3://autoai/sources/team/rows.csv" }, "team", "key")).rejects.toThrow();
    expect(store.grants).toEqual(["sources/team/rows.csv"]);
    expect(belongsTo("team", "sources/team/rows.csv")).toBe(true);
    expect(belongsTo("team", "sources/team-b/rows.csv")).toBe(false);
  });
});

describe("a bucket of one's own", () => {
  const source = { uri: "s3://data/rows.csv", credentialsSecretRef: { name: "s3" } };

  test.each([
    [undefined, "SecretNotFound"],
    [{ accessKeyId: "a" }, "MissingKey"],
    [{ accessKeyId: "a", secretAccessKey: "b", endpoint: "minio:9000" }, "MissingKey"],
    [{ accessKeyId: "a", secretAccessKey: "b", endpoint: "http://s3.example" }, "SourceForbidden"],
    [{ accessKeyId: "a", secretAccessKey: "b", endpoint: "https://10.0.0.1" }, "SourceForbidden"],
    [{ accessKeyId: "a", secretAccessKey: "b", endpoint: "https://169.254.169.254" }, "SourceForbidden"],
  ])("needs a Secret that names what is needed, and nothing inside: %j", async (secret, reason) => {
    const { cluster, bring } = world();
    if (secret) cluster.setSecret("team", "s3", secret);
    await expect(bring(source, "team", "key")).rejects.toMatchObject({ reason });
  });

  test("is not read with a Secret of another namespace", async () => {
    const { cluster, bring } = world();
    cluster.setSecret("other", "s3", { accessKeyId: "a", secretAccessKey: "b" });
    await expect(bring(source, "team", "key")).rejects.toMatchObject({ reason: "SecretNotFound" });
  });
});
