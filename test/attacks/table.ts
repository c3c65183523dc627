/** `table.ts attacks.jsonl attacks.md`: the lines of ledger.ts as a table, printed and written. Exit code 1 where one did not hold. */
import { readFileSync, writeFileSync } from "node:fs";

type Line = {
  readonly attack: string;
  readonly place: string;
  readonly guard: string;
  readonly tried: number;
  readonly got: readonly string[];
  readonly how: string;
  readonly through?: string;
};

const [from = "", to = ""] = process.argv.slice(2);
const lines = readFileSync(from, "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Line)
  .sort((one, other) => (`${one.place} ${one.attack}` < `${other.place} ${other.attack}` ? -1 : 1));

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
const rows = lines.map(({ attack, place, guard, tried, got, how, through }) => [
  attack,
  place,
  guard,
  String(tried),
  got.length === 0 ? "held" : `BROKEN: ${got[0]}`,
  through === undefined ? `NO: ${how}` : `yes, ${how}`,
]);
const head = ["attack", "from", "guard", "tried", "held", "succeeds without the guard"];
const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`);
const broken = lines.filter(({ got }) => got.length > 0).length;
const unproved = lines.filter(({ through }) => through === undefined).length;
const sum = `${lines.length} attacks, ${lines.reduce((all, { tried }) => all + tried, 0)} tries: ${broken} broke through, ${unproved} whose guard was not shown to matter.`;
writeFileSync(to, `${table.join("\n")}\n\n${sum}\n`);
process.stdout.write(`${table.join("\n")}\n\n${sum}\n`);
process.exitCode = broken + unproved > 0 || lines.length === 0 ? 1 : 0;
