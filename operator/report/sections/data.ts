/** The rows that were learned from. */
import type { ColumnProfile } from "../../api/profile.ts";
import { type Content, cut, type Html, html } from "../html.ts";
import { bytes, count, counted, percent, short } from "../numbers.ts";
import { section, table } from "../page.ts";
import type { Story } from "../story.ts";

const MAX_COLUMNS = 200;
const TOP_VALUES = 3;

export function data({ input: { job, profile, split }, prepared }: Story): Html {
  const { rows } = prepared ?? split;
  const target = profile.columns.filter(({ name }) => name === job.spec.target);
  const features = profile.columns.filter(({ name }) => name !== job.spec.target);
  const shown = [...target, ...features].slice(0, MAX_COLUMNS);
  return section(
    "data",
    "The data",
    html`<p>${counted(profile.rows, "row")} and ${counted(profile.columns.length, "column")}, ${bytes(profile.sizeBytes)} of ${profile.encoding} text. ${profile.duplicateRows > 0 ? `${counted(profile.duplicateRows, "row")} repeated another one; copies never stand on two sides of the split.` : "No row repeats another one."}</p>`,
    html`<p>${count(rows.train)} rows to learn from, ${count(rows.selection)} to choose the best candidate by, ${count(rows.final)} for the final score${rows.dropped > 0 ? `; ${counted(rows.dropped, "row")} without a target left out` : ""}.</p>`,
    table(
      `${shown.length < profile.columns.length ? `The first ${shown.length} of ${count(profile.columns.length)} columns` : "Columns"}: type as inferred, cells missing, distinct values, and the most frequent ones or the range.`,
      [
        { title: "Column", kind: "name" },
        { title: "Type" },
        { title: "Missing", kind: "number" },
        { title: "Distinct", kind: "number" },
        { title: "Values", kind: "long" },
      ],
      shown.map((column) => ({
        chosen: column.name === job.spec.target,
        cells: [
          html`${cut(column.name, 96)}${column.name === job.spec.target && html` <span class="tag plain">target</span>`}`,
          html`${column.type}${column.format !== undefined && html`<br><small>${cut(column.format, 40)}</small>`}`,
          column.missing === 0 ? "–" : percent(column.missing / Math.max(1, profile.rows)),
          `${column.distinctExact ? "" : "≈ "}${count(column.distinct)}`,
          values(column, profile.rows),
        ],
      })),
    ),
  );
}

function values(column: ColumnProfile, rows: number): Content {
  const { type, min, max, mean, standardDeviation } = column;
  const range = min !== undefined && max !== undefined && `${cut(min, 32)} to ${cut(max, 32)}`;
  if (type === "Integer" || type === "Number") {
    return html`${range}${mean !== undefined && html`<br><small>mean ${short(mean)}${standardDeviation !== undefined && `, standard deviation ${short(standardDeviation)}`}</small>`}`;
  }
  if (type === "Date" && range) return range;
  if (type === "Text" || type === "Identifier") {
    const example = column.top[0]?.value;
    return html`${example !== undefined && html`such as “${cut(example, 48)}”`}<br><small>mean length ${short(column.meanLength)}</small>`;
  }
  const top = column.top.slice(0, TOP_VALUES);
  const others = column.distinct - top.length;
  return html`${top.map(({ value, count: times }, index) => html`${index > 0 && ", "}${cut(value, 32)} <small>${percent(times / Math.max(1, rows))}</small>`)}${others > 0 && html` <small>and ${column.distinctExact ? "" : "about "}${counted(others, "other")}</small>`}`;
}
