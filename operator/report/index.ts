/** The report of a job: one HTML file that holds everything it needs, for a reader who believes nothing yet. */
import { cut, type Html, html } from "./html.ts";
import { moment } from "./numbers.ts";
import { page } from "./page.ts";
import { candidates } from "./sections/candidates.ts";
import { data } from "./sections/data.ts";
import { evaluation } from "./sections/evaluation.ts";
import { finalRows } from "./sections/final.ts";
import { importance } from "./sections/importance.ts";
import { provenance, recipe } from "./sections/provenance.ts";
import { verdict } from "./sections/verdict.ts";
import { warnings } from "./sections/warnings.ts";
import { type ReportInput, tell } from "./story.ts";

export type { ReportFile, ReportInput } from "./story.ts";

/**
 * The report as HTML. Pure: the same input gives the same text. Any state of a job can be reported: one at work, one
 * that failed, one that published a baseline, one whose model could not be explained.
 *
 * Every text of the data, of the model and of the user is escaped and cut; the page loads nothing and runs nothing.
 */
export async function renderReport(input: ReportInput): Promise<string> {
  const story = tell(input);
  const { name } = input.job.metadata;
  const parts: (Html | undefined)[] = [
    verdict(story),
    warnings(story),
    await finalRows(story),
    importance(story),
    await candidates(story),
    data(story),
    evaluation(story),
    recipe(story),
    provenance(story),
  ];
  return page(
    `${name} – AutoAI report`,
    html`<main>
<h1>AutoAI report: <b>${name}</b>, predicting <b>${cut(input.job.spec.target, 96)}</b></h1>
${parts}</main>
<footer>Made by AutoAI ${input.version} at ${moment(input.now)} from the journal of the job. This file loads nothing and runs nothing.</footer>`,
  );
}
