/**
 * The table of values in the chart's README, made of values.yaml and its comments. --write: puts it there; otherwise
 * test/chart/values.test.ts says whether it is fresh.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const chart = join(import.meta.dirname, "..", "..", "charts", "autoai");
const readme = join(chart, "README.md");
const [START, END] = ["<!-- values: node test/chart/values-table.ts --write -->", "<!-- /values -->"];

export type Documented = { readonly path: string; readonly default: unknown; readonly text: string };

/** Values that have a comment right above them, in the file's order. */
export function documented(text: string): Documented[] {
  const defaults = parse(text);
  const place: string[] = [];
  let comment = "";
  return text.split("\n").flatMap((line) => {
    const [, blanks = "", key] = /^( *)([A-Za-z]\w*):/.exec(line) ?? [];
    if (!key) {
      comment = /^ *# (.*)$/.exec(line)?.[1] ?? "";
      return [];
    }
    place.length = blanks.length / 2;
    place.push(key);
    const told = comment;
    comment = "";
    if (told === "") return [];
    const value = place.reduce((node, name) => node[name], defaults);
    return [{ path: place.join("."), default: value, text: told }];
  });
}

/** Dotted paths of all values; a list or a map whose keys are the user's is one value. */
export function leaves(values: unknown, open: ReadonlySet<string>, path = ""): string[] {
  const isMap = typeof values === "object" && values !== null && !Array.isArray(values);
  if (!isMap || open.has(path)) return [path];
  return Object.entries(values).flatMap(([key, value]) =>
    leaves(value, open, path === "" ? key : `${path}.${key}`),
  );
}

export function table(text: string): string {
  const rows = documented(text).map(
    ({ path, default: value, text }) =>
      `| \`${path}\` | \`${JSON.stringify(value).replaceAll("|", "\\|")}\` | ${text.replaceAll("|", "\\|")} |`,
  );
  return ["| value | default | what it is |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The README with the table as it should be. Throws where it has no place for one. */
export function withTable(page: string, text: string): string {
  const [start, end] = [page.indexOf(START), page.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${readme}: expected ${START} and ${END}`);
  return `${page.slice(0, start + START.length)}\n${table(text)}\n${page.slice(end)}`;
}

export const valuesText = () => readFileSync(join(chart, "values.yaml"), "utf8");
export const readmeText = () => readFileSync(readme, "utf8");

if (process.argv.includes("--write")) writeFileSync(readme, withTable(readmeText(), valuesText()));
