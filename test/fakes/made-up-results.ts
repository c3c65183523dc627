/** What executions come to that nobody runs: results made up from their names alone. */
import { sha256 } from "../../operator/evaluation/context.ts";
import type { Outcome } from "../../operator/sandbox/executor.ts";

export const OUTCOME = {
  ended: "Completed",
  exitCode: 0,
  signal: null,
  seconds: 1,
  peakMemoryBytes: 1_000_000,
  output: { head: "", tail: "", truncated: 0 },
} as const satisfies Outcome;

/** Results as the runner would write them; a score depends on the execution's name, as a real one on the recipe. */
export function trustedResult(verb: string, name: string): unknown {
  const column = { type: "Integer", missing: 0, distinct: 9, distinctExact: true, top: [], meanLength: 1 };
  switch (verb) {
    case "ingest":
      return {
        sha256: sha256("rows"),
        sizeBytes: 100,
        encoding: "utf-8",
        delimiter: ",",
        rows: 100,
        columns: [
          { name: "age", ...column },
          { name: "churn", ...column },
        ],
        duplicateRows: 0,
        preview: { columns: ["age", "churn"], rows: [["3", "1"]] },
        warnings: [],
      };
    case "split":
      return {
        task: "BinaryClassification",
        classes: ["0", "1"],
        method: "Holdout",
        folds: 0,
        rows: { train: 60, selection: 20, final: 20, dropped: 0 },
        warnings: [],
        files: {},
      };
    case "score":
      return {
        metric: "RocAuc",
        score: 0.5 + (Number.parseInt(sha256(name).slice(0, 4), 16) % 400) / 1000,
        standardError: 0.01,
        rows: 20,
        all: {},
        memorised: false,
        versus: [],
      };
    case "permute":
      return { rows: [0], columns: ["age"], repeats: 1, leftOut: 0 };
    default:
      return { rows: 20, metrics: {} };
  }
}
