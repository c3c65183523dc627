import { expect, it } from "vitest";
import { Cores } from "./cores.ts";

/** Asks in order, and tells who has got cores so far. */
function asking(
  cores: Cores,
  wanted: readonly number[],
): { got: number[]; giveBack: Map<number, () => void> } {
  const got: number[] = [];
  const giveBack = new Map<number, () => void>();
  wanted.forEach((count, index) => {
    void cores.take(count).then((back) => {
      got.push(index);
      giveBack.set(index, back);
    });
  });
  return { got, giveBack };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("runs side by side what fits, and alone what needs all cores", async () => {
  const { got, giveBack } = asking(new Cores(2), [1, 1, 2, 1]);
  await settled();
  expect(got).toEqual([0, 1]);
  giveBack.get(0)?.();
  await settled();
  // One core is free, but the third asked before the fourth and needs two.
  expect(got).toEqual([0, 1]);
  giveBack.get(1)?.();
  await settled();
  expect(got).toEqual([0, 1, 2]);
  giveBack.get(2)?.();
  await settled();
  expect(got).toEqual([0, 1, 2, 3]);
});

it("lends all cores to who asks for more than there are, or for a part of one", async () => {
  const { got, giveBack } = asking(new Cores(2), [64, 0.5]);
  await settled();
  expect(got).toEqual([0]);
  giveBack.get(0)?.();
  giveBack.get(0)?.();
  await settled();
  expect(got).toEqual([0, 1]);
});
