/** How the model does on the final rows: the charts of its task, and every metric. */
import { Metric } from "../../api/metrics.ts";
import type { Confusion, ReportData, RocCurve } from "../../api/report-data.ts";
import { CLASS_COLOURS, calibrationChart, precisionRecallChart, rocChart } from "../charts/classification.ts";
import { charts } from "../charts/figure.ts";
import { predictedChart, residualChart } from "../charts/regression.ts";
import { type Html, html } from "../html.ts";
import { count, counted, percent, short, withError } from "../numbers.ts";
import { section, table } from "../page.ts";
import { lowerIsBetter, type Story } from "../story.ts";

export async function finalRows(story: Story): Promise<Html | undefined> {
  const { published } = story;
  const { data } = story.input;
  if (!published) return undefined;
  const figures = data ? await figuresOf(data) : [];
  return section(
    "final",
    "On the final rows",
    html`<p>${counted(published.final.rows, "row")} were set aside before any program was written, and were scored once, after the model had been chosen.</p>`,
    !data &&
      html`<p>There are no charts: the published model could not be explained. The scores are not affected.</p>`,
    data?.roc && data.roc.length > 1 && key(data.roc),
    charts(figures),
    data?.confusion && confusionMatrix(data.confusion),
    data?.confusion && data.confusion.classes.length > 2 && classTable(data.confusion, data),
    metrics(story),
  );
}

function figuresOf(data: ReportData): Promise<Html[]> {
  return Promise.all([
    ...(data.roc?.length ? [rocChart(data.roc)] : []),
    ...(data.precisionRecall?.length ? [precisionRecallChart(data.precisionRecall)] : []),
    ...(data.calibration?.bins.length ? [calibrationChart(data.calibration)] : []),
    ...(data.predictedVersusActual?.length ? [predictedChart(data.predictedVersusActual, data.rows)] : []),
    ...(data.residuals ? [residualChart(data.residuals)] : []),
  ]);
}

/** A table rather than a picture: its numbers can be read, copied and heard. Shades are shares of a row. */
function confusionMatrix({ classes, counts }: Confusion): Html {
  const [, positive] = classes;
  const [tn = 0, fp = 0] = counts[0] ?? [];
  const [fn = 0, tp = 0] = counts[1] ?? [];
  return html`<h3>Confusion matrix</h3>
<div class="scroll" role="region" aria-label="Confusion matrix" tabindex="0"><table class="matrix">
<caption><span>Rows: the true class. Columns: the predicted one. Shade and percentage: share of the true class.</span></caption>
<thead><tr><th scope="col">True class</th>${classes.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>
${counts.map((row, index) => {
  const sum = row.reduce((all, one) => all + one, 0);
  return html`<tr><th scope="row">${classes[index]}</th>${row.map(
    (rows) =>
      html`<td style="--share:${(0.45 * (rows / Math.max(1, sum))).toFixed(2)}">${count(rows)}<br><small>${rows === 0 ? "" : percent(rows / Math.max(1, sum))}</small></td>`,
  )}</tr>
`;
})}</tbody>
</table></div>
${
  classes.length === 2 &&
  html`<p>Of ${counted(tp + fn, "row")} of class ${positive} the model finds ${part(tp, tp + fn)}. ${
    tp + fp === 0
      ? html`It calls no row ${positive}.`
      : html`Of ${counted(tp + fp, "row")} that it calls ${positive}, ${part(tp, tp + fp)} are; the other ${count(fp)} are ${percent(fp / Math.max(1, tn + fp))} of the rows of the other class.`
  }</p>`
}
`;
}

/** "127 (58 %)". */
function part(rows: number, all: number): string {
  return all === 0 ? count(rows) : `${count(rows)} (${percent(rows / all)})`;
}

/** Which colour is which class. */
function key(curves: readonly RocCurve[]): Html {
  return html`<ul class="key" aria-label="Colours of the classes">${curves.map(
    (curve, index) =>
      html`<li><span class="swatch" style="--tone:${CLASS_COLOURS[index]}"></span>${curve.class}</li>`,
  )}</ul>`;
}

function classTable({ classes, counts }: Confusion, data: ReportData): Html {
  const curves = new Map(
    data.roc?.map((curve, index) => [curve.class, { index, area: curve.area }] as const),
  );
  return html`<h3>Class by class</h3>
${table(
  "Precision, recall and F1 of each class on the final rows, and the area below its ROC curve where there is one.",
  [
    { title: "Class", kind: "name" },
    { title: "Rows", kind: "number" },
    { title: "Precision", kind: "number" },
    { title: "Recall", kind: "number" },
    { title: "F1", kind: "number" },
    { title: "ROC AUC", kind: "number" },
  ],
  classes.map((name, index) => {
    const right = counts[index]?.[index] ?? 0;
    const actual = counts[index]?.reduce((all, one) => all + one, 0) ?? 0;
    const called = counts.reduce((all, row) => all + (row[index] ?? 0), 0);
    const curve = curves.get(name);
    const share = (part: number, whole: number) => (whole === 0 ? "–" : percent(part / whole));
    return {
      cells: [
        html`${curve && html`<span class="swatch" style="--tone:${CLASS_COLOURS[curve.index]}"></span>`}${name}`,
        count(actual),
        share(right, called),
        share(right, actual),
        share(2 * right, actual + called),
        curve ? short(curve.area) : "–",
      ],
    };
  }),
)}`;
}

function metrics({ published, winner, metric, input: { data } }: Story): Html | undefined {
  if (!published) return undefined;
  const others = Metric.options.filter(
    (name) => name !== metric && (data?.metrics[name] || name in published.final.all),
  );
  const names = [metric, ...others];
  const error = (name: Metric) => data?.metrics[name]?.standardError;
  return html`<h3>All metrics</h3>
${table(
  `Final: the published model on the final rows, with one bootstrap standard error. Selection: the same recipe on the ${counted(winner?.verified.rows ?? 0, "row")} by which it was chosen. Only ${metric} decided anything.`,
  [
    { title: "Metric" },
    { title: "Final", kind: "number" },
    { title: "Selection", kind: "number" },
    { title: "Better is" },
  ],
  names.map((name) => ({
    chosen: name === metric,
    cells: [
      name,
      name === metric
        ? withError(published.final.score, published.final.standardError)
        : withError(data?.metrics[name]?.value ?? published.final.all[name] ?? Number.NaN, error(name)),
      name === metric && winner
        ? withError(winner.verified.score, winner.verified.standardError)
        : short(winner?.verified.all[name] ?? Number.NaN),
      lowerIsBetter(name) ? "lower" : "higher",
    ],
  })),
)}`;
}
