import { describe, expect, test } from "vitest";
import type { Metric } from "../api/metrics.ts";
import { type Contender, follow, retrainedFrom } from "./follow.ts";

function contender(trainingJob: string, verified: number, day: number, metric: Metric = "RocAuc"): Contender {
  return {
    trainingJob,
    completed: `2026-01-${String(day).padStart(2, "0")}T00:00:00Z`,
    digest: trainingJob,
    manifest: {
      task: metric === "Rmse" ? "Regression" : "BinaryClassification",
      target: "churn",
      metric,
      scores: { verified, standardError: 0, final: 0, finalStandardError: 0, baselineFinal: 0 },
    },
  };
}

describe("following the latest", () => {
  const first = contender("churn", 0.8, 1);

  test("goes to a model that is not worse, and no further", () => {
    const choice = follow(first, [contender("b", 0.79, 3), contender("a", 0.8, 2)]);
    expect(choice.chosen.trainingJob).toBe("a");
    expect(choice.passedOver).toEqual([
      { trainingJob: "b", why: "its verified RocAuc of 0.79 is worse than the 0.8 of a" },
    ]);
  });

  test("goes in the order of publication, whatever the order of the list", () => {
    const jobs = [contender("a", 0.9, 2), contender("b", 0.85, 3), contender("c", 0.95, 4)];
    expect(follow(first, jobs).chosen.trainingJob).toBe("c");
    expect(follow(first, [...jobs].reverse())).toEqual(follow(first, jobs));
    // By their names they would come the other way round.
    const [earlier, later] = [contender("z", 0.85, 2), contender("a", 0.9, 3)];
    const passed = follow(first, [contender("m", 0.7, 4), later, earlier]);
    expect(passed.chosen.trainingJob).toBe("a");
    expect(passed.passedOver.map(({ trainingJob }) => trainingJob)).toEqual(["m"]);
    expect(follow(first, [contender("y", 0.9, 2), contender("b", 0.9, 3)]).chosen.trainingJob).toBe("b");
  });

  test("knows which way is better", () => {
    const rmse = contender("price", 10, 1, "Rmse");
    expect(follow(rmse, [contender("a", 11, 2, "Rmse")]).chosen.trainingJob).toBe("price");
    expect(follow(rmse, [contender("a", 9, 2, "Rmse")]).chosen.trainingJob).toBe("a");
  });

  test("compares nothing that cannot be compared", () => {
    const { chosen, passedOver } = follow(first, [contender("a", 0.99, 2, "Accuracy")]);
    expect(chosen).toBe(first);
    expect(passedOver[0]?.why).toBe("its metric is Accuracy, and that of churn is RocAuc");
  });
});

test("the family of a job is what was retrained from it, and from that", () => {
  const jobs = [
    { name: "grandchild", recipeFrom: "child" },
    { name: "child", recipeFrom: "churn" },
    { name: "other", recipeFrom: "stranger" },
    { name: "churn" },
    { name: "circle", recipeFrom: "circle" },
  ];
  expect(retrainedFrom("churn", jobs).sort()).toEqual(["child", "grandchild"]);
});
