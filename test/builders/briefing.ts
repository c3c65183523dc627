/** What an agent is told of a job, for tests: the texts of strangers in it are theirs to choose. */
import type { Briefing } from "../../operator/llm/language-model.ts";

export type BriefingTexts = {
  readonly goal?: string;
  readonly header?: string;
  readonly cell?: string;
  readonly label?: string;
  readonly warning?: string;
};

export function briefingOf({
  goal = "a goal",
  header = "a column",
  cell = "a cell",
  label = "yes",
  warning: message = "a warning",
}: BriefingTexts): Briefing {
  const warning = { code: "IdentifierColumn", column: header, message: message.slice(0, 512) };
  return {
    goal,
    target: header,
    task: "BinaryClassification",
    metric: "RocAuc",
    direction: "Maximize",
    acceptanceScore: undefined,
    seed: 0,
    profile: {
      sha256: "0".repeat(64),
      sizeBytes: 1,
      encoding: "utf-8",
      delimiter: ",",
      rows: 2,
      columns: [
        {
          name: header,
          type: "Category",
          missing: 0,
          distinct: 2,
          distinctExact: true,
          top: [{ value: cell, count: 1 }],
          meanLength: 1,
        },
      ],
      duplicateRows: 0,
      preview: { columns: [header], rows: [[cell]] },
      warnings: [warning],
    },
    split: {
      task: "BinaryClassification",
      classes: [label],
      method: "Holdout",
      folds: 0,
      rows: { train: 1, selection: 1, final: 1, dropped: 0 },
      warnings: [warning],
      files: {},
    },
    splitBy: { kind: "Random" },
    baselines: [{ name: label, verifiedScore: 0.5, standardError: 0.1, seconds: 1 }],
    packages: [{ name: "pandas", version: "3" }],
    stepTimeoutSeconds: 60,
    cpus: 2,
  };
}
