/** What the model was made of: enough to make it again, and to tell whether it is the same. */
import { type Content, cut, type Html, html } from "../html.ts";
import { bytes, count, counted, duration, moment } from "../numbers.ts";
import { facts, section, table } from "../page.ts";
import type { Story } from "../story.ts";

const MAX_FILE = 60_000;
const MAX_FILES = 20;
const MAX_PACKAGES = 300;

/** The program itself. */
export function recipe({ winner, input: { files } }: Story): Html | undefined {
  if (!winner || !files || files.length === 0) return undefined;
  const { entry } = winner.recipe;
  const ordered = [...files].sort((a, b) => Number(b.path === entry) - Number(a.path === entry));
  const shown = ordered.slice(0, MAX_FILES);
  return section(
    "recipe",
    "The recipe",
    html`<p>The program that makes the model: it reads <code>data/train.csv</code> and writes <code>trained_model.joblib</code>. Run it on other rows with <code>autoai retrain</code>; no LLM is needed.</p>`,
    shown.map(
      (
        { path, text },
        index,
      ) => html`<details${index === 0 && html` open`}><summary>${cut(path, 255)} <small>${counted(text.split("\n").length, "line")}${path === entry ? ", run first" : ""}</small></summary>
<pre tabindex="0"><code>${text.length > MAX_FILE ? `${text.slice(0, MAX_FILE)}\n[${count(text.length - MAX_FILE)} further characters are in the model package]` : text}</code></pre></details>
`,
    ),
    ordered.length > shown.length &&
      html`<p class="muted">And ${counted(ordered.length - shown.length, "further file")} in the model package.</p>`,
  );
}

export function provenance(story: Story): Html {
  const { input, prepared, published, winner, models } = story;
  const { job, profile, now, version } = input;
  const { metadata, spec, status } = job;
  const { entries } = input;
  const environment = environmentOf(story);
  const begun = status?.startTime ?? entries[0]?.at;
  return section(
    "provenance",
    "Provenance",
    facts([
      [
        "Job",
        html`${metadata.namespace && `${metadata.namespace}/`}${metadata.name}${metadata.uid && html` <small>uid ${metadata.uid}</small>`}`,
      ],
      ["Goal, in the user's words", spec.goal && cut(spec.goal, 1000)],
      ["Target", cut(spec.target, 256)],
      ["Task", (prepared ?? input.split).task],
      [
        "Data set",
        html`<code>${sourceOf(story)}</code><br>SHA-256 <code>${prepared?.datasetSha256 ?? profile.sha256}</code><br><small>${bytes(profile.sizeBytes)}, ${profile.encoding}</small>`,
      ],
      ["Seed", String(spec.evaluation.seed)],
      ["Author", authorLine(models, story)],
      [
        "Used",
        `${duration(story.seconds)} of work, ${counted(story.steps, "step")}, ${counted(story.tokens, "LLM token")}`,
      ],
      [
        "Model package",
        published &&
          html`<code>${cut(status?.model?.uri ?? published.prefix, 2048)}</code><br>digest <code>${published.digest}</code>`,
      ],
      ["Environment", winner && html`<code>${winner.recipe.environment}</code>`],
      [
        "Journal",
        html`${counted(entries.length, "entry", "entries")}${status?.journalUri && html`<br><code>${cut(status.journalUri, 2048)}</code>`}`,
      ],
      ["Begun", begun !== undefined && moment(begun)],
      ["Ended", story.finished ? moment(story.finished.at) : published && moment(published.at)],
      ["Report", `made by AutoAI ${version}, ${moment(now)}`],
    ]),
    winner &&
      html`<details><summary>Files of the recipe</summary><div>${table(
        "SHA-256 of each file that the recipe is made of.",
        [
          { title: "File", kind: "name" },
          { title: "SHA-256", kind: "long" },
        ],
        winner.recipe.files.map(({ path, sha256 }) => ({
          cells: [cut(path, 255), html`<code>${sha256}</code>`],
        })),
      )}</div></details>`,
    environment.length > 0 &&
      html`<details><summary>Packages of the environment (${environment.length})</summary><p>${environment
        .slice(0, MAX_PACKAGES)
        .map(
          ({ name, version }, index): Content =>
            html`${index > 0 && ", "}<code>${cut(name, 100)}</code> ${cut(version, 60)}`,
        )}</p></details>`,
  );
}

function sourceOf({ input: { job } }: Story): string {
  const { uri, configMapKeyRef, datasetRef } = job.spec.dataset;
  if (uri !== undefined) return cut(uri, 2048);
  if (datasetRef) return `Dataset ${datasetRef.name}`;
  return configMapKeyRef ? `ConfigMap ${configMapKeyRef.name}, key ${configMapKeyRef.key}` : "";
}

function authorLine(models: readonly string[], { author }: Story): string {
  if (models.length > 0) return cut(models.join(", "), 512);
  return author?.kind === "Recipe"
    ? `recipe of ${author.job ?? "another job"}; no LLM`
    : "no LLM was involved";
}

/** What was installed for the winner: the base environment, or the one an install of the agent made. */
function environmentOf({
  input: { entries },
  prepared,
  winner,
}: Story): readonly { name: string; version: string }[] {
  const digest = winner?.recipe.environment;
  for (const entry of entries) {
    if (entry.type === "ToolFinished" && entry.environment && entry.environment.digest === digest) {
      return entry.environment.packages;
    }
  }
  return prepared?.packages ?? [];
}
