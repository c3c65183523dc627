/** TrainingJobs as people write them: JSON is YAML too. */

export type JobParts = {
  readonly name?: string;
  readonly [field: string]: unknown;
};

/** A manifest that trains by one holdout on few rows; fields of the spec replace those of the same name. */
export function manifest({ name = "job", ...spec }: JobParts = {}): string {
  return `${JSON.stringify(
    {
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name },
      spec: {
        dataset: { uri: "file:rows.csv" },
        target: "answer",
        evaluation: { method: "Holdout" },
        budget: { maxSteps: 12, maxSeconds: 3600 },
        llm: { provider: "Offline" },
        ...spec,
      },
    },
    null,
    1,
  )}\n`;
}
