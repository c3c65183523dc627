import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { TrainingJob } from "../api/trainingjob.ts";
import { barText, createProgress, duration } from "./progress.ts";

function job(status: object, spec: object = {}): TrainingJob {
  return TrainingJob.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name: "churn" },
    spec: {
      dataset: { uri: "s3://bucket/rows.csv" },
      target: "answer",
      budget: { maxSteps: 20, maxSeconds: 200 },
      ...spec,
    },
    status: { state: "TRAINING", ...status },
  });
}

const condition = (status: string) => ({
  type: "DatasetPrepared",
  status,
  reason: "Prepared",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
});
const step = (number: number, more: object = {}) =>
  job({
    conditions: [condition("True")],
    progress: { step: number, maxSteps: 20, activity: "executing tune.py" },
    usage: { tokens: 0, seconds: 64 },
    bestCandidate: { verifiedScore: "0.8512", claimedScore: "0.99", step: 2 },
    ...more,
  });

test.each([
  [0, "0s"],
  [59.6, "1m00s"],
  [75, "1m15s"],
  [3599.4, "59m59s"],
  [3600, "1h00m"],
  [90_000, "25h00m"],
])("%d s are written %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

describe("the bar", () => {
  test("shows step, verified score, elapsed and remaining budget, and what is being done", () => {
    expect(barText(step(3))).toBe(
      "churn [######--------------] step 3/20  best 0.8512  1m04s, 2m16s left  executing tune.py",
    );
  });

  test("is as full as the budget that is nearest to its end", () => {
    expect(barText(step(10))).toContain("[##########----------]");
    expect(barText(step(3), 136)).toContain("[####################] step 3/20  best 0.8512  3m20s, 0s left");
    expect(barText(step(3), 9999)).toContain("3m20s, 0s left");
  });

  test("names the metric that the score is of, and never shows what was claimed", () => {
    const named = job({ bestCandidate: { verifiedScore: "3.1", step: 0 } }, { task: "Regression" });
    expect(barText(named)).toMatch(/Rmse 3\.1/);
    expect(barText(step(3))).not.toContain("0.99");
    expect(barText(job({}))).toContain("no score yet");
  });
});

describe("progress in a log", () => {
  function log() {
    const stream = new PassThrough();
    return {
      progress: createProgress(stream as unknown as NodeJS.WriteStream),
      text: () => String(stream.read() ?? ""),
    };
  }

  test("is a line for each change, without control characters", () => {
    const { progress, text } = log();
    for (const one of [step(1), step(1), step(2)]) progress.show(one);
    progress.line("churn: no network");
    progress.end();
    expect(text()).toBe(
      "churn  step 1/20  best 0.8512  1m04s  executing tune.py\nchurn  step 2/20  best 0.8512  1m04s  executing tune.py\nchurn: no network\n",
    );
  });

  test("begins once the data are in order, so that bad input is one line", () => {
    const { progress, text } = log();
    progress.show(
      job({ conditions: [condition("Unknown")], progress: { step: 0, maxSteps: 20, activity: "preparing" } }),
    );
    expect(text()).toBe("");
  });
});

test("on a terminal the bar is redrawn in place, kept to its width, and gone at the end", () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 40 });
  const progress = createProgress(stream as unknown as NodeJS.WriteStream, () => 0);
  progress.show(step(3));
  expect(String(stream.read())).toBe(`\r\u001b[2K${barText(step(3)).slice(0, 39)}`);
  progress.line("a line that stays");
  expect(String(stream.read())).toBe("\r\u001b[2Ka line that stays\n");
  progress.show(step(4));
  stream.read();
  progress.end();
  expect(String(stream.read())).toBe("\r\u001b[2K");
});
