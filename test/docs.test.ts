/** What the documents name is there: each promise of SECURITY.md has its test, and each file that they speak of exists. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: ROOT,
  encoding: "utf8",
}).split("\n");
const text = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const isTest = (path: string): boolean => /\.test\.ts$|(^|\/)test_[a-z_]+\.py$/.test(path);

/** Rows of the tables of a part of a document: what each column, by its head, has. */
function rows(part: string): Record<string, string>[] {
  return [...part.matchAll(/^\|(.+)\|\n\| ---.*\n((?:\|.*\n)+)/gm)].flatMap(([, head = "", body = ""]) => {
    const cells = (line: string) => line.split("|").map((cell) => cell.trim());
    const heads = cells(head);
    return body
      .trimEnd()
      .split("\n")
      .map((line) =>
        Object.fromEntries(cells(line.slice(1, -1)).map((cell, index) => [heads[index] ?? "", cell])),
      );
  });
}

test("each promise of SECURITY.md names the tests that show it, and they are there", () => {
  const promised = /^## What is promised[\s\S]*?(?=^## )/m.exec(text("SECURITY.md"))?.[0] ?? "";
  const promises = rows(promised);
  expect(promises.length).toBeGreaterThan(35);
  for (const promise of promises) {
    const named = [...(promise.test ?? "").matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
    expect(named, JSON.stringify(promise)).not.toEqual([]);
    for (const name of named) expect([name, isTest(name) && files.includes(name)]).toEqual([name, true]);
  }
});

describe.each([
  ...["SECURITY.md", "docs/attacks.md", "docs/tenancy.md", "docs/supply-chain.md", "docs/backup.md"],
  ...["docs/faults.md", "docs/parsers.md"],
])("%s", (document) => {
  test("names no file that is not there", () => {
    const named = [...text(document).matchAll(/`([\w./-]+\.(?:ts|py))`/g)].map(([, name = ""]) => name);
    // In a table of one folder's files a name alone will do.
    const missing = named.filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)));
    expect(missing).toEqual([]);
  });
});
