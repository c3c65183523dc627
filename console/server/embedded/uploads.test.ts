/** A file that comes in pieces, cut off and gone on with. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Dataset } from "../../../operator/api/dataset.ts";
import { datasetKeys } from "../../../operator/reconcilers/dataset.ts";
import { FileStore } from "../../../operator/storage/file-store.ts";
import { EmbeddedUploads } from "./uploads.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autoai-uploads-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function made(source: object = { upload: true }) {
  const uid = `0000000${count++}-0000-0000-0000-000000000000`;
  const dataset = {
    kind: "Dataset",
    metadata: { name: "rows", namespace: "default", uid },
    spec: { source },
  } as unknown as Dataset;
  const store = new FileStore(join(folder, `store-${uid}`));
  const whole: Dataset[] = [];
  const options = {
    folder: join(folder, "parts"),
    store,
    dataset: async () => dataset,
    onWhole: (one: Dataset) => whole.push(one),
  };
  return { dataset, store, whole, options, uploads: new EmbeddedUploads(options) };
}

const PLACE = { namespace: "default", name: "rows" };
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("an upload", () => {
  test("that is cut in the middle goes on, in another process too, and is the same file", async () => {
    const { dataset, store, whole, options, uploads } = made();
    const file = Buffer.from("a,b\n1,2\n3,4\n");
    expect(await uploads.append(PLACE, 0, file.subarray(0, 5))).toEqual({ received: 5 });
    const later = new EmbeddedUploads(options);
    expect(await later.state(PLACE)).toEqual({ received: 5, sha256: sha(file.subarray(0, 5)) });
    await later.append(PLACE, 5, file.subarray(5));
    await later.finish(PLACE, file.length);
    expect(Buffer.from(await store.get(datasetKeys(dataset).source))).toEqual(file);
    expect(whole).toEqual([dataset]);
  });

  test("takes no piece at another byte than the next, and says which that is", async () => {
    const { uploads } = made();
    await uploads.append(PLACE, 0, Buffer.from("abc"));
    for (const offset of [0, 2, 4]) {
      await expect(uploads.append(PLACE, offset, Buffer.from("x"))).rejects.toMatchObject({
        refusal: "Conflict",
        detail: { received: 3 },
      });
    }
  });

  test("takes one piece at a time", async () => {
    const { uploads } = made();
    const both = await Promise.allSettled([
      uploads.append(PLACE, 0, Buffer.alloc(1000)),
      uploads.append(PLACE, 0, Buffer.alloc(1000)),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect((await uploads.state(PLACE)).received).toBe(1000);
  });

  test("is not handed over before it is whole, nor twice", async () => {
    const { whole, uploads } = made();
    await uploads.append(PLACE, 0, Buffer.from("abc"));
    await expect(uploads.finish(PLACE, 4)).rejects.toMatchObject({ refusal: "Conflict" });
    expect(whole).toEqual([]);
    await uploads.finish(PLACE, 3);
    await expect(uploads.append(PLACE, 3, Buffer.from("d"))).rejects.toThrow(/has its file already/);
  });

  test("is for data sets that wait for one alone", async () => {
    const { uploads } = made({ uri: "https://host/rows.csv" });
    await expect(uploads.append(PLACE, 0, Buffer.from("abc"))).rejects.toMatchObject({ refusal: "Conflict" });
  });
});
