import { describe, expect, test } from "vitest";
import { fc } from "../../test/properties.ts";
import { fitHistory } from "./history.ts";
import { functionCalls, type Turn } from "./language-model.ts";

const size = (turns: readonly Turn[]) =>
  turns.reduce((total, turn) => total + JSON.stringify(turn).length + 1, 0);
const briefing: Turn = { role: "user", text: "Predict the target." };

function exchange(step: number, output = "x".repeat(3000)): Turn[] {
  return [
    {
      role: "model",
      parts: [
        { functionCall: { name: "execute_python_file", args: { step } }, thoughtSignature: `s${step}` },
      ],
    },
    {
      role: "tools",
      responses: [
        {
          name: "execute_python_file",
          response: { ok: true, exitCode: 0, output: { head: output }, traceback: output },
        },
      ],
    },
  ];
}

const conversation = (steps: number) => [
  briefing,
  ...Array.from({ length: steps }, (_, step) => exchange(step)).flat(),
];

describe("fitHistory", () => {
  test("leaves a conversation that fits as it is", () => {
    const turns = conversation(3);
    expect(fitHistory(turns, size(turns))).toEqual(turns);
  });

  test("condenses the oldest tool answers first and keeps the last exchanges whole", () => {
    const turns = conversation(8);
    const fitted = fitHistory(turns, size(turns) - 5000);
    expect(fitted).toHaveLength(turns.length);
    expect(JSON.stringify(fitted[2])).toContain('"condensed":true');
    expect(fitted.slice(-12)).toEqual(turns.slice(-12));
  });

  test("a condensed answer still tells how the call went, and how its traceback ended", () => {
    const turns = [
      briefing,
      ...exchange(1, `${"x".repeat(3000)} KeyError: 'Age'`),
      ...conversation(4).slice(1),
    ];
    const [, , answer] = fitHistory(turns, size(turns) - 1000);
    expect(answer).toMatchObject({ responses: [{ response: { ok: true, exitCode: 0, condensed: true } }] });
    expect(JSON.stringify(answer)).toContain("KeyError: 'Age'");
  });

  test("drops the oldest exchanges whole when condensing is not enough, and says how many", () => {
    const turns = conversation(40);
    const fitted = fitHistory(turns, 30_000);
    expect(fitted[0]).toEqual(briefing);
    expect(fitted[1]).toMatchObject({
      role: "user",
      text: expect.stringMatching(/^\(\d+ earlier steps are left out/),
    });
    expect(fitted.slice(-8)).toEqual(turns.slice(-8));
    expect(size(fitted)).toBeLessThanOrEqual(30_000);
  });

  test("gives up even the last exchanges but one rather than exceed the bound", () => {
    const turns = conversation(6);
    const fitted = fitHistory(turns, 1200);
    expect(size(fitted)).toBeLessThanOrEqual(1200);
    expect(fitted.filter((turn) => turn.role === "model")).toEqual([turns.at(-2)]);
  });

  const text = fc.string({ maxLength: 2000, unit: "grapheme" });
  const response = fc.record({
    name: fc.constantFrom("a", "b"),
    response: fc.record({ ok: fc.boolean(), head: text, more: fc.anything({ maxDepth: 1 }) }),
  });
  const step = fc
    .tuple(fc.array(response, { maxLength: 3 }), fc.option(text, { nil: undefined }))
    .map(([responses, note]): Turn[] => [
      {
        role: "model",
        parts: [{ text: "on" }, ...responses.map(({ name }) => ({ functionCall: { name, args: {} } }))],
      },
      responses.length > 0
        ? {
            role: "tools",
            responses: JSON.parse(JSON.stringify(responses)),
            ...(note === undefined ? {} : { note }),
          }
        : { role: "user", text: note ?? "go on" },
    ]);
  const turnsArbitrary = fc
    .tuple(text, fc.array(step, { maxLength: 12 }))
    .map(([start, steps]): Turn[] => [{ role: "user", text: start }, ...steps.flat()]);

  test("property: within the bound wherever that is possible, briefing kept, calls paired, replies verbatim", () => {
    fc.assert(
      fc.property(
        turnsArbitrary,
        fc.integer({ min: 0, max: 30_000 }),
        fc.integer({ min: 0, max: 5 }),
        (turns, bound, keep) => {
          const fitted = fitHistory(turns, bound, keep);
          const smallest = fitHistory(turns, 0, keep);
          expect(size(fitted)).toBeLessThanOrEqual(Math.max(bound, size(smallest)));
          expect(size(fitted)).toBeLessThanOrEqual(Math.max(size(turns), bound, size(smallest)));
          expect(fitted[0]).toEqual(turns[0]);
          const replies = turns.filter((turn) => turn.role === "model");
          const left = fitted.filter((turn) => turn.role === "model");
          expect(left).toEqual(left.length === 0 ? [] : replies.slice(-left.length));
          fitted.forEach((turn, index) => {
            if (turn.role !== "model") return;
            const next = fitted[index + 1];
            const names = functionCalls(turn.parts).map(({ name }) => name);
            const answered = next?.role === "tools" ? next.responses.map(({ name }) => name) : [];
            expect(answered).toEqual(names);
          });
        },
      ),
      { numRuns: 200 },
    );
  });
});
