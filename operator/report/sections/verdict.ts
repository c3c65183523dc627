/** The first thing read: what the model is worth, in one sentence, who made it, and what it cost. */
import type { Candidate } from "../../api/journal.ts";
import { type Content, cut, type Html, html } from "../html.ts";
import { change, count, counted, duration, withError } from "../numbers.ts";
import { isBaseline, lowerIsBetter, type Story } from "../story.ts";

type Judgement = {
  readonly tone: "good" | "warn" | "bad" | "plain";
  readonly claim: Content;
};

export function verdict(story: Story): Html {
  const { tone, claim } = judge(story);
  const { published } = story;
  return html`<section class="verdict ${tone}" aria-label="Verdict">
<p class="claim">${claim}</p>
${published && html`<p><b>${cut(published.name, 128)}</b>${published.description && ` – ${cut(published.description, 1024)}`}</p>`}
${story.winner && html`<p>${authorship(story)}</p>`}
${figures(story)}
</section>
`;
}

function judge(story: Story): Judgement {
  const { published, finished, metric, winner, gain } = story;
  if (!published) {
    if (finished?.state === "ERROR") {
      return { tone: "bad", claim: `No model was published: ${cut(finished.message, 600)}` };
    }
    if (!winner) return { tone: "plain", claim: "Work in progress: no candidate is verified yet." };
    const { score, standardError } = winner.verified;
    return {
      tone: "plain",
      claim: html`Work in progress: the best candidate so far has a verified ${metric} of <span class="number">${withError(score, standardError)}</span>, on ${counted(winner.verified.rows, "row")} that chose it.`,
    };
  }
  const { final, baseline } = published;
  const rows = counted(final.rows, "row");
  const score = html`${metric} ${withError(final.score, final.standardError)} on ${rows} set aside before training`;
  if (!gain) {
    return { tone: "warn", claim: html`${whyBaseline(story)}: ${score}.` };
  }
  const against = html`${story.attempts.find(({ candidate }) => candidate.number === baseline.number)?.candidate.origin === "PriorBaseline" ? "the prior baseline" : "the gradient-boosting baseline"} (${withError(baseline.score, baseline.standardError)})`;
  const difference = withError(Math.abs(gain.value), gain.standardError);
  if (gain.noise) {
    return {
      tone: "warn",
      claim: html`${score}: not clearly different from ${against}. The difference, ${change(gain.value, gain.standardError)}, is within one standard error: it may be noise.`,
    };
  }
  if (gain.value < 0) {
    return {
      tone: "warn",
      claim: html`${score}: worse than ${against} by ${difference}, although it was better on the rows that chose it.`,
    };
  }
  return { tone: "good", claim: html`${score}: better than ${against} by ${difference}.` };
}

/** Why nothing better than a baseline is published. */
function whyBaseline({ attempts, winner }: Story): string {
  if (attempts.some(({ candidate }) => !isBaseline(candidate))) {
    return "No candidate beat the baselines, so the better one of them is the model";
  }
  if (attempts.length > 1) {
    return "No candidate but the baselines was verified, so the better one of them is the model";
  }
  const only = winner?.origin === "PriorBaseline" ? "prior" : "gradient-boosting";
  return `Nothing but the ${only} baseline was verified, so it is the model`;
}

/** Who wrote the program, plainly. */
export function authorship({ author, winner, models }: Story): Content {
  const asked =
    models.length > 0
      ? `; ${models.map((model) => cut(model, 128)).join(", ")} was asked, and did no better`
      : "";
  switch (author?.kind) {
    case "Offline":
      return "Written by AutoAI's offline author, a deterministic program: no LLM was involved.";
    case "Llm":
      return html`The program was written by the language model <b>${cut(author.model, 128)}</b>; the scores are AutoAI's own, and no claim of the author enters them.`;
    case "Recipe":
      return `The recipe of the job ${author.job ?? "it was taken from"} was run again on these rows: no LLM was involved.`;
    default:
      return asked === ""
        ? `${originOf(winner)} comes with AutoAI: no LLM was involved.`
        : `${originOf(winner)} comes with AutoAI, and no LLM wrote it${asked}.`;
  }
}

function originOf(winner: Candidate | undefined): string {
  return winner?.origin === "PriorBaseline"
    ? "The prior baseline, which looks at no feature,"
    : "The gradient-boosting baseline";
}

function figures(story: Story): Html {
  const { published, metric, gain, input } = story;
  const { budget } = input.job.spec;
  const entries: (readonly [string, Content, Content] | undefined)[] = [
    published && [
      `Final ${metric}`,
      withError(published.final.score, published.final.standardError),
      lowerIsBetter(metric) ? "lower is better" : "higher is better",
    ],
    published && [
      "Better baseline",
      withError(published.baseline.score, published.baseline.standardError),
      "on the same rows",
    ],
    gain && [
      "Gain",
      change(gain.value, gain.standardError),
      gain.noise
        ? "within one standard error"
        : gain.value < 0
          ? "the baseline is better"
          : "beyond one standard error",
    ],
    [
      "Candidates",
      count(story.attempts.length),
      story.steps > 0
        ? `in ${counted(story.steps, "step")} of ${count(budget.maxSteps)}`
        : "no agent took part",
    ],
    ["Time worked", duration(story.seconds), `of ${duration(budget.maxSeconds)}`],
    ["LLM tokens", count(story.tokens), story.tokens > 0 ? `of ${count(budget.maxTokens)}` : "none used"],
  ];
  return html`<dl class="figures">${entries.map(
    (entry) => entry && html`<div><dt>${entry[0]}</dt><dd>${entry[1]}<small>${entry[2]}</small></dd></div>`,
  )}</dl>`;
}
