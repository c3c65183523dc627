/** Which columns the model needs. */
import { cut, type Html, html } from "../html.ts";
import { change, counted } from "../numbers.ts";
import { section, table } from "../page.ts";
import type { Story } from "../story.ts";

const MAX_COLUMNS = 25;

export function importance({ input: { data }, published }: Story): Html | undefined {
  const found = data?.importance;
  if (!published || !found || found.columns.length === 0) return undefined;
  if (found.columns.every(({ drop, standardError }) => drop === 0 && standardError === 0)) {
    return section(
      "importance",
      "What the model looks at",
      html`<p>At nothing: whichever column's cells are shuffled, the ${found.metric} stays the same.</p>`,
    );
  }
  const shown = found.columns.slice(0, MAX_COLUMNS);
  const rest = found.columns.length - shown.length;
  const [low, high] = boundsOf(shown);
  const place = (value: number) => (100 * (value - low)) / (high - low);
  return section(
    "importance",
    "What the model looks at",
    html`<p>Permutation importance: how much worse the ${found.metric} becomes when the cells of one column are shuffled among ${counted(found.rows, "final row")}, ${counted(found.repeats, "time")}. A column that the model can do without, or that another column repeats, is near 0.</p>`,
    table(
      "Loss of the metric when a column is shuffled; the dark line is one standard error to either side.",
      [{ title: "Column", kind: "name" }, { title: "Loss", kind: "number" }, { title: "Loss, drawn" }],
      shown.map(({ column, drop, standardError }) => {
        const from = place(Math.min(0, drop));
        const error = [
          place(Math.max(low, drop - standardError)),
          place(Math.min(high, drop + standardError)),
        ] as const;
        return {
          cells: [
            cut(column, 96),
            change(drop, standardError),
            html`<span class="bar" aria-hidden="true"><i style="${span(from, place(Math.max(0, drop)))}"></i><s style="${span(...error)}"></s></span>`,
          ],
        };
      }),
    ),
    rest > 0 && html`<p class="muted">${counted(rest, "column")} of less importance: not shown.</p>`,
    found.leftOut > 0 &&
      html`<p class="muted">${counted(found.leftOut, "column")} beyond the first ${found.columns.length}: not shuffled.</p>`,
  );
}

function boundsOf(
  columns: readonly { readonly drop: number; readonly standardError: number }[],
): [number, number] {
  const low = columns.reduce((least, { drop, standardError }) => Math.min(least, drop - standardError), 0);
  const high = columns.reduce((most, { drop, standardError }) => Math.max(most, drop + standardError), 0);
  return high > low ? [low, high] : [0, 1];
}

/** In percent of the bar. */
function span(from: number, to: number): string {
  return `--start:${from.toFixed(1)}%;--width:${Math.max(0, to - from).toFixed(1)}%`;
}
