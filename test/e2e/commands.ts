/** The commands that stand in documents: fenced and indented blocks, and the heads of the examples. */

export type Command = {
  /** As it stands there, without prompt and variables. */
  readonly text: string;
  /** Its words, up to the first redirection, pipe or comment. */
  readonly words: readonly string[];
};

/** Commands that begin with one of the programs, wherever a line of code holds them. */
export function commandsIn(document: string, programs: readonly string[]): Command[] {
  return codeLines(document).flatMap((line) =>
    line
      .split(/&&|;|\|/)
      .map((part) => wordsOf(part))
      .filter(([program]) => program !== undefined && programs.includes(program))
      .map((words) => ({ text: words.join(" "), words })),
  );
}

function codeLines(document: string): string[] {
  const lines: string[] = [];
  let fenced = false;
  let before = "";
  for (const line of document.split("\n")) {
    if (/^\s*```/.test(line)) {
      fenced = !fenced;
      continue;
    }
    const indented = /^(#\s{4,}|\s{4,})/.test(line);
    if (!fenced && !indented) continue;
    const code = before + line.replace(/^#?\s+/, "").replace(/^\$ /, "");
    before = "";
    if (code.endsWith("\\")) before = `${code.slice(0, -1)} `;
    else lines.push(code);
  }
  return lines;
}

function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|((?:[^\s"']|"[^"]*"|'[^']*')+|\S+)/g)].map(
    ([all, double, single]) => double ?? single ?? all,
  );
  const end = words.findIndex((word) => /^([<>&#]|\d?>)/.test(word));
  const bare = end < 0 ? words : words.slice(0, end);
  const begin = bare.findIndex((word) => !/^[A-Z_][A-Z0-9_]*=/.test(word));
  return begin < 0 ? [] : bare.slice(begin);
}
