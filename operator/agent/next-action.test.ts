import { describe, expect, test } from "vitest";
import {
  baselines,
  candidate,
  type Draft,
  jobFinished,
  journalOf,
  prepared,
  published,
  publishFailed,
  reply,
  stopped,
  toolFinished,
} from "../../test/builders/entries.ts";
import { TrainingJobSpec as Spec, type TrainingJobSpec } from "../api/trainingjob.ts";
import { type Action, nextAction, remainingBudget, reserveSeconds } from "./next-action.ts";

function specOf(fields: object = {}): TrainingJobSpec {
  return Spec.parse({
    dataset: { uri: "s3://bucket/rows.csv" },
    target: "answer",
    budget: { maxSteps: 5, maxSeconds: 1000, maxTokens: 100_000 },
    ...fields,
  });
}

const CALL = { name: "execute_python_file", args: { path: "a.py" } };
const begun = [prepared(), ...baselines()];
const saved = (step: number, score: number, number = 2): Draft =>
  toolFinished(step, 0, "save_model_settings", { candidate: candidate({ number, step, score }) });

describe("the next action", () => {
  test.each<[string, Draft[], Partial<Action>, object?]>([
    ["begins with the data", [], { type: "Prepare" }],
    ["verifies the prior baseline", [prepared()], { type: "VerifyBaseline", which: "PriorBaseline" }],
    [
      "verifies the boosting baseline next",
      [prepared(), baselines()[0]],
      { type: "VerifyBaseline", which: "BoostingBaseline" },
    ],
    [
      "goes on without a baseline that failed",
      [
        prepared(),
        baselines()[0],
        { type: "CandidateFailed", origin: "BoostingBaseline", stage: "Fit", message: "" },
      ],
      { type: "Ask", step: 1 },
    ],
    ["asks once the baselines are there", begun, { type: "Ask", step: 1, maxOutputTokens: 16_384 }],
    [
      "carries out the calls of a reply in their order",
      [...begun, reply(1, [CALL, { ...CALL, id: "second" }]), toolFinished(1, 0, CALL.name)],
      { type: "RunTool", step: 1, index: 1, call: { ...CALL, id: "second" } },
    ],
    [
      "asks again once every call is answered",
      [...begun, reply(1, [CALL]), toolFinished(1, 0, CALL.name)],
      { type: "Ask", step: 2 },
    ],
    ["reminds an agent of words alone", [...begun, reply(1), reply(2)], { type: "Ask", step: 3 }],
    [
      "stops at the third reply of words alone",
      [...begun, reply(1), reply(2), reply(3)],
      { type: "StopAgent", reason: "AgentFinished" },
    ],
    [
      "takes words after a saved model for the end",
      [...begun, reply(1, [CALL]), saved(1, 0.7), reply(2)],
      { type: "StopAgent", reason: "AgentFinished" },
    ],
    [
      "does not take a reply that was cut for the end",
      [...begun, reply(1, [CALL]), saved(1, 0.7), reply(2, [], { finish: "MaxTokens" })],
      { type: "Ask", step: 3 },
    ],
    [
      "carries out no call of a reply that was cut",
      [...begun, reply(1, [CALL], { finish: "MaxTokens" })],
      { type: "Ask", step: 2 },
    ],
    [
      "stops where the steps are spent, after the last reply's calls",
      [...begun, reply(5, [CALL]), toolFinished(5, 0, CALL.name)],
      { type: "StopAgent", reason: "StepsExhausted" },
    ],
    ["carries out the last reply's calls", [...begun, reply(5, [CALL])], { type: "RunTool", step: 5 }],
    [
      "stops where the next turn would not fit into the tokens",
      [
        ...begun,
        reply(1, [CALL], { usage: { promptTokens: 50_000, outputTokens: 10, totalTokens: 50_010 } }),
        toolFinished(1, 0, CALL.name),
      ],
      { type: "StopAgent", reason: "TokensExhausted" },
    ],
    [
      "allows an answer no more tokens than are left",
      [
        ...begun,
        reply(1, [CALL], { usage: { promptTokens: 48_000, outputTokens: 1000, totalTokens: 49_000 } }),
        toolFinished(1, 0, CALL.name),
      ],
      { type: "Ask", step: 2, maxOutputTokens: 2000 },
    ],
    [
      "stops where the acceptance score is reached, and leaves the other calls",
      [...begun, reply(1, [CALL, CALL]), saved(1, 0.91)],
      { type: "StopAgent", reason: "Accepted" },
      { acceptance: { score: "0.9" } },
    ],
    [
      "goes on below the acceptance score, whatever was claimed",
      [
        ...begun,
        reply(1, [CALL]),
        toolFinished(1, 0, "save_model_settings", {
          candidate: candidate({ score: 0.85, claimedScore: 0.99 }),
        }),
      ],
      { type: "Ask", step: 2 },
      { acceptance: { score: "0.9" } },
    ],
    [
      "accepts a lower score where lower is better",
      [prepared({ metric: "Rmse", task: "Regression", classes: [] }), ...baselines(9, 3, "Rmse")],
      { type: "StopAgent", reason: "Accepted" },
      { task: "Regression", evaluation: { metric: "Rmse" }, acceptance: { score: "3.5" } },
    ],
    ["verifies a recipe without an agent", begun, { type: "VerifyRecipe" }, { recipeFrom: "other" }],
    [
      "stops once a recipe is verified",
      [...begun, { type: "CandidateVerified", candidate: candidate({ origin: "Recipe", score: 0.9 }) }],
      { type: "StopAgent", reason: "NoAgent" },
      { recipeFrom: "other" },
    ],
    [
      "publishes the best by verified score, not by claim nor by age",
      [
        ...begun,
        reply(1, [CALL]),
        saved(1, 0.9, 2),
        reply(2, [CALL]),
        toolFinished(2, 0, "save_model_settings", {
          candidate: candidate({ number: 3, score: 0.7, claimedScore: 0.99 }),
        }),
        stopped("StepsExhausted"),
      ],
      { type: "Publish", candidate: 2 },
    ],
    [
      "publishes a baseline that nobody beats",
      [...begun, stopped("AgentFinished")],
      { type: "Publish", candidate: 1 },
    ],
    [
      "falls to the next best where publishing failed",
      [...begun, reply(1, [CALL]), saved(1, 0.9), stopped("AgentFinished"), publishFailed(2)],
      { type: "Publish", candidate: 1 },
    ],
    [
      "ends in ERROR where none can be published",
      [...begun, stopped("AgentFinished"), publishFailed(1), publishFailed(0)],
      { type: "Finish", state: "ERROR", reason: "NoCandidate" },
    ],
    [
      "ends READY with the reason why the agent stopped",
      [...begun, stopped("TokensExhausted", "spent"), published(1)],
      { type: "Finish", state: "READY", reason: "TokensExhausted", message: "spent" },
    ],
    [
      "is none where the job is over",
      [...begun, stopped("AgentFinished"), published(1), jobFinished("READY")],
      { type: "None" },
    ],
  ])("%s", (_name, drafts, action, spec) => {
    expect(nextAction(specOf(spec), journalOf(...drafts), 10)).toMatchObject(action);
  });
});

describe("the budget of seconds", () => {
  test("ends the agent when only the reserve is left, and publishes", () => {
    const entries = journalOf(...begun);
    const reserve = reserveSeconds(specOf(), entries);
    expect(nextAction(specOf(), entries, 1000 - reserve - 1)).toMatchObject({ type: "Ask" });
    expect(nextAction(specOf(), entries, 1000 - reserve)).toMatchObject({
      type: "StopAgent",
      reason: "SecondsExhausted",
    });
    const over = journalOf(...begun, stopped("SecondsExhausted"));
    expect(nextAction(specOf(), over, 5000)).toMatchObject({ type: "Publish", candidate: 1 });
  });

  test("does not begin the calls of a reply in the reserve", () => {
    const entries = journalOf(...begun, reply(1, [CALL]));
    expect(nextAction(specOf(), entries, 999)).toMatchObject({
      type: "StopAgent",
      reason: "SecondsExhausted",
    });
  });

  test("verifies both baselines into the reserve, and the second until the budget itself is over", () => {
    const first = baselines()[0];
    expect(nextAction(specOf(), journalOf(prepared()), 990)).toMatchObject({ type: "VerifyBaseline" });
    expect(nextAction(specOf(), journalOf(prepared(), first), 990)).toEqual({
      type: "VerifyBaseline",
      which: "BoostingBaseline",
    });
    expect(nextAction(specOf(), journalOf(prepared(), first), 1000)).toMatchObject({
      type: "StopAgent",
      reason: "SecondsExhausted",
    });
  });

  test("is an ERROR where it ends without a candidate", () => {
    expect(nextAction(specOf(), journalOf(prepared()), 1000)).toMatchObject({
      type: "Finish",
      state: "ERROR",
      reason: "SecondsExhausted",
      message: expect.stringContaining("raise spec.budget.maxSeconds"),
    });
  });

  test("keeps more back for what takes longer to fit, and never more than half", () => {
    const quick = reserveSeconds(specOf(), journalOf(...begun));
    const slow = journalOf(
      ...begun,
      toolFinished(1, 0, "save_model_settings", { candidate: candidate({ score: 0.9, fitSeconds: 100 }) }),
    );
    expect(reserveSeconds(specOf(), slow)).toBeGreaterThan(quick + 200);
    const endless = journalOf(
      ...begun,
      toolFinished(1, 0, "save_model_settings", { candidate: candidate({ score: 0.9, fitSeconds: 9000 }) }),
    );
    expect(reserveSeconds(specOf(), endless)).toBe(500);
  });

  test("what remains is never below nothing", () => {
    const usage = { promptTokens: 150_000, outputTokens: 50_000, totalTokens: 200_000 };
    const entries = journalOf(...begun, reply(9, [], { usage }));
    expect(remainingBudget(specOf(), entries, 9999)).toEqual({ steps: 0, seconds: 0, tokens: 0 });
  });
});
