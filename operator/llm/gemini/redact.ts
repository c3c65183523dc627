/** Takes the API key out of whatever the service sends, before anything keeps or shows it. */

/** Shorter keys are placeholders: replacing them would garble ordinary words in programs and messages. */
const SHORTEST_KEY = 8;
const REPLACEMENT = "[redacted]";

export type Redact = {
  text(text: string): string;
  /** The same JSON value where the key is not in it; else a copy without it. Names of fields included. */
  json<T>(value: T): T;
};

export function redactor(key: string): Redact {
  if (key.length < SHORTEST_KEY) return { text: (text) => text, json: (value) => value };
  const text = (from: string) => from.replaceAll(key, REPLACEMENT);
  const walk = (value: unknown): unknown => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [text(name), walk(field)]));
  };
  return {
    text,
    // The test on the serialised form is cheap and keeps untouched replies untouched. A key is printable ASCII, of
    // which JSON escapes only the quote and the backslash.
    json: (value) =>
      JSON.stringify(value)?.includes(JSON.stringify(key).slice(1, -1))
        ? (walk(value) as typeof value)
        : value,
  };
}

/** One readable line of foreign text: no control characters, blanks folded, cut at `limit` characters. */
export function oneLine(text: string, limit: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the purpose
  const line = text.replace(/[\s\u0000-\u001f\u007f]+/g, " ").trim();
  return line.length <= limit
    ? line
    : `${line.slice(0, limit).toWellFormed()}… (${line.length - limit} more characters)`;
}
