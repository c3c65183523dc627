/** What a server of a model can do with its grant, and what it cannot, on a real store. */
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { findMinio, type Minio, startMinio } from "../../test/minio.ts";
import { predictionLogPrefix, segmentKey, segmentKeyAt, segmentOf } from "../api/prediction-log.ts";
import { logGrant } from "./log-grant.ts";
import { expireSegments } from "./retention.ts";

const DEPLOYMENT = { namespace: "team", name: "churn" };
const PREFIX = predictionLogPrefix("team", "churn");

test("a grant is for a day, below the deployment's own prefix, with a key that the sender chooses", async () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  const grants = {
    grantPost: async (prefix: string) => ({
      url: "http://store:9000/autoai",
      fields: { key: prefix, policy: "p" },
    }),
  };
  const grant = await logGrant(grants, DEPLOYMENT, now);
  expect(grant).toEqual({
    url: "http://store:9000/autoai",
    fields: { policy: "p" },
    prefix: "predictions/team/churn/",
    expires: "2026-02-01T12:00:00.000Z",
  });
});

test("the order of keys is the order of time, and a moment's beginning stands before all keys from then on", () => {
  const name = "1770000000000-0a1b2c3d";
  const times = ["2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00.000Z", "2026-02-01T00:00:00.001Z"].map(
    Date.parse,
  );
  const keys = times.map((time) => segmentKey(PREFIX, time, "pod-b", name));
  expect([...keys].sort()).toEqual(keys);
  const since = segmentKeyAt(PREFIX, times[1] ?? 0);
  expect(keys.map((key) => key > since)).toEqual([false, true, true]);
  expect(segmentOf(PREFIX, keys[0] ?? "")).toEqual({ day: "2026-01-31", last: times[0] });
  for (const strange of [
    "predictions/team/churn/x",
    `${PREFIX}2026-01-31/a.ndjson.gz`,
    keys[0]?.slice(1) ?? "",
  ]) {
    expect(segmentOf(PREFIX, strange)).toBeUndefined();
  }
});

const program = findMinio();
describe.runIf(program !== undefined)("on MinIO, a grant", () => {
  let minio: Minio;
  beforeAll(async () => {
    minio = await startMinio(program ?? "");
  });
  afterAll(() => minio.close());

  const KEY = segmentKey(PREFIX, Date.now(), "pod", "1770000000000-0a1b2c3d");
  async function post(
    grant: { url: string; fields: Readonly<Record<string, string>> },
    key: string,
    body = "x",
  ) {
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...grant.fields, key })) form.append(name, value);
    form.append("file", new Blob([body]));
    const reply = await fetch(grant.url, { method: "POST", body: form });
    await reply.arrayBuffer();
    return reply.status;
  }

  it("takes objects below the deployment's prefix, and nowhere else", async () => {
    const grant = await logGrant(minio.store, DEPLOYMENT, Date.now());
    expect(await post(grant, KEY)).toBe(204);
    for (const elsewhere of [
      "predictions/team/churn-2/2026-01-31/a.ndjson.gz",
      "predictions/other/churn/2026-01-31/a.ndjson.gz",
      "predictions/team/churn",
      "models/team/churn/model.json",
      "a",
    ]) {
      expect(await post(grant, elsewhere), elsewhere).toBe(403);
    }
    expect(await post({ ...grant, url: grant.url.replace("/autoai", "/other") }, KEY)).toBe(403);
    expect(await minio.store.list("")).toEqual([KEY]);
  });

  it("goes nowhere by a key with dots in it", async () => {
    const grant = await logGrant(minio.store, DEPLOYMENT, Date.now());
    for (const key of [`${PREFIX}../other/a`, `${PREFIX}../../../models/a`, `${PREFIX}%2e%2e/a`]) {
      const status = await post(grant, key);
      if (status === 204) expect(key).toContain("%2e");
      else expect(status).toBeGreaterThanOrEqual(400);
    }
    for (const key of await minio.store.list("")) expect(key.startsWith(PREFIX), key).toBe(true);
  });

  it("reads, lists and deletes nothing", async () => {
    const grant = await logGrant(minio.store, DEPLOYMENT, Date.now());
    await minio.store.put(KEY, new TextEncoder().encode("kept"));
    const query = new URLSearchParams(grant.fields).toString();
    const bucket = grant.url.replace(/\/$/, "");
    for (const [method, url] of [
      ["GET", `${bucket}/${KEY}`],
      ["GET", `${bucket}/${KEY}?${query}`],
      ["HEAD", `${bucket}/${KEY}?${query}`],
      ["GET", `${bucket}?list-type=2&prefix=${encodeURIComponent(PREFIX)}&${query}`],
      ["PUT", `${bucket}/${KEY}?${query}`],
      ["DELETE", `${bucket}/${KEY}?${query}`],
    ] as const) {
      const reply = await fetch(url, { method });
      await reply.arrayBuffer();
      expect(reply.status, `${method} ${url}`).toBeGreaterThanOrEqual(400);
    }
    expect(new TextDecoder().decode(await minio.store.get(KEY))).toBe("kept");
  });

  it("is no use once its time is over", async () => {
    const short = await minio.store.grantPost(PREFIX, 1, 10);
    while ((await post(short, KEY)) !== 403) await new Promise((resolve) => setTimeout(resolve, 100));
    const fields = { ...short.fields };
    expect(await post({ ...short, fields }, KEY)).toBe(403);
    // Nor where its holder writes a later end into it: the policy is signed.
    const policy = JSON.parse(Buffer.from(fields.policy ?? "", "base64").toString("utf8"));
    const later = { ...policy, expiration: new Date(Date.now() + 86_400_000).toISOString() };
    fields.policy = Buffer.from(JSON.stringify(later)).toString("base64");
    expect(await post({ ...short, fields }, KEY)).toBe(403);
  });

  it("leaves what a real store lists and deletes by pages: the oldest first", async () => {
    const old = [1, 2, 3].map((hour) =>
      segmentKey(PREFIX, Date.UTC(2020, 0, 1, hour), "pod", "1577836800000-0a1b2c3d"),
    );
    for (const key of old) await minio.store.put(key, new Uint8Array(1));
    expect(await minio.store.page(PREFIX, segmentKeyAt(PREFIX, Date.UTC(2020, 0, 1, 2)), 2)).toEqual(
      old.slice(1),
    );
    // A server may write what it likes there: none of it stands in the way.
    const grant = await logGrant(minio.store, DEPLOYMENT, Date.now());
    for (const strange of [".hidden", "0 é+&/x", "%2f"])
      expect(await post(grant, `${PREFIX}${strange}`)).toBe(204);
    await expireSegments(minio.store, { prefix: PREFIX, retentionDays: 30, now: Date.now() });
    expect(await minio.store.page(PREFIX, PREFIX, 2)).toEqual([KEY]);
  });
});
