/**
 * HTML as a type of its own: text becomes HTML by being escaped, and in no other way. Column names, cell values, model
 * names and tracebacks were written by strangers; none of them can reach the page but through `html`.
 */

/** Markup that is safe to put into a page. Only this module makes it from text. */
export class Html {
  readonly #markup: string;
  private constructor(markup: string) {
    this.#markup = markup;
  }

  /** Markup that no stranger wrote: a constant, or a chart whose texts were escaped by its renderer. */
  static trusted(markup: string): Html {
    return new Html(markup);
  }

  toString(): string {
    return this.#markup;
  }
}

/** What a template takes; nothing is written for undefined and false. */
export type Content = Html | string | number | undefined | false | readonly Content[];

/** `<p>${anything}</p>`: safe in text and in quoted attributes, the only places where templates may put values. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  let markup = parts[0] ?? "";
  values.forEach((value, index) => {
    markup += markupOf(value) + (parts[index + 1] ?? "");
  });
  return Html.trusted(markup);
}

function markupOf(value: Content): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Html) return value.toString();
  if (typeof value === "object") return value.map(markupOf).join("");
  return escapeText(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/** Controls but for tab and line feed; what turns the direction of text; what cannot be encoded. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g;

function escapeText(text: string): string {
  return printable(text).replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? "");
}

/** The text with a visible sign for every character that has none, or that would disturb those around it. */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNPRINTABLE, "\ufffd");
}

/** At most so many characters, never half of one; an ellipsis says that there were more. */
export function cut(text: string, characters: number): string {
  if (text.length <= characters) return text;
  // A character takes two units at most: no more than these need to be looked at.
  const start = [...text.slice(0, 2 * characters)];
  if (start.length <= characters && text.length <= 2 * characters) return text;
  return `${start.slice(0, characters - 1).join("")}…`;
}
