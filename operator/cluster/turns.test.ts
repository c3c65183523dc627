import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

test("no more is under way at once than there are places, in the order in which it came, whatever fails", async () => {
  const turns = new Turns(2);
  const log: string[] = [];
  const open = new Map<string, () => void>();
  const begin = (name: string, fails = false) =>
    turns.take(async () => {
      log.push(name);
      await new Promise<void>((resolve) => open.set(name, resolve));
      if (fails) throw new Error(name);
    });
  const [a, b, c, d] = [begin("a"), begin("b", true), begin("c"), begin("d")];
  const failed = expect(b).rejects.toThrow("b");
  await Promise.resolve();
  expect(log).toEqual(["a", "b"]);
  open.get("b")?.();
  await failed;
  expect(log).toEqual(["a", "b", "c"]);
  open.get("a")?.();
  await a;
  await expect.poll(() => log).toEqual(["a", "b", "c", "d"]);
  open.get("c")?.();
  open.get("d")?.();
  await Promise.all([c, d]);
});
