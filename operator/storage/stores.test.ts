import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findMinio, type Minio, startMinio } from "../../test/minio.ts";
import { fc } from "../../test/properties.ts";
import { type ArtifactStore, NotFoundError } from "./artifact-store.ts";
import { FileStore } from "./file-store.ts";
import { InvalidKeyError } from "./key.ts";
import { MemoryStore } from "./memory-store.ts";
import { S3Store } from "./minio.ts";
import type { Streams } from "./streams.ts";

const directories: string[] = [];
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "store-"));
  directories.push(path);
  return path;
}
afterAll(() => {
  for (const path of directories) rmSync(path, { recursive: true });
});
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);

const program = findMinio();
let minio: Minio;
beforeAll(async () => {
  if (program !== undefined) minio = await startMinio(program);
});
afterAll(() => minio?.close());

let buckets = 0;
type Store = ArtifactStore & Streams;
type Making = () => Store | Promise<Store>;
async function bucket(): Promise<S3Store> {
  const store = new S3Store({ ...minio.options, bucket: `bucket-${++buckets}` });
  await store.ensureBucket();
  return store;
}

const stores: [string, Making][] = [
  ["FileStore", () => new FileStore(directory())],
  ["MemoryStore", () => new MemoryStore()],
];
if (program !== undefined) stores.push(["S3Store", bucket]);
describe.each(stores)("%s", (_, make) => {
  it("gives back what was put, and what replaced it", async () => {
    const store = await make();
    await store.put("a/b", bytes("one"));
    await store.put("a/b", bytes("two"));
    expect(text(await store.get("a/b"))).toBe("two");
  });

  it("creates a key once, and leaves the first object as it was", async () => {
    const store = await make();
    const created = await Promise.all(["x", "y", "z"].map((body) => store.create("journal/1", bytes(body))));
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(text(await store.get("journal/1"))).toBe(["x", "y", "z"][created.indexOf(true)]);
    expect(await store.create("journal/1", bytes("later"))).toBe(false);
  });

  it("throws NotFoundError for a key that is missing, or only a directory of others", async () => {
    const store = await make();
    await store.put("a/b", bytes(""));
    await expect(store.get("a")).rejects.toBeInstanceOf(NotFoundError);
    await expect(store.get("a/b/c")).rejects.toBeInstanceOf(NotFoundError);
    expect(await store.exists("a")).toBe(false);
    expect(await store.exists("a/b/c")).toBe(false);
  });

  it("reads an object as a stream of a known size, and knows at once that there is none", async () => {
    const store = await make();
    const large = new Uint8Array(300_000).fill(7);
    await store.put("a/b", large);
    const { size, body } = await store.open("a/b");
    expect(size).toBe(large.byteLength);
    expect(Buffer.compare(await buffer(body), large)).toBe(0);
    await expect(store.open("a")).rejects.toBeInstanceOf(NotFoundError);
    await expect(store.open("a/c")).rejects.toBeInstanceOf(NotFoundError);
  });

  it("tells what an object is and copies it, without handing it out", async () => {
    const store = await make();
    const large = new Uint8Array(300_000).fill(7);
    await store.put("a/é+& b", large);
    const sha256 = createHash("sha256").update(large).digest("hex");
    expect(await store.digest("a/é+& b")).toEqual({ sha256, size: large.byteLength });
    await store.put("c/d", bytes("before"));
    await store.copy("a/é+& b", "c/d");
    expect(Buffer.compare(await store.get("c/d"), large)).toBe(0);
    expect(await store.list("")).toEqual(["a/é+& b", "c/d"]);
    await expect(store.copy("a/none", "c/d")).rejects.toBeInstanceOf(NotFoundError);
    await expect(store.digest("a/none")).rejects.toBeInstanceOf(NotFoundError);
    expect(Buffer.compare(await store.get("c/d"), large)).toBe(0);
  });

  it("lists and deletes by prefix, in the middle of a name too", async () => {
    const store = await make();
    for (const key of ["j/10", "j/2", "j-x/1", "k/1"]) await store.put(key, bytes(""));
    expect(await store.list("j")).toEqual(["j-x/1", "j/10", "j/2"]);
    expect(await store.list("j/1")).toEqual(["j/10"]);
    await store.deletePrefix("j/1");
    await store.deletePrefix("k/");
    await store.deletePrefix("k/");
    expect(await store.list("")).toEqual(["j-x/1", "j/2"]);
    await store.put("k", bytes("a key where a directory was"));
    expect(await store.exists("k")).toBe(true);
  });

  it.each(["", "/a", "a/", "a//b", "..", "a/../b", ".partial/x", "a\\b", "a\u0000b", "a".repeat(300), "./a"])(
    "refuses the key %j",
    async (key) => {
      const store = await make();
      await expect(store.put(key, bytes(""))).rejects.toBeInstanceOf(InvalidKeyError);
      await expect(store.get(key)).rejects.toBeInstanceOf(InvalidKeyError);
      await expect(store.create(key, bytes(""))).rejects.toBeInstanceOf(InvalidKeyError);
    },
  );
});

describe("FileStore", () => {
  it("writes below its directory alone, whatever the key", async () => {
    const above = directory();
    const store = new FileStore(join(above, "store"));
    const names = fc.constantFrom("..", ".", "", "a", "/", "%2e%2e", "~", "a\n", "é");
    await fc.assert(
      fc.asyncProperty(fc.array(names, { maxLength: 5 }), async (parts) => {
        await store.put(parts.join("/"), bytes("x")).catch(() => undefined);
        expect(readdirSync(above)).toEqual(["store"]);
      }),
      { numRuns: 50 },
    );
  });

  it("sweeps partial objects of processes that are gone, and lists none", async () => {
    const root = directory();
    const store = new FileStore(root);
    writeFileSync(join(root, ".partial", "999999999-x"), "half");
    writeFileSync(join(root, ".partial", `${process.pid}-y`), "ours");
    expect(await store.list("")).toEqual([]);
    new FileStore(root);
    expect(readdirSync(join(root, ".partial"))).toEqual([`${process.pid}-y`]);
  });

  it("adopts a file without leaving it in its place, readable for a sandbox's user", async () => {
    const root = directory();
    const store = new FileStore(root);
    const file = join(directory(), "model");
    writeFileSync(file, "weights", { mode: 0o600 });
    await store.adopt("m/model", file);
    expect(text(await store.get("m/model"))).toBe("weights");
    expect(statSync(await store.pathOf("m/model")).mode & 0o777).toBe(0o644);
    expect(() => statSync(file)).toThrow();
  });
});
