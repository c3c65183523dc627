/** How the scores came to be, in plain words. */
import { type Html, html } from "../html.ts";
import { count, counted, short } from "../numbers.ts";
import { section } from "../page.ts";
import { isBaseline, lowerIsBetter, type Story } from "../story.ts";

/** Below this, a bootstrap over groups says little about how far a score may be off. */
const FEW_GROUPS = 20;

export function evaluation(story: Story): Html {
  const { input, prepared, metric, winner, published } = story;
  const { split, seed, publish, finalPercent } = input.job.spec.evaluation;
  const { method, folds, rows } = prepared ?? input.split;
  const memory = winner?.verified;
  return section(
    "evaluation",
    "How it was evaluated",
    html`<ul>
<li>The rows were divided once, before any program was written, ${division(story, split)}, with seed ${seed}: ${count(rows.train)} for the author, ${count(rows.selection)} to choose by, and ${count(rows.final)} (${finalPercent} % asked for) for the final score. Rows that repeat each other stay on one side.</li>
<li>The metric is ${metric} (${lowerIsBetter(metric) ? "lower" : "higher"} is better), as scikit-learn defines it. AutoAI computes it from the predictions that a model makes for rows without labels; what an author claims decides nothing. Errors are standard errors by bootstrap${drawn(story, split)}.</li>
<li>${
      method === "CrossValidation"
        ? `Candidates were compared by cross-validation: each recipe was run ${folds} times, on all but one of ${folds} folds of the rows that are not final, and predicted the fold left out.`
        : `Candidates were compared on one holdout: each recipe was run on the rows for the author, and its model predicted the ${counted(rows.selection, "selection row")}.`
    }</li>
<li>Generated code is given the author's rows alone: never the labels that it is scored on. The sandbox keeps all else from it, the network and credentials included; a run with <code>--unsafe-no-sandbox</code> has no such wall.</li>
<li>${baselines(story)}</li>
${
  memory?.seen !== undefined &&
  memory.unseen !== undefined &&
  html`<li>Memorisation check: the chosen recipe has a ${metric} of ${short(memory.seen)} on rows whose labels its author could read, and of ${short(memory.unseen)} on the others. ${memory.memorised ? "That is more than chance allows: only the others count." : "The difference is what chance allows."}</li>`
}
${
  published &&
  html`<li>The chosen recipe was run on all rows but the final ones; that model was scored once on the final rows. ${
    publish === "Refit"
      ? "The model that is published is the same recipe run once more on all rows: it was not scored itself."
      : "It is the one that is published."
  }</li>`
}
</ul>`,
  );
}

function baselines({ attempts }: Story): string {
  const verified = attempts.filter(({ candidate }) => isBaseline(candidate)).length;
  const sentence =
    "Two baselines, one that looks at no feature and one of gradient boosting, are verified in the same way before anything else";
  if (verified === 2)
    return `${sentence}; a candidate is published only if it was better than both where candidates are chosen.`;
  return `${sentence}. In this job ${verified === 1 ? "only one of them was" : "neither was"}: compare with care.`;
}

/** What a bootstrap draw is made of. */
function drawn({ winner, published }: Story, split: "Random" | "Time" | "Group"): string {
  if (split !== "Group") return "";
  const groups = published?.final.groups ?? winner?.verified.groups;
  if (groups === undefined) {
    return ", of rows: too few groups are scored to draw from, and since rows of a group are alike, the errors are larger than shown";
  }
  return `, for which whole groups are drawn: ${counted(groups, "group")} ${published === undefined ? "chose" : "are among the final rows"}${groups < FEW_GROUPS ? ", so few that the errors are rough" : ""}`;
}

function division({ input }: Story, split: "Random" | "Time" | "Group"): Html {
  const { column } = input.job.spec.evaluation;
  if (split === "Time") return html`by time (column ${column}): the latest rows are the final ones`;
  if (split === "Group") return html`by group (column ${column}): no group is on two sides`;
  return html`at random${input.split.task === "Regression" ? "" : " within each class"}`;
}
