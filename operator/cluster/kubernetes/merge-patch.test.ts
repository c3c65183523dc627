import { expect, test } from "vitest";
import { fc } from "../../../test/properties.ts";
import { mergePatch } from "./merge-patch.ts";

/** RFC 7386, section 2, to the letter. */
function apply(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === "object" && target !== null && !Array.isArray(target)
      ? { ...(target as Record<string, unknown>) }
      : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = apply(result[key], value);
  }
  return result;
}

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 }));
const key = fc.constantFrom("a", "b", "c", "d");
const { object } = fc.letrec<{ object: Record<string, unknown> }>((tie) => ({
  object: fc.dictionary(key, fc.oneof({ depthSize: "small" }, leaf, tie("object")), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
}));

test("a patch turns the one object into the other, and there is none where they are equal", () => {
  fc.assert(
    fc.property(object, object, (from, to) => {
      const patch = mergePatch(from, to);
      expect(apply(from, patch ?? {})).toEqual(to);
    }),
  );
  expect(mergePatch({ a: { b: [1] } }, { a: { b: [1] } })).toBeUndefined();
});

test("a patch holds what changed alone", () => {
  expect(mergePatch({ a: 1, b: { c: 1, d: 2 }, e: 3 }, { a: 1, b: { c: 1, d: 4 } })).toEqual({
    b: { d: 4 },
    e: null,
  });
});
