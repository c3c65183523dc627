import { describe, expect, test } from "vitest";
import { complaintAbout } from "../../../test/fakes/gemini-check.ts";
import { fc } from "../../../test/properties.ts";
import type { Turn } from "../language-model.ts";
import { toContents } from "./contents.ts";

const go: Turn = { role: "user", text: "Go." };
const calls = (...names: string[]): Turn => ({
  role: "model",
  parts: names.map((name) => ({ functionCall: { name, args: {} } })),
});
const notCarriedOut = { ok: false, error: "This call was not carried out." };

describe("toContents", () => {
  test("answers a call that nobody answered", () => {
    expect(
      toContents([
        go,
        calls("a", "b"),
        { role: "tools", responses: [{ name: "b", response: { ok: true } }] },
      ])[2],
    ).toEqual({
      role: "user",
      parts: [
        { functionResponse: { name: "a", response: notCarriedOut } },
        { functionResponse: { name: "b", response: { ok: true } } },
      ],
    });
  });

  test("leaves out a reply without parts and lets what was said next stand with what was said before", () => {
    const turns: Turn[] = [
      go,
      { role: "model", parts: [] },
      { role: "user", text: "Your last reply was empty." },
    ];
    expect(toContents(turns)).toEqual([
      { role: "user", parts: [{ text: "Go." }, { text: "Your last reply was empty." }] },
    ]);
  });

  test("words after function responses travel inside the last one", () => {
    const turns: Turn[] = [
      go,
      calls("a"),
      { role: "tools", responses: [{ name: "a", response: { ok: true } }], note: "2 steps left." },
      { role: "model", parts: [] },
      { role: "user", text: "Empty." },
    ];
    expect(toContents(turns)[2]?.parts).toEqual([
      { functionResponse: { name: "a", response: { ok: true, operatorNote: "2 steps left.\n\nEmpty." } } },
    ]);
  });

  test("mends arguments that the service would not take back, keeping the rest of the part", () => {
    const part = { functionCall: { id: "1", name: "a", args: "text" }, thoughtSignature: "s" };
    expect(toContents([go, { role: "model", parts: [part] }])[1]?.parts).toEqual([
      { functionCall: { id: "1", name: "a", args: {} }, thoughtSignature: "s" },
    ]);
  });

  test("output cut in the middle of a character is made valid Unicode", () => {
    const turns: Turn[] = [
      go,
      calls("a"),
      { role: "tools", responses: [{ name: "a", response: { ok: true, head: "😀".slice(0, 1) } }] },
    ];
    expect(JSON.stringify(toContents(turns))).not.toMatch(/\\ud8/);
    expect(JSON.stringify(toContents([{ role: "user", text: "😀".slice(0, 1) }]))).not.toMatch(/\\ud8/);
  });

  const name = fc.constantFrom("a", "b");
  const part = fc.oneof(
    fc.record({ text: fc.string() }),
    fc.record({ thoughtSignature: fc.string() }),
    fc.record({
      functionCall: fc.record(
        { id: fc.constantFrom("1", "2"), name, args: fc.anything() },
        { requiredKeys: ["name"] },
      ),
    }),
    fc.record({ functionCall: fc.constantFrom(null, {}, "x") }),
    fc.constant({}),
  );
  const turn: fc.Arbitrary<Turn> = fc.oneof(
    fc.record({ role: fc.constant("user" as const), text: fc.string({ unit: "binary" }) }),
    fc.record({ role: fc.constant("model" as const), parts: fc.array(part, { maxLength: 4 }) }),
    fc.record(
      {
        role: fc.constant("tools" as const),
        responses: fc.array(fc.record({ name, response: fc.constant({ ok: true }) }), { maxLength: 4 }),
        note: fc.string(),
      },
      { requiredKeys: ["role", "responses"] },
    ),
  );

  test("property: whatever a journal holds, the service takes it", () => {
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 10 }), (turns) => {
        const contents = JSON.parse(JSON.stringify(toContents([go, ...turns])));
        expect(complaintAbout({ contents }, [])).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});
