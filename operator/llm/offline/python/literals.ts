/** Values as Python source: text that came from data can never end a literal, a comment or a line. */

export type PythonValue =
  | string
  | number
  | boolean
  | null
  | readonly PythonValue[]
  | { readonly [key: string]: PythonValue };

/** Control, format, surrogate, private-use and separator characters: invisible, or able to reorder what a reader sees. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * A Python string literal. JSON's escapes mean the same in Python; what JSON leaves raw but a reader cannot see is
 * escaped as well.
 */
export function pythonString(text: string): string {
  return JSON.stringify(text).replace(UNPRINTABLE, (character) => {
    const point = character.codePointAt(0) ?? 0;
    return point > 0xffff
      ? `\\U${point.toString(16).padStart(8, "0")}`
      : `\\u${point.toString(16).padStart(4, "0")}`;
  });
}

/** A Python literal on one line. Keys keep their order. */
export function pythonLiteral(value: PythonValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return pythonNumber(value);
  if (typeof value === "string") return pythonString(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  const entries = Object.entries(value).map(
    ([key, entry]) => `${pythonString(key)}: ${pythonLiteral(entry)}`,
  );
  return `{${entries.join(", ")}}`;
}

function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return 'float("nan")';
  if (!Number.isFinite(value)) return value > 0 ? 'float("inf")' : 'float("-inf")';
  return String(value);
}

/** `NAME = [...]`, one value a line, each with an optional comment behind it. */
export function pythonList(
  name: string,
  entries: readonly { readonly value: string; readonly comment?: string }[],
): string {
  if (entries.length === 0) return `${name}: list[str] = []`;
  const lines = entries.map(({ value, comment }) =>
    comment === undefined ? `    ${pythonString(value)},` : `    ${pythonString(value)},  # ${comment}`,
  );
  return [`${name} = [`, ...lines, "]"].join("\n");
}

/** Text from data inside a comment: a quoted literal, cut short. */
export function quotedComment(text: string, limit = 60): string {
  const characters = [...text];
  return pythonString(characters.length > limit ? `${characters.slice(0, limit).join("")}…` : text);
}
