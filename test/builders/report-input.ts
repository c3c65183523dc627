/** Inputs of a report, made up: a job of each task, with numbers that look like those of a real one. */
import type { Candidate, JournalDraft, JournalEntry } from "../../operator/api/journal.ts";
import type { Metric, Task } from "../../operator/api/metrics.ts";
import type { ColumnProfile, Profile, ScoreResult, SplitResult } from "../../operator/api/profile.ts";
import { ReportData } from "../../operator/api/report-data.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import type { ReportInput } from "../../operator/report/index.ts";

const DIGEST = "5f3c7f9a2b1d4e6f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7";
const START = Date.parse("2026-03-01T12:00:00Z");

export type Made = {
  readonly task?: Task;
  /** Model that answers, as it calls itself; "offline" for the offline author. */
  readonly model?: string;
  /** Verified scores of the agent's candidates, in their order. */
  readonly scores?: readonly number[];
  readonly finalScore?: number;
  readonly published?: boolean;
  readonly spec?: Record<string, unknown>;
};

const TASKS = {
  BinaryClassification: {
    metric: "RocAuc",
    prior: 0.5,
    boosting: 0.842,
    error: 0.0046,
    scores: [0.821, 0.8391, 0.8514, 0.8476],
    final: 0.8552,
    baseline: 0.8441,
  },
  MulticlassClassification: {
    metric: "LogLoss",
    prior: 1.0986,
    boosting: 0.412,
    error: 0.012,
    scores: [0.52, 0.398, 0.371],
    final: 0.366,
    baseline: 0.408,
  },
  Regression: {
    metric: "Rmse",
    prior: 77.1,
    boosting: 58.2,
    error: 1.4,
    scores: [55.4, 56.1, 54.2],
    final: 53.9,
    baseline: 57.5,
  },
} as const;

const CLASSES: Record<Task, string[]> = {
  BinaryClassification: ["No", "Yes"],
  MulticlassClassification: ["barolo", "grignolino", "barbera"],
  Regression: [],
};

export function reportInput(made: Made = {}): ReportInput {
  const task = made.task ?? "BinaryClassification";
  const split: SplitResult = {
    task,
    classes: CLASSES[task],
    method: "CrossValidation",
    folds: 5,
    rows: { train: 2400, selection: 800, final: 800, dropped: 3 },
    warnings: [
      {
        code: "SingleFeaturePredictsTarget",
        column: "Total Spend",
        message:
          "Total Spend alone predicts the target with RocAuc 0.81: is it known when a prediction is made?",
      },
    ],
    files: {},
  };
  return {
    job: job(task, made),
    entries: entries(task, made, split),
    profile: profile(),
    split,
    data: made.published === false ? undefined : reportData(task),
    files: [
      {
        path: "features.py",
        text: "def columns(frame):\n    return [name for name in frame if name != 'CustomerID']\n",
      },
      {
        path: "train.py",
        text: 'import joblib\nimport pandas as pd\nfrom features import columns\n\nframe = pd.read_csv("data/train.csv")\nif len(frame) < 10 and "a" > "b":\n    raise SystemExit("too few rows")\n',
      },
    ],
    now: "2026-03-01T12:10:00Z",
    version: "0.1.0",
  };
}

function job(task: Task, made: Made): TrainingJob {
  return TrainingJob.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name: "churn", namespace: "default", uid: "0b5c2d1e-8f3a-4c7b-9d6e-1a2b3c4d5e6f" },
    spec: {
      dataset: { uri: "file:data/churn.csv" },
      target: "Churn",
      task,
      goal: "Find customers who are about to leave, early enough to call them.",
      ...made.spec,
    },
    status: { journalUri: "file:///home/me/.autoai/jobs/default/churn/journal" },
  });
}

function scored(
  metric: Metric,
  score: number,
  standardError: number,
  rows: number,
  best?: number,
): ScoreResult {
  const better = metric === "RocAuc" ? 1 : -1;
  return {
    metric,
    score,
    standardError,
    rows,
    all: { [metric]: score },
    seen: score + better * standardError * 0.4,
    unseen: score,
    memorised: false,
    versus:
      best === undefined
        ? []
        : [{ name: "1", gain: better * (score - best), standardError: standardError * 0.6 }],
  };
}

function entries(task: Task, made: Made, split: SplitResult): JournalEntry[] {
  const facts = TASKS[task];
  const { metric } = facts;
  const model = made.model ?? "offline";
  const written: JournalEntry[] = [];
  const add = (seconds: number, draft: JournalDraft) => {
    const sequence = written.length;
    written.push({
      ...draft,
      sequence,
      at: new Date(START + seconds * 1000).toISOString(),
      elapsedSeconds: seconds,
    } as JournalEntry);
  };
  add(6.2, {
    type: "DatasetPrepared",
    datasetSha256: DIGEST,
    task,
    metric,
    classes: split.classes,
    method: split.method,
    folds: split.folds,
    rows: split.rows,
    warnings: split.warnings,
    environment: `sha256:${DIGEST}`,
    packages: [
      { name: "numpy", version: "2.4.0" },
      { name: "pandas", version: "3.1.0" },
      { name: "scikit-learn", version: "1.9.0" },
    ],
  });
  const rows = split.rows.train + split.rows.selection;
  const verified = (score: number, best?: number) => scored(metric, score, facts.error, rows, best);
  add(9.1, {
    type: "CandidateVerified",
    candidate: candidate(0, "PriorBaseline", 0, "Prior baseline", verified(facts.prior)),
  });
  add(14.8, {
    type: "CandidateVerified",
    candidate: candidate(
      1,
      "BoostingBaseline",
      0,
      "Gradient boosting baseline",
      verified(facts.boosting, facts.prior),
    ),
  });
  const names = [
    "Logistic regression",
    "Random forest on ratios",
    "Tuned gradient boosting",
    "Blend of three",
  ];
  const usage = { promptTokens: 5200, outputTokens: 900, totalTokens: model === "offline" ? 0 : 6100 };
  let best: number = facts.boosting;
  (made.scores ?? facts.scores).forEach((score, index) => {
    const step = index + 1;
    const seconds = 14.8 + step * 21.3;
    add(seconds - 12, { type: "ReplyReceived", step, model, parts: [], finish: "Stop", usage });
    if (index === 1) {
      add(seconds - 9, {
        type: "ToolFinished",
        step,
        call: 0,
        name: "execute_python_file",
        digest: "d",
        response: {
          ok: false,
          traceback:
            "Traceback (most recent call last):\n  File \"train.py\", line 12, in <module>\nKeyError: 'Tenure '",
        },
      });
    }
    add(seconds, {
      type: "ToolFinished",
      step,
      call: 1,
      name: "save_model_settings",
      digest: `d${step}`,
      response: { ok: true },
      candidate: {
        ...candidate(index + 2, "Agent", step, names[index] ?? `Candidate ${index}`, verified(score, best)),
        claimedScore: score + (index % 2 === 0 ? 0.6 : -0.8) * facts.error,
      },
    });
    best = metric === "RocAuc" ? Math.max(best, score) : Math.min(best, score);
  });
  const all = [facts.boosting, ...(made.scores ?? facts.scores)];
  const winner = all.indexOf(best) + 1;
  add(104, { type: "AgentStopped", reason: "AgentFinished", message: "the agent finished after 4 steps" });
  if (made.published === false) return written;
  const finalScore = made.finalScore ?? (winner === 1 ? facts.baseline : facts.final);
  add(112.4, {
    type: "ModelPublished",
    candidate: winner,
    name: winner === 1 ? "Gradient boosting baseline" : (names[winner - 2] ?? "Candidate"),
    description: "Gradient boosting on ratios of spend to tenure, tuned on folds.",
    prefix: "jobs/default/churn/model",
    digest: DIGEST,
    final: { ...scored(metric, finalScore, facts.error * 2, split.rows.final), versus: [] },
    baseline: { number: 1, score: facts.baseline, standardError: facts.error * 2.1 },
    warnings: [],
  });
  add(112.5, { type: "JobFinished", state: "READY", reason: "AgentFinished", message: "the agent finished" });
  return written;
}

export function candidate(
  number: number,
  origin: Candidate["origin"],
  step: number,
  name: string,
  verified: ScoreResult,
): Candidate {
  return {
    number,
    origin,
    step,
    name,
    description: name,
    recipe: {
      files: [
        { path: "features.py", key: "k1", sha256: DIGEST },
        { path: "train.py", key: "k2", sha256: DIGEST },
      ],
      entry: "train.py",
      environment: `sha256:${DIGEST}`,
    },
    verified,
    predictions: [],
    fitSeconds: 1.2,
    seconds: 7.4,
    warnings: [],
  };
}

function profile(): Profile {
  const base = { missing: 0, distinctExact: true, meanLength: 4, top: [] };
  const columns: ColumnProfile[] = [
    {
      ...base,
      name: "CustomerID",
      type: "Identifier",
      distinct: 4003,
      top: [{ value: "C-100231", count: 1 }],
      meanLength: 8,
    },
    {
      ...base,
      name: "Age",
      type: "Integer",
      distinct: 48,
      min: "18",
      max: "65",
      mean: 39.4,
      standardDeviation: 12.4,
      missing: 37,
    },
    {
      ...base,
      name: "Gender",
      type: "Category",
      distinct: 2,
      top: [
        { value: "Female", count: 2101 },
        { value: "Male", count: 1902 },
      ],
    },
    {
      ...base,
      name: "Subscription Type",
      type: "Category",
      distinct: 3,
      top: [
        { value: "Premium", count: 1400 },
        { value: "Standard", count: 1352 },
        { value: "Basic", count: 1251 },
      ],
    },
    {
      ...base,
      name: "Total Spend",
      type: "Number",
      format: "thousands separator ,",
      distinct: 3120,
      min: "100.4",
      max: "9998.2",
      mean: 1631.22,
      standardDeviation: 1240.1,
    },
    {
      ...base,
      name: "Last Interaction",
      type: "Date",
      format: "%d.%m.%Y",
      distinct: 365,
      min: "2025-01-01",
      max: "2025-12-31",
    },
    {
      ...base,
      name: "Note",
      type: "Text",
      distinct: 3350,
      distinctExact: false,
      missing: 520,
      top: [{ value: "called about the bill", count: 9 }],
      meanLength: 44.6,
    },
    {
      ...base,
      name: "Churn",
      type: "Category",
      distinct: 2,
      top: [
        { value: "No", count: 2904 },
        { value: "Yes", count: 1096 },
      ],
      missing: 3,
    },
  ];
  return {
    sha256: DIGEST,
    sizeBytes: 412_345,
    encoding: "utf-8",
    delimiter: ",",
    rows: 4003,
    columns,
    duplicateRows: 12,
    preview: { columns: columns.map(({ name }) => name), rows: [] },
    warnings: [
      {
        code: "IdentifierColumn",
        column: "CustomerID",
        message: "every row has another value: it identifies the row and says nothing of others",
      },
    ],
  };
}

/** A curve between (0, 0) and (1, 1) that bends up by so much. */
function bent(power: number): [number, number][] {
  return Array.from({ length: 60 }, (_, index) => [index / 59, (1 - (1 - index / 59) ** power) ** (1 / 1.4)]);
}

/** Repeatable noise in [-1, 1]. */
function noise(index: number): number {
  return 2 * ((((index + 1) * 2654435761) % 1000) / 1000) - 1;
}

export function reportData(task: Task): ReportData {
  const metric = TASKS[task].metric;
  const importance = {
    metric,
    rows: 200,
    repeats: 5,
    leftOut: 0,
    columns: [
      { column: "Total Spend", drop: 0.121, standardError: 0.02 },
      { column: "Subscription Type", drop: 0.044, standardError: 0.011 },
      { column: "Age", drop: 0.0312, standardError: 0.009 },
      { column: "Last Interaction", drop: 0.0021, standardError: 0.004 },
      { column: "Gender", drop: -0.0016, standardError: 0.002 },
    ],
  };
  const calibration = Array.from({ length: 10 }, (_, bin) => ({
    predicted: bin / 10 + 0.05,
    observed: Math.min(1, Math.max(0, bin / 10 + 0.05 + 0.06 * noise(bin))),
    rows: 200 - 18 * bin,
  }));
  const metrics = (values: Partial<Record<Metric, number>>) =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, { value, standardError: 0.009 + value * 0.01 }]),
    );
  switch (task) {
    case "BinaryClassification":
      return ReportData.parse({
        rows: 800,
        metrics: metrics({
          RocAuc: 0.8552,
          AveragePrecision: 0.7031,
          Accuracy: 0.8213,
          BalancedAccuracy: 0.7612,
          F1Macro: 0.7683,
          LogLoss: 0.4021,
        }),
        confusion: {
          classes: ["No", "Yes"],
          counts: [
            [530, 52],
            [91, 127],
          ],
        },
        roc: [{ class: "Yes", area: 0.8552, points: bent(5) }],
        precisionRecall: [
          {
            class: "Yes",
            averagePrecision: 0.7031,
            share: 0.2725,
            points: bent(5).map(([x]) => [x, 1 - 0.72 * x ** 2.2]),
          },
        ],
        calibration: { of: "Yes", bins: calibration },
        importance,
      });
    case "MulticlassClassification":
      return ReportData.parse({
        rows: 800,
        metrics: metrics({
          LogLoss: 0.366,
          RocAuc: 0.961,
          Accuracy: 0.8726,
          BalancedAccuracy: 0.8661,
          F1Macro: 0.8633,
        }),
        confusion: {
          classes: CLASSES[task],
          counts: [
            [240, 20, 3],
            [22, 290, 18],
            [1, 27, 179],
          ],
        },
        roc: CLASSES[task].map((name, index) => ({
          class: name,
          area: 0.95 + 0.01 * index,
          points: bent(5 + 3 * index),
        })),
        precisionRecall: CLASSES[task].map((name, index) => ({
          class: name,
          averagePrecision: 0.9 + 0.02 * index,
          share: 0.33,
          points: bent(5).map(([x]) => [x, 1 - 0.6 * x ** (3 + index)]),
        })),
        calibration: { of: "(likeliest class)", bins: calibration.slice(3) },
        importance,
      });
    case "Regression":
      return ReportData.parse({
        rows: 800,
        metrics: metrics({ Rmse: 53.9, Mae: 43.1, R2: 0.512 }),
        predictedVersusActual: Array.from({ length: 300 }, (_, index) => [
          40 + index,
          70 + 0.8 * index + 55 * noise(index) * noise(7 * index + 3),
        ]),
        residuals: {
          edges: Array.from({ length: 31 }, (_, index) => -150 + 10 * index),
          counts: Array.from({ length: 30 }, (_, index) =>
            Math.round(90 * Math.exp(-(((index - 14) / 5) ** 2))),
          ),
          mean: 0.81,
        },
        importance,
      });
  }
}
