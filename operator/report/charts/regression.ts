/** Charts of predicted numbers: predicted over actual, and how far off. */
import type { Residuals } from "../../api/report-data.ts";
import type { Html } from "../html.ts";
import { count, counted, percent, short } from "../numbers.ts";
import { figure } from "./figure.ts";
import { INK } from "./svg.ts";

const HEIGHT = 300;

export function predictedChart(sample: readonly (readonly [number, number])[], rows: number): Promise<Html> {
  const values = sample.map(([actual, predicted]) => ({ actual, predicted }));
  const all = sample.flat();
  const domain = [least(all), greatest(all)];
  const shown =
    sample.length < rows
      ? `${count(sample.length)} of ${count(rows)} final rows`
      : `the ${counted(rows, "final row")}`;
  return figure(
    {
      title: "Predicted and actual",
      description: `Predicted over actual values of ${shown}; actual values range from ${short(least(values.map(({ actual }) => actual)))} to ${short(greatest(values.map(({ actual }) => actual)))}, predicted ones from ${short(least(values.map(({ predicted }) => predicted)))} to ${short(greatest(values.map(({ predicted }) => predicted)))}.`,
      caption: `Each dot is one of ${shown}. On the dashed line the prediction is right; above it, too high.`,
    },
    (width) => ({
      width,
      height: HEIGHT,
      autosize: { type: "fit", contains: "padding" },
      encoding: {
        x: { type: "quantitative", scale: { domain, nice: true }, title: "Actual" },
        y: { type: "quantitative", scale: { domain, nice: true }, title: "Predicted" },
      },
      layer: [
        {
          data: { values },
          mark: { type: "point", filled: true, size: 16, color: INK.accent, opacity: 0.65 },
          encoding: { x: { field: "actual" }, y: { field: "predicted" } },
        },
        {
          data: { values: domain.map((value) => ({ value })) },
          mark: { type: "line", color: INK.text, strokeDash: [4, 4], strokeWidth: 1.25 },
          encoding: { x: { field: "value" }, y: { field: "value" } },
        },
      ],
    }),
  );
}

export function residualChart({ edges, counts, mean }: Residuals): Promise<Html> {
  const bins = counts.map((rows, index) => ({ from: edges[index] ?? 0, to: edges[index + 1] ?? 0, rows }));
  const rows = counts.reduce((sum, one) => sum + one, 0);
  const [from, to] = [edges[0] ?? 0, edges.at(-1) ?? 0];
  const near = bins.filter((bin) => bin.from <= 0 && bin.to >= 0).reduce((sum, bin) => sum + bin.rows, 0);
  return figure(
    {
      title: "Residuals",
      description: `Histogram of predicted less actual, from ${short(from)} to ${short(to)}, with a mean of ${short(mean)}; the bar around 0 holds ${percent(near / Math.max(1, rows))} of the rows.`,
      caption: `Predicted less actual; mean ${short(mean)}. A hill around 0 is as it should be; one beside it, or one long tail, is a bias. The outermost bars hold all that lies beyond them.`,
    },
    (width) => ({
      width,
      height: HEIGHT,
      autosize: { type: "fit", contains: "padding" },
      layer: [
        {
          data: { values: bins },
          mark: { type: "bar", color: INK.accent, binSpacing: 1 },
          encoding: {
            x: {
              field: "from",
              type: "quantitative",
              bin: { binned: true },
              title: "Predicted − actual",
              axis: { grid: false },
            },
            x2: { field: "to" },
            y: { field: "rows", type: "quantitative", title: "Rows" },
          },
        },
        {
          data: { values: [{ zero: 0 }] },
          mark: { type: "rule", color: INK.text, strokeDash: [4, 4], strokeWidth: 1.25 },
          encoding: { x: { field: "zero", type: "quantitative" } },
        },
      ],
    }),
  );
}

/** Math.min takes as many arguments as the stack holds; rows may be more. */
function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), values[0] ?? 0);
}

function greatest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), values[0] ?? 0);
}
