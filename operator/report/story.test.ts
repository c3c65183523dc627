import { describe, expect, test } from "vitest";
import { type Made, reportInput } from "../../test/builders/report-input.ts";
import { renderReport } from "./index.ts";
import { tell } from "./story.ts";

/** The box at the top, as words. */
async function verdictOf(made: Made, change: (input: ReturnType<typeof reportInput>) => void = () => {}) {
  const input = reportInput(made);
  change(input);
  const [, box = ""] = /class="verdict (.*?)<\/section>/s.exec(await renderReport(input)) ?? [];
  return box
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll("&#39;", "'")
    .replaceAll(/[\s\u00a0]+/g, " ");
}

describe("the verdict", () => {
  test("names score, rows, baseline and gain", async () => {
    expect(await verdictOf({})).toContain(
      "RocAuc 0.8552 ± 0.0092 on 800 rows set aside before training: better than the gradient-boosting baseline (0.8441 ± 0.0097) by 0.0111 ± 0.0092.",
    );
  });

  test("calls a gain within one standard error noise", async () => {
    const text = await verdictOf({ finalScore: 0.846 });
    expect(text).toContain("not clearly different from the gradient-boosting baseline");
    expect(text).toContain("it may be noise");
    expect(text).not.toContain("better than");
  });

  test("says when the baseline is better on the final rows", async () => {
    expect(await verdictOf({ finalScore: 0.82 })).toContain(
      "worse than the gradient-boosting baseline (0.8441 ± 0.0097) by 0.0241",
    );
  });

  test("knows that less is more with an error", async () => {
    expect(await verdictOf({ task: "Regression" })).toContain(
      "Rmse 53.9 ± 2.8 on 800 rows set aside before training: better than the gradient-boosting baseline",
    );
    expect(await verdictOf({ task: "Regression", finalScore: 70 })).toContain("worse than");
  });

  test("says when a baseline is the model, and claims no gain", async () => {
    const text = await verdictOf({ scores: [0.8, 0.81] });
    expect(text).toContain(
      "No candidate beat the baselines, so the better one of them is the model: RocAuc 0.8441",
    );
    expect(text).not.toContain("Gain");
    expect(await verdictOf({ scores: [] })).toContain("No candidate but the baselines was verified");
  });

  test("of a job at work is none", async () => {
    expect(await verdictOf({ published: false })).toContain(
      "Work in progress: the best candidate so far has a verified RocAuc of 0.8514 ± 0.0046",
    );
  });
});

describe("the author", () => {
  test("offline: no LLM was involved", async () => {
    expect(await verdictOf({ model: "offline" })).toContain("no LLM was involved");
  });

  test("a language model is named, as it calls itself", async () => {
    const text = await verdictOf({ model: "gemini-2.5-pro" });
    expect(text).toContain("written by the language model gemini-2.5-pro");
    expect(text).not.toContain("no LLM");
  });

  test("a baseline that beat a language model: neither hidden", async () => {
    const text = await verdictOf({ model: "gemini-2.5-pro", scores: [0.8] });
    expect(text).toContain("no LLM wrote it; gemini-2.5-pro was asked, and did no better");
  });

  test("another job's recipe: no LLM was involved", async () => {
    const text = await verdictOf({}, (input) => {
      input.job.spec.recipeFrom = "churn-2025";
      for (const entry of input.entries) {
        if (entry.type === "ToolFinished" && entry.candidate) entry.candidate.origin = "Recipe";
      }
    });
    expect(text).toContain(
      "The recipe of the job churn-2025 was run again on these rows: no LLM was involved.",
    );
  });
});

test("a gain over the baseline is the paired one, where the scorer has computed it", () => {
  const input = reportInput();
  for (const entry of input.entries) {
    if (entry.type !== "ModelPublished") continue;
    entry.final.versus = [
      { name: "0", gain: 0.3, standardError: 0.1 },
      { name: "1", gain: 0.0101, standardError: 0.0031 },
    ];
  }
  expect(tell(input).gain).toEqual({ value: 0.0101, standardError: 0.0031, noise: false });
});

test("the winner is the published candidate, or the best one so far", () => {
  expect(tell(reportInput()).winner?.number).toBe(4);
  expect(
    tell(reportInput({ task: "Regression", published: false, scores: [60, 50, 55] })).winner?.number,
  ).toBe(3);
});
