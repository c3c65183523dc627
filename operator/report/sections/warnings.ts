/** What to know before trusting the model. */
import { cut, type Html, html } from "../html.ts";
import { counted } from "../numbers.ts";
import { section } from "../page.ts";
import type { Story } from "../story.ts";

const MAX_WARNINGS = 64;

type Note = { readonly about: string; readonly message: string };

export function warnings({ input, prepared, published, winner }: Story): Html {
  const data = prepared?.warnings ?? [...input.profile.warnings, ...input.split.warnings];
  const model = published?.warnings ?? winner?.warnings ?? [];
  const notes = [
    ...model.map((message): Note => ({ about: "Model", message })),
    ...(input.job.status?.warnings ?? [])
      .filter((text) => ![...model, ...data.map(({ message }) => message)].some((one) => text.includes(one)))
      .map((message): Note => ({ about: "Job", message })),
    ...data.map(
      ({ column, message }): Note => ({
        about: column === undefined ? "Data" : `Column ${cut(column, 64)}`,
        message,
      }),
    ),
  ];
  const shown = notes.slice(0, MAX_WARNINGS);
  return section(
    "warnings",
    notes.length === 0 ? "Warnings" : `Warnings (${notes.length})`,
    notes.length === 0
      ? html`<p>None: neither the leak probes nor the checks of the model found anything.</p>`
      : html`<ul class="notes">${shown.map(({ about, message }) => html`<li><b>${about}:</b> ${cut(message, 512)}</li>`)}</ul>`,
    notes.length > shown.length &&
      html`<p class="muted">And ${counted(notes.length - shown.length, "further warning")} in the journal.</p>`,
  );
}
