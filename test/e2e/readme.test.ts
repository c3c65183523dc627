/** Commands that stand in the documents exist, take the options that they are given there, and name files that are there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Command, commandsIn } from "./commands.ts";
import { autoai, MINUTES, ROOT } from "./harness.ts";

const documents = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
  ...readdirSync(join(ROOT, "examples"))
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => join("examples", name)),
];

const commands = documents.flatMap((document) =>
  commandsIn(readFileSync(join(ROOT, document), "utf8"), ["npx", "make", "node"]).map((command) => ({
    document,
    ...command,
  })),
);
const unique = [
  ...new Map(commands.map((command) => [`${command.document}: ${command.text}`, command])).values(),
];
const of = (program: string) => unique.filter(({ words }) => words[0] === program);

const helps = new Map<string, Promise<string>>();
function helpOf(command: string): Promise<string> {
  const known = helps.get(command);
  if (known) return known;
  const help = autoai([command, "--help"]).then(({ code, stdout, stderr }) => {
    expect(code, stderr).toBe(0);
    return stdout;
  });
  helps.set(command, help);
  return help;
}

test("there are documents with commands", () => {
  expect(of("npx").length).toBeGreaterThan(0);
});

describe("npx autoai", () => {
  test.each(of("npx").filter(({ words }) => words[1] === "autoai"))(
    "$document: $text",
    async ({ words }: Command) => {
      const [, , command = "", ...rest] = words;
      if (command.startsWith("-")) return;
      const help = await helpOf(command);
      expect(help).toMatch(new RegExp(`^Usage: autoai ${command}`));
      const options = rest.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/, ""));
      for (const option of options) expect(help).toMatch(new RegExp(`(^|[ ,])${option}[ ,\n]`, "m"));
      for (const word of rest.filter((one) => one.startsWith("examples/"))) {
        expect(existsSync(join(ROOT, word)), word).toBe(true);
      }
    },
    5 * MINUTES,
  );

  /** What costs a second or two is run as it stands. */
  const CHEAP: ReadonlySet<string> = new Set(["validate", "preview"]);
  const cheap = of("npx").filter(({ words }) => CHEAP.has(words[2] ?? ""));
  test.each([
    ...cheap.map(({ words }) => ({ words: words.slice(2) })),
    { words: ["preview", "examples/data/churn.csv"] },
    { words: ["validate", "-f", "examples/modeldeployment.yaml"] },
  ])(
    "autoai $words runs",
    async ({ words }) => {
      const { code, stderr } = await autoai(words);
      expect(code, stderr).toBe(0);
    },
    5 * MINUTES,
  );
});

describe("make", () => {
  const rules = readFileSync(join(ROOT, "Makefile"), "utf8");
  const targets = [...rules.matchAll(/^([a-z][a-z%-]*):/gm)].map(([, target]) => target ?? "");

  const itself = { document: "Makefile", text: "make demo test", words: ["make", "demo", "test"] };
  test.each([itself, ...of("make")])("$document: $text", ({ words }: Command) => {
    for (const target of words.slice(1).filter((word) => !word.includes("="))) {
      const [, bench] = /^bench-(.+)$/.exec(target) ?? [];
      if (bench === undefined) expect(targets).toContain(target);
      else expect(existsSync(join(ROOT, "bench", bench, "run")), target).toBe(true);
    }
  });
});

test.each(of("node"))("$document: $text names a file that is there", ({ words }: Command) => {
  const file = words.slice(1).find((word) => /\.[cm]?[jt]s$/.test(word));
  if (file !== undefined) expect(existsSync(join(ROOT, file)), file).toBe(true);
});

test("the npm scripts that documents name exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const document of documents) {
    for (const [, script] of readFileSync(join(ROOT, document), "utf8").matchAll(/npm run ([a-z-]+)/g)) {
      expect(Object.keys(scripts), document).toContain(script);
    }
  }
});
