import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { packTar, type TarEntry, unpackTar } from "./tar.ts";

const AT = new Date("2026-01-01T00:00:00Z");

async function* entries(files: Readonly<Record<string, string>>): AsyncGenerator<TarEntry> {
  for (const [path, content] of Object.entries(files)) {
    yield { path, size: Buffer.byteLength(content), body: Readable.from([Buffer.from(content)]) };
  }
}

async function unpacked(archive: Readable): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { path, body } of unpackTar(archive)) files[path] = await text(body);
  return files;
}

test("files come out as they went in: empty ones, large ones, in folders, with long names", async () => {
  const files = {
    "model.json": "{}",
    empty: "",
    "recipe/train.py": "print('é')\n",
    large: "x".repeat(3_000_001),
    [`${"long/".repeat(40)}name`]: "y",
  };
  expect(await unpacked(packTar(entries(files), AT))).toEqual(files);
});

test("the same files make the same archive", async () => {
  const made = async () => buffer(packTar(entries({ a: "1", "b/c": "2" }), AT));
  expect(Buffer.compare(await made(), await made())).toBe(0);
});

test("an archive breaks off where a file does, or is not as long as was said", async () => {
  async function* failing(): AsyncGenerator<TarEntry> {
    yield* entries({ a: "1" });
    const body = Readable.from(
      (async function* () {
        yield Buffer.from("ab");
        throw new Error("the store went away");
      })(),
    );
    yield { path: "b", size: 100, body };
  }
  await expect(buffer(packTar(failing(), AT))).rejects.toThrow("the store went away");
  async function* short(): AsyncGenerator<TarEntry> {
    yield { path: "a", size: 5, body: Readable.from([Buffer.from("ab")]) };
  }
  await expect(buffer(packTar(short(), AT))).rejects.toThrow();
});

test("what is not read to its end is let go: no more files are opened, and those that were are closed", async () => {
  const opened: Readable[] = [];
  async function* watched(): AsyncGenerator<TarEntry> {
    for (let number = 0; number < 50; number++) {
      const body = Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(100_000)));
      opened.push(body);
      yield { path: String(number), size: 2_000_000, body };
    }
  }
  for await (const _ of packTar(watched(), AT)) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(opened.length).toBeLessThan(3);
  expect(opened.every(({ destroyed }) => destroyed)).toBe(true);
});

test("an archive that was cut off, and one with a link in it, are refused", async () => {
  const whole = await buffer(packTar(entries({ a: "1".repeat(2000) }), AT));
  await expect(unpacked(Readable.from([whole.subarray(0, 1500)]))).rejects.toThrow();
  const link = Buffer.from(whole);
  link[156] = "2".charCodeAt(0);
  link.write("        ", 148, "latin1");
  const sum = link.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  link.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  await expect(unpacked(Readable.from([link]))).rejects.toThrow("which is no file");
});
