/** The frame of a report: one file that asks nothing of any network and runs nothing. */
import { type Content, type Html, html, Html as Markup } from "./html.ts";
import { STYLE } from "./style.ts";

/** Nothing is loaded and nothing runs, even if a text should become markup one day. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

export function page(title: string, body: Content): string {
  const document: Html = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${Markup.trusted(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${Markup.trusted(STYLE)}</style>
</head>
<body>
${body}
</body>
</html>
`;
  return document.toString();
}

/** A part of the page with its heading; nothing where there is nothing to show. */
export function section(id: string, title: string, ...content: readonly Content[]): Html {
  return html`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${content}
</section>
`;
}

export type Column = { readonly title: string; readonly kind?: "number" | "name" | "long" };
export type Row = {
  /** One cell a column; the first one is the row's heading. */
  readonly cells: readonly Content[];
  readonly chosen?: boolean;
};

/** A table that scrolls by itself where the page is narrow, and can be scrolled by keyboard. */
export function table(caption: string, columns: readonly Column[], rows: readonly Row[]): Html {
  const kind = (index: number) => columns[index]?.kind ?? "";
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table class="full">
<caption><span>${caption}</span></caption>
<thead><tr>${columns.map((column) => html`<th scope="col" class="${column.kind ?? ""}">${column.title}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ({ cells, chosen }) => html`<tr class="${chosen ? "chosen" : ""}">${cells.map((cell, index) =>
    index === 0
      ? html`<th scope="row" class="${kind(index)}">${cell}</th>`
      : html`<td class="${kind(index)}">${cell}</td>`,
  )}</tr>
`,
)}</tbody>
</table></div>
`;
}

/** Terms and what they are. */
export function facts(entries: readonly (readonly [string, Content])[]): Html {
  return html`<dl class="facts">${entries
    .filter(([, value]) => value !== undefined && value !== false && value !== "")
    .map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>
`;
}
