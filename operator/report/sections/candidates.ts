/** Everything that was tried, in its order: what held, what was claimed, what failed. */
import type { Candidate, JournalEntry } from "../../api/journal.ts";
import { timelineChart } from "../charts/timeline.ts";
import { type Content, cut, type Html, html } from "../html.ts";
import { change, count, counted, duration, short, withError } from "../numbers.ts";
import { section, table } from "../page.ts";
import type { Story } from "../story.ts";

const MAX_ROWS = 100;
const MAX_FAILURES = 30;

export async function candidates(story: Story): Promise<Html> {
  const { attempts, metric, winner } = story;
  const shown = attempts.length > MAX_ROWS ? attempts.slice(-MAX_ROWS) : attempts;
  return section(
    "candidates",
    "What was tried",
    attempts.length === 0
      ? html`<p>No candidate was verified.</p>`
      : await timelineChart(attempts, metric, winner?.number),
    shown.length > 0 &&
      table(
        `${attempts.length > shown.length ? `The last ${shown.length} of ${count(attempts.length)} candidates` : "Candidates"} in the order of their verification. Gain: over the best candidate before it, on the same rows; the marked one was chosen.`,
        [
          { title: "Candidate", kind: "name" },
          { title: "Made by" },
          { title: `Verified ${metric}`, kind: "number" },
          { title: "Claimed", kind: "number" },
          { title: "Gain", kind: "number" },
          { title: "After", kind: "number" },
          { title: "Took", kind: "number" },
        ],
        shown.map(({ candidate, elapsedSeconds }) => ({
          chosen: candidate.number === winner?.number,
          cells: [
            html`${candidate.number}. ${cut(candidate.name, 128)}${candidate.verified.memorised && html` <span class="tag warn">memorised</span>`}`,
            madeBy(candidate),
            withError(candidate.verified.score, candidate.verified.standardError),
            candidate.claimedScore === undefined ? "–" : short(candidate.claimedScore),
            gainOf(candidate),
            duration(elapsedSeconds),
            duration(candidate.seconds),
          ],
        })),
      ),
    attempts.some(({ candidate }) => candidate.verified.memorised) &&
      html`<p>Memorised: the recipe does better on rows whose labels its author could read than on others, by more than chance allows. It is scored on the others alone.</p>`,
    effort(story),
    failures(story),
  );
}

function madeBy(candidate: Candidate): string {
  if (candidate.origin === "Agent") return `step ${candidate.step}`;
  return candidate.origin === "Recipe" ? "another job's recipe" : "baseline";
}

function gainOf({ verified }: Candidate): Content {
  const best = verified.versus.at(-1);
  if (!best) return "–";
  const noise = Math.abs(best.gain) <= best.standardError;
  return html`${change(best.gain, best.standardError)}${noise && html`<br><small>within noise</small>`}`;
}

/** What the agent did between the candidates. */
function effort({ input: { entries }, steps }: Story): Html | undefined {
  if (steps === 0) return undefined;
  const calls = entries.filter((entry) => entry.type === "ToolFinished");
  const failed = calls.filter(({ response }) => !response.ok);
  const stopped = entries.find((entry) => entry.type === "AgentStopped");
  return html`<p>The agent took ${counted(steps, "step")} with ${counted(calls.length, "tool call")}, of which ${count(failed.length)} came back with an error that it could react to.${stopped && html` It ended because ${cut(stopped.message, 1024)}.`}</p>`;
}

/** Where nothing came of it: shown in full in the journal, cut here. */
function failures({ input: { entries } }: Story): Html | undefined {
  const failed = entries.flatMap(failureOf);
  if (failed.length === 0) return undefined;
  const shown = failed.slice(0, MAX_FAILURES);
  return html`<h3>What failed</h3>
${shown.map(({ title, text }) => html`<details><summary>${title}</summary><pre class="block">${cut(text, 4096)}</pre></details>`)}
${failed.length > shown.length && html`<p class="muted">And ${counted(failed.length - shown.length, "further failure")} in the journal.</p>`}`;
}

const ORIGINS = {
  PriorBaseline: "The prior baseline",
  BoostingBaseline: "The gradient-boosting baseline",
  Recipe: "The other job's recipe",
} as const;

function failureOf(entry: JournalEntry): { title: Content; text: string }[] {
  if (entry.type === "CandidateFailed") {
    return [
      { title: `${ORIGINS[entry.origin]} could not be verified (${entry.stage})`, text: entry.message },
    ];
  }
  if (entry.type === "PublishFailed") {
    return [{ title: `Candidate ${entry.candidate} could not be published`, text: entry.message }];
  }
  if (entry.type !== "ToolFinished" || entry.response.ok) return [];
  const { error, traceback, output } = entry.response as Record<string, unknown>;
  const tail = (output as { tail?: unknown; head?: unknown } | undefined) ?? {};
  const text = [error, traceback, traceback === undefined ? tail.tail || tail.head : undefined]
    .filter((part) => typeof part === "string" && part !== "")
    .join("\n\n");
  return [
    { title: `Step ${entry.step}: ${cut(entry.name, 64)}`, text: text || "The journal has no details." },
  ];
}
