/** What is wrong with a manifest: where, what was expected, what was found, what to do. */
import type { Path } from "./yaml.ts";

export type Problem = {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
  /** Which document, such as "TrainingJob churn" or "document 3". */
  readonly document: string;
  /** Such as spec.evaluation.metric; empty where it is about the document. */
  readonly field: string;
  /** What was expected, as in "must be a whole number from 1 to 500". */
  readonly expected: string;
  /** What stands there; absent where nothing does, or where it may be secret. */
  readonly found?: string;
  /** What to do, where it does not go without saying. */
  readonly action?: string;
};

/** The problem in one line. */
export function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  const subject = problem.field === "" ? problem.document : `${problem.document}: ${problem.field}`;
  const found = problem.found === undefined ? "" : `, found ${problem.found}`;
  const action = problem.action === undefined ? "" : `; ${problem.action}`;
  return oneLine(`${place}: ${subject}: ${problem.expected}${found}${action}`);
}

/** spec.evaluation.metric, metadata.labels["a b"], items[2].spec */
export function formatPath(path: Path): string {
  return path
    .map((segment, index) => {
      if (typeof segment === "number") return `[${segment}]`;
      if (!/^[A-Za-z_][-\w]{0,63}$/.test(segment)) return `[${quote(segment)}]`;
      return index === 0 ? segment : `.${segment}`;
    })
    .join("");
}

/** A value as it would be written, cut: what was found is to be recognised, not repeated. */
export function quote(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a set of fields";
  const written = typeof value === "string" ? JSON.stringify(withoutPassword(value)) : String(value);
  return written.length > 66 ? `${written.slice(0, 64)}…` : written;
}

function withoutPassword(text: string): string {
  return text.replace(/:\/\/[^\s/]*@/, "://…@");
}

function oneLine(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal acts on them.
  return line.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}
