import { describe, expect, test } from "vitest";
import { fc } from "../../test/properties.ts";
import { cut, html, printable } from "./html.ts";

/** What a browser makes of escaped text. */
function decoded(markup: string): string {
  const signs: Record<string, string> = { lt: "<", gt: ">", quot: '"', "#39": "'", "#96": "`", amp: "&" };
  return markup.replace(/&(lt|gt|quot|#39|#96|amp);/g, (_, name: string) => signs[name] ?? "");
}

describe("html", () => {
  test("any text stays text: no sign of markup is left, and a browser reads what was written", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const markup = html`${text}`.toString();
        expect(markup).not.toMatch(/[<>"'`]/);
        expect(markup).not.toMatch(/&(?!(?:lt|gt|quot|#39|#96|amp);)/);
        expect(decoded(markup)).toBe(printable(text));
      }),
      { numRuns: 500 },
    );
  });

  test("markup is not escaped twice, lists are joined, and nothing is written for undefined and false", () => {
    const items = ["a", "<b>"].map((text) => html`<li>${text}</li>`);
    expect(html`<ul>${items}</ul>${undefined}${false}${0}`.toString()).toBe(
      "<ul><li>a</li><li>&lt;b&gt;</li></ul>0",
    );
  });

  test("an object that looks like markup is none", () => {
    const forged = { toString: () => "<script>" } as unknown as string;
    expect(html`${[forged].map(String)}`.toString()).toBe("&lt;script&gt;");
    expect(() => html`${forged}`).toThrow();
  });
});

describe("printable", () => {
  test("what has no sign, or turns the direction of the text around it, gets a visible one", () => {
    expect(printable("a\u0000b\u001b[2Jc\u202ed\u2066e\ud800f\ufeff")).toBe("a�b�[2Jc�d�e�f�");
  });
  test("tabs, line feeds and the world's scripts stay", () => {
    const text = "a\tb\nç 漢字 العربية 👩‍🔬 e\u0301";
    expect(printable(text)).toBe(text);
  });
});

describe("cut", () => {
  test("at most so many characters, none of them cut in half", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.integer({ min: 1, max: 30 }),
        (text, size) => {
          const whole = [...text];
          const short = [...cut(text, size)];
          if (whole.length <= size) expect(short).toEqual(whole);
          else expect(short).toEqual([...whole.slice(0, size - 1), "…"]);
        },
      ),
    );
  });
});
