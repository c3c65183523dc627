/** OfflineModel: an author of recipes that is no language model. The same conversation gives the same reply. */
import type { LanguageModel, LlmReply, LlmRequest, Part } from "../language-model.ts";
import { type Move, nextMove, type Search } from "./author.ts";
import type { ModelPlan } from "./model-plan.ts";
import { isFirstReply, TOOLS } from "./place.ts";
import { featuresModule } from "./python/features.ts";
import { modelsModule } from "./python/models.ts";
import { searchModule } from "./python/search.ts";
import { trainModule } from "./python/train.ts";
import { trialsModule } from "./python/trials.ts";

const INTRODUCTION =
  "No LLM is involved: this is AutoAI's offline author, a deterministic program that writes, tunes and blends models with the same tools.";

/** Keeps nothing between calls: where it stands is read from the conversation each time. */
export class OfflineModel implements LanguageModel {
  async reply(request: LlmRequest, signal: AbortSignal): Promise<LlmReply> {
    signal.throwIfAborted();
    const { plan, move } = nextMove(request);
    const say = isFirstReply(request.turns) ? `${INTRODUCTION}\n\n${move.say}` : move.say;
    return {
      parts: [{ text: say }, ...callsOf(move, plan)],
      finish: "Stop",
      usage: { promptTokens: 0, outputTokens: 0, totalTokens: 0 },
      model: "offline",
    };
  }
}

function callsOf(move: Move, plan: ModelPlan): Part[] {
  switch (move.kind) {
    case "Done":
      return [];
    case "Install":
      return [call(TOOLS.install, { packages: move.packages })];
    case "Search":
      return [...(move.fresh ? sharedFiles(plan) : []), ...searchCalls(move.search, plan)];
    case "Save": {
      const { name, description, members, priorPower, claimedScore } = move.save;
      return [
        ...(move.fresh ? sharedFiles(plan) : []),
        write("train.py", trainModule(plan, members, priorPower)),
        call(TOOLS.save, {
          name,
          description,
          entry: "train.py",
          ...(claimedScore === undefined ? {} : { claimed_score: claimedScore }),
        }),
        ...(move.thenSearch === undefined ? [] : searchCalls(move.thenSearch, plan)),
      ];
    }
  }
}

function sharedFiles(plan: ModelPlan): Part[] {
  return [write("features.py", featuresModule(plan)), write("models.py", modelsModule(plan))];
}

function searchCalls({ trials, budget }: Search, plan: ModelPlan): Part[] {
  const { folds, repeats, splits, leastSplits, maxRows, seconds, fitSeconds } = budget;
  return [
    write("trials.py", trialsModule(plan, { trials, folds, repeats, splits, leastSplits, maxRows })),
    write("search.py", searchModule(plan, plan.cpus)),
    call(TOOLS.execute, {
      path: "search.py",
      args: ["--seconds", String(seconds), "--fit-seconds", String(fitSeconds)],
    }),
  ];
}

function write(path: string, content: string): Part {
  return call(TOOLS.write, { path, content });
}

function call(name: string, args: Readonly<Record<string, unknown>>): Part {
  return { functionCall: { name, args } };
}
