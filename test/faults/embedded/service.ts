/** The LLM behind its line: replies by how far the conversation is, and the account of what was paid for. */
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { ownerKey } from "../../../operator/evaluation/context.ts";
import type { LanguageModel, LlmReply } from "../../../operator/llm/language-model.ts";
import { REPLIES } from "../replies.ts";
import type { Line } from "./line.ts";
import type { Random } from "./random.ts";
import { sleep } from "./virtual-time.ts";

/** A reply that was made, and has its price, whether it arrived or not. */
export type Paid = {
  readonly job: string;
  readonly step: number;
  /** The line of the operator that asked. */
  readonly line: Line;
  /** It arrived at an operator that was alive. */
  arrived: boolean;
};

export class Service {
  readonly paid: Paid[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The model of a job, as the operator at the end of that line reaches it. */
  modelOf(job: TrainingJob, line: Line): LanguageModel {
    return {
      reply: async ({ turns }, signal) => {
        // A turn of the model and one of the tools for each reply so far, after the briefing.
        const index = Math.floor((turns.length - 1) / 2);
        let paid: Paid | undefined;
        const answer = line.call(
          "LLM",
          async () => {
            await sleep(this.#random.between(0.5, 4));
            paid = { job: ownerKey(job), step: index + 1, line, arrived: false };
            this.paid.push(paid);
            return replyOf(index);
          },
          true,
        );
        const late = new Promise<never>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        });
        const reply = await Promise.race([answer, late]);
        if (paid) paid.arrived = true;
        return reply;
      },
    };
  }
}

function replyOf(index: number): LlmReply {
  const calls = REPLIES[index] ?? [];
  return {
    parts: [{ text: "Next." }, ...calls.map((functionCall) => ({ functionCall }))],
    finish: "Stop",
    usage: { promptTokens: 10, outputTokens: 10, totalTokens: 20 },
    model: "scripted",
  };
}
