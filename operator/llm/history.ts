/** Keeps a conversation within bounds without breaking it: calls stay paired with their answers, the briefing stays. */
import type { ToolResponse, Turn } from "./language-model.ts";

/** Exchanges at the end that stay as they are for as long as anything else can give way. */
const KEEP_WHOLE = 4;

/** What is left of a long text in a condensed answer. */
const EXCERPT = 160;

/** A model turn with all that was said to it before the next one. */
type Exchange = readonly Turn[];

/**
 * The conversation in at most `maxCharacters` (of its JSON), or as near as it gets without losing the briefing (the turns
 * before the first reply) and the newest exchange.
 *
 * What gives way, in this order, oldest first: the answers of tools, which are cut to excerpts; whole exchanges, of
 * which a note remains; then the same again within the last `keepWhole` exchanges. Replies of the model are dropped whole
 * or kept verbatim, never changed: thought signatures are bound to their parts.
 *
 * Pure: the same conversation is always cut in the same way.
 */
export function fitHistory(
  turns: readonly Turn[],
  maxCharacters: number,
  keepWhole: number = KEEP_WHOLE,
): Turn[] {
  const { briefing, exchanges } = split(turns);
  const sizes = exchanges.map(sizeOf);
  const kept = [...exchanges];
  let dropped = 0;
  const tooLong = () => sizeOf([...briefing, ...omission(dropped)]) + sum(sizes) > maxCharacters;

  const condenseUpTo = (end: number) => {
    for (let index = dropped; index < end && tooLong(); index++) {
      const condensed = kept[index]?.map(condense) ?? [];
      kept[index] = condensed;
      sizes[index] = sizeOf(condensed);
    }
  };
  const dropUpTo = (end: number) => {
    while (dropped < end && tooLong()) sizes[dropped++] = 0;
  };

  for (const whole of [Math.max(1, keepWhole), 1]) {
    condenseUpTo(exchanges.length - whole);
    dropUpTo(exchanges.length - whole);
  }
  condenseUpTo(exchanges.length);
  return [...briefing, ...omission(dropped), ...kept.slice(dropped).flat()];
}

function split(turns: readonly Turn[]): { briefing: Turn[]; exchanges: Exchange[] } {
  const briefing: Turn[] = [];
  const exchanges: Turn[][] = [];
  for (const turn of turns) {
    const current = exchanges.at(-1);
    if (turn.role === "model") exchanges.push([turn]);
    else (current ?? briefing).push(turn);
  }
  return { briefing, exchanges };
}

/** Characters of each turn's JSON, with a separator each, so that sizes add up. */
function sizeOf(turns: readonly Turn[]): number {
  return sum(turns.map((turn) => JSON.stringify(turn).length + 1));
}

function omission(dropped: number): Turn[] {
  if (dropped === 0) return [];
  const steps = dropped === 1 ? "1 earlier step is" : `${dropped} earlier steps are`;
  return [
    {
      role: "user",
      text: `(${steps} left out here for length; files and saved candidates are still there.)`,
    },
  ];
}

function condense(turn: Turn): Turn {
  if (turn.role !== "tools") return turn;
  const responses = turn.responses.map((response) => {
    const short = condenseResponse(response);
    return JSON.stringify(short).length < JSON.stringify(response).length ? short : response;
  });
  return { ...turn, responses };
}

/** Keeps whether it went well, numbers and short words; long texts become excerpts, the rest is left out. */
function condenseResponse({ response, ...call }: ToolResponse): ToolResponse {
  const { ok, ...fields } = response;
  return { ...call, response: { ...condenseFields(fields, 1), ok, condensed: true } };
}

function condenseFields(fields: object, depth: number): Record<string, unknown> {
  const kept = Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
    if (typeof value === "string") return [[name, excerpt(name, value)]];
    if (typeof value === "number" || typeof value === "boolean") return [[name, value]];
    const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
    return isNested && depth > 0 ? [[name, condenseFields(value, depth - 1)]] : [];
  });
  return Object.fromEntries(kept.slice(0, 20));
}

/** A traceback tells most at its end, anything else at its beginning. */
function excerpt(name: string, text: string): string {
  if (text.length <= EXCERPT) return text;
  return (name === "traceback" ? `…${text.slice(-EXCERPT)}` : `${text.slice(0, EXCERPT)}…`).toWellFormed();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
