import { describe, expect, test } from "vitest";
import { INVALID_MANIFESTS, VALID_JOB } from "../../test/fixtures/invalid-manifests.ts";
import { formatProblem, MAX_MANIFEST_BYTES, validateManifests } from "./validate.ts";

function lines(text: string, embedded = false): string[] {
  return validateManifests(text, { file: "job.yaml", embedded }).problems.map(formatProblem);
}

describe("a manifest with one thing wrong gets one line that points at it", () => {
  test.each(INVALID_MANIFESTS)("$name", ({ manifest, field, offline }) => {
    const { problems } = validateManifests(manifest, { file: "job.yaml", embedded: false });
    const told = problems.map(formatProblem);
    expect(told).toHaveLength(1);
    expect(problems[0]?.field).toBe(field);
    expect(told[0]).toContain(offline);
    expect(told[0]).not.toContain("\n");
  });

  test("at least thirty are tried", () => expect(INVALID_MANIFESTS.length).toBeGreaterThanOrEqual(30));
});

describe("a manifest with nothing wrong", () => {
  test("has no problem, and its defaults filled in", () => {
    const { documents, problems } = validateManifests(VALID_JOB, { file: "job.yaml", embedded: false });
    expect(problems).toEqual([]);
    expect(documents).toHaveLength(1);
    expect(documents[0]).toMatchObject({ spec: { task: "Auto", budget: { maxSteps: 30 }, suspend: false } });
  });

  test("may be JSON", () => {
    const job = {
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name: "a" },
      spec: { dataset: { datasetRef: { name: "d" } }, target: "y" },
    };
    expect(lines(JSON.stringify(job, null, "\t"))).toEqual([]);
  });

  test("may leave an object with defaults empty, as the API server allows", () => {
    expect(lines(`${VALID_JOB}  evaluation:\n  budget:\n`)).toEqual([]);
  });

  test("may write CPUs as a number, as Kubernetes allows", () => {
    const text = `${VALID_JOB}  sandbox: {resources: {cpu: 4}}\n`;
    const { documents, problems } = validateManifests(text, { file: "job.yaml", embedded: false });
    expect(problems).toEqual([]);
    expect(documents[0]).toMatchObject({ spec: { sandbox: { resources: { cpu: "4" } } } });
  });

  test("may be what kubectl wrote of the cluster, in a List", () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${VALID_JOB.replaceAll("\n", "\n  ")}`;
    expect(validateManifests(list, { file: "job.yaml", embedded: false }).documents).toHaveLength(1);
  });

  test("may use anchors, aliases and merge keys, as kubectl allows", () => {
    const shared = VALID_JOB.replace("spec:", "spec: &spec");
    const text = `${shared}  budget: &small {maxSteps: 5}\n  sandbox: {resources: {cpu: &two 2, memory: 4Gi}, stepTimeoutSeconds: *two}\n`;
    expect(lines(text)).toEqual([]);
    expect(lines(`${VALID_JOB}  budget: {<<: {maxSteps: 5}, maxSeconds: 9}\n`)).toEqual([]);
  });

  test("may bring its ConfigMap and Secret along", () => {
    const text = `${VALID_JOB}---
apiVersion: v1
kind: ConfigMap
metadata: {name: rows.v1}
data: {rows.csv: "a,b"}
---
apiVersion: v1
kind: Secret
metadata: {name: gemini}
stringData: {apiKey: abc}
`;
    const { documents, problems } = validateManifests(text, { file: "job.yaml", embedded: true });
    expect(problems).toEqual([]);
    expect(documents.map(({ kind }) => kind)).toEqual(["TrainingJob", "ConfigMap", "Secret"]);
  });

  test("may name a file, absolute or relative, in the embedded run", () => {
    const of = (uri: string) => VALID_JOB.replace("{datasetRef: {name: churn}}", `{uri: "${uri}"}`);
    for (const uri of ["file:data/churn.csv", "file:./a b.csv", "file:///data/churn.csv", "file:../x.csv"]) {
      expect(lines(of(uri), true)).toEqual([]);
      expect(lines(of(uri), false)).toHaveLength(1);
    }
  });
});

describe("several documents", () => {
  const job = (name: string, extra = "") =>
    `${VALID_JOB.replace("name: churn\nspec", `name: ${name}\nspec`)}${extra}`;

  test("ten jobs with one wrong: one problem, which names the job, the line and the column", () => {
    const jobs = Array.from({ length: 10 }, (_, index) =>
      job(`job-${index}`, index === 6 ? "  evaluation:\n    metric: Acuracy\n" : ""),
    );
    const { documents, problems } = validateManifests(jobs.join("---\n"), {
      file: "ten.yaml",
      embedded: false,
    });
    expect(problems.map(formatProblem)).toEqual([
      "ten.yaml:57:5: TrainingJob job-6: spec.evaluation.metric: must be one of RocAuc, AveragePrecision, Accuracy, " +
        'BalancedAccuracy, F1Macro, LogLoss, Rmse, Mae, R2, found "Acuracy"; did you mean Accuracy?',
    ]);
    expect(documents).toHaveLength(9);
  });

  test("all problems of all documents are reported, in the order of the file", () => {
    const text = [job("a", "  task: Clasification\n  budgets: {}\n"), job("B"), job("c", "  goal: 3\n")].join(
      "---\n",
    );
    expect(
      validateManifests(text, { file: "x.yaml", embedded: false }).problems.map(({ field }) => field),
    ).toEqual(["spec.task", "spec.budgets", "metadata.name", "spec.goal"]);
  });

  test("a rule is reported next to a wrong field that it does not speak of, and not where it does", () => {
    const both = job("a", "  evaluation: {folds: 1, split: Time}\n");
    const { problems } = validateManifests(both, { file: "job.yaml", embedded: false });
    expect(problems.map(({ field }) => field).sort()).toEqual([
      "spec.evaluation.column",
      "spec.evaluation.folds",
    ]);
    const consequence = job("a", "  evaluation: {split: Tine, column: day}\n");
    expect(lines(consequence)).toHaveLength(1);
  });

  test("two of a kind and a name are refused, two kinds of one name are not", () => {
    expect(lines(`${job("a")}---\n${job("a")}`)).toEqual([
      "job.yaml:12:3: TrainingJob a: metadata.name: must be unique: a TrainingJob of this name stands at line 1 already; choose another name",
    ]);
    const dataset =
      "apiVersion: autoai.dev/v1alpha1\nkind: Dataset\nmetadata: {name: a}\nspec: {source: {upload: true}}\n";
    expect(lines(`${job("a")}---\n${dataset}`)).toEqual([]);
  });

  test("a key that the ConfigMap or Secret beside it does not have is pointed at", () => {
    const text = `${VALID_JOB.replace("{datasetRef: {name: churn}}", "{configMapKeyRef: {name: rows, key: a.csv}}")}---
apiVersion: v1
kind: ConfigMap
metadata: {name: rows}
data: {b.csv: "x,y"}
`;
    expect(lines(text)).toEqual([
      'job.yaml:6:43: TrainingJob churn: spec.dataset.configMapKeyRef.key: must be a key of ConfigMap rows, which has b.csv, found "a.csv"',
    ]);
    expect(lines(text.replace("b.csv", "a.csv"))).toEqual([]);
    expect(lines(text.replace("name: rows}", "name: others}"))).toEqual([]);
  });

  test("empty documents are skipped, and a file with nothing else is refused", () => {
    expect(lines(`---\n---\n${VALID_JOB}---\n`)).toEqual([]);
    for (const text of ["", "---\n---\n", "# nothing\n"]) {
      expect(lines(text)).toEqual([
        "job.yaml:1:1: manifest: must hold at least one resource, found none; see the examples folder",
      ]);
    }
  });
});

describe("what is not a resource of ours", () => {
  test.each([
    [
      "apiVersion: autoai.dev/v1\nkind: TrainingJob\n",
      "apiVersion: must be autoai.dev/v1alpha1 for kind TrainingJob",
    ],
    ["apiVersion: autoai.dev/v1alpha1\nkind: TrainJob\n", "did you mean TrainingJob?"],
    [
      "apiVersion: apps/v1\nkind: Deployment\n",
      "must be one of Dataset, TrainingJob, ModelDeployment, ConfigMap, Secret",
    ],
    ["spec: {}\n", "found nothing"],
    ["hello\n", 'must be a resource with apiVersion, kind, metadata and spec, found "hello"'],
    ["- a\n", "found a list"],
    ["PK\u0003\u0004\u0000", "must be a resource"],
  ])("%j", (text, told) => {
    expect(lines(text)).toHaveLength(1);
    expect(lines(text)[0]).toContain(told);
  });
});

describe("text that is not YAML", () => {
  test("a tab is pointed at", () => {
    const told = lines("apiVersion: autoai.dev/v1alpha1\nspec:\n\ttarget: a\n");
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^job.yaml:3:1: document 1: .*indent with spaces/);
  });

  test("a field given twice is pointed at", () => {
    const told = lines(`${VALID_JOB}  target: Age\n`);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^job.yaml:8:3: document 1: has the field "target" twice; keep one of the two$/);
  });

  test("a broken document does not hide what is wrong with another", () => {
    expect(lines(`a: [1,\n---\n${VALID_JOB}  goal: 3\n`)).toHaveLength(2);
  });

  test("aliases that multiply are refused, quickly", () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`,
    );
    const told = lines(`l0: &l0 [a]\n${levels.join("\n")}\n`);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("write the values out, without anchors and aliases");
  });

  test("nesting without end is refused", () => {
    const told = lines("[".repeat(200_000));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/nested|valid YAML/);
  });

  test("a megabyte of fields that are not known, or of labels that are none, is refused with a bounded number of lines", () => {
    const fields = Array.from({ length: 30_000 }, (_, index) => `  field${index}: 1\n`).join("");
    const labels = Array.from({ length: 30_000 }, (_, index) => `    l${index}: 1\n`).join("");
    for (const text of [VALID_JOB + fields, VALID_JOB.replace("spec:", `  labels:\n${labels}spec:`)]) {
      const told = lines(text);
      expect(told.length).toBeGreaterThan(50);
      expect(told.length).toBeLessThanOrEqual(200);
    }
  }, 30_000);

  test("more than a megabyte is refused unread", () => {
    expect(lines(`# ${"x".repeat(MAX_MANIFEST_BYTES)}`)).toEqual([
      "job.yaml:1:1: manifest: must be at most 1048576 bytes, found 1048578; split it into several files, and put data into a CSV",
    ]);
  });
});

describe("secrets", () => {
  test("a value of a Secret is never repeated", () => {
    const text =
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: 'hush hush'}\nstringData: {l: 77441}\n";
    const told = lines(text).join("\n");
    expect(told).toContain("data.k: must be base64");
    expect(told).not.toMatch(/hush|77441/);
  });

  test("control characters of a manifest never reach the terminal", () => {
    for (const text of [
      `${VALID_JOB}  "x\\e[31m\\n": 1\n`,
      VALID_JOB.replace("name: churn\nspec", 'name: "x\\e[31m\\n"\nspec'),
      VALID_JOB.replace("kind: TrainingJob", 'kind: "x\\e[31m\\n"'),
    ]) {
      const told = lines(text);
      expect(told).toHaveLength(1);
      expect(told[0]).not.toContain("\u001b");
      expect(told[0]).not.toContain("\n");
    }
  });
});
