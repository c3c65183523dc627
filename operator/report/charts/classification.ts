/** Charts of class probabilities: ROC, precision and recall, calibration. */
import type { Calibration, PrecisionRecallCurve, RocCurve } from "../../api/report-data.ts";
import type { Html } from "../html.ts";
import { percent, short } from "../numbers.ts";
import { figure } from "./figure.ts";
import { type ChartLayer, INK } from "./svg.ts";

type Point = readonly [number, number];

const UNIT = { domain: [0, 1] };
const HEIGHT = 280;
const DIAGONAL = [
  { x: 0, y: 0 },
  { x: 1, y: 1 },
];
/** Colours of classes, in the order of the curves; the page has a key to them. */
export const CLASS_COLOURS = Array.from({ length: 8 }, (_, index) => `var(--class-${index + 1})`);

/** One curve, or one a class against the rest. */
export function rocChart(curves: readonly RocCurve[]): Promise<Html> {
  const [first] = curves;
  const one = curves.length === 1 && first !== undefined;
  const title = one ? "ROC curve" : "ROC curves";
  return figure(
    {
      title,
      description: one
        ? `The area below the ROC curve is ${short(first.area)}, where guessing gives 0.5. ${at(first.points, 0.1)}`
        : `Areas below the curves: ${curves.map((curve) => `${curve.class} ${short(curve.area)}`).join(", ")}.`,
      caption: one
        ? `Area below the curve: ${short(first.area)}. The dashed line is guessing, with 0.5.`
        : "One class against the rest. The dashed line is guessing.",
    },
    (width) => ({
      ...size(width),
      layer: [
        reference(DIAGONAL, "False positive rate", "True positive rate"),
        ...curves.map(({ points }, index) => curve(points, CLASS_COLOURS[one ? -1 : index] ?? INK.accent)),
      ],
    }),
  );
}

export function precisionRecallChart(curves: readonly PrecisionRecallCurve[]): Promise<Html> {
  const [first] = curves;
  const one = curves.length === 1 && first !== undefined;
  return figure(
    {
      title: "Precision and recall",
      description: curves
        .map(
          (curve) =>
            `${curve.class}: average precision ${short(curve.averagePrecision)}, where guessing gives ${short(curve.share)}.`,
        )
        .join(" "),
      caption: one
        ? `Average precision: ${short(first.averagePrecision)}. The dashed line is guessing: the share of rows of the class, ${percent(first.share)}.`
        : "One class against the rest.",
    },
    (width) => ({
      ...size(width),
      layer: [
        reference(
          one
            ? [
                { x: 0, y: first.share },
                { x: 1, y: first.share },
              ]
            : [],
          "Recall",
          "Precision",
        ),
        ...curves.map(({ points }, index) => curve(points, CLASS_COLOURS[one ? -1 : index] ?? INK.accent)),
      ],
    }),
  );
}

export function calibrationChart({ of, bins }: Calibration): Promise<Html> {
  const rows = bins.reduce((sum, bin) => sum + bin.rows, 0);
  const off =
    bins.reduce((sum, bin) => sum + bin.rows * Math.abs(bin.predicted - bin.observed), 0) / Math.max(1, rows);
  const values = bins.map((bin) => ({ x: bin.predicted, y: bin.observed, rows: bin.rows }));
  return figure(
    {
      title: "Calibration",
      description: `Share of rows that are of the class over the probability given to it, ${of}; on average they differ by ${percent(off)}. ${bins
        .map(({ predicted, observed }) => `Predicted ${percent(predicted)}, observed ${percent(observed)}.`)
        .join(" ")}`,
      caption: `Where the model says 70\u00a0%, is it so in 70\u00a0% of the rows? On the dashed line, yes; on average the marks are ${percent(off)} off it. Large marks stand for many rows. Probability of: ${of}.`,
    },
    (width) => ({
      ...size(width),
      layer: [
        reference(DIAGONAL, "Predicted probability", "Observed share"),
        { data: { values }, mark: { type: "line", color: INK.accent, strokeWidth: 1.5 }, encoding: PLACE },
        {
          data: { values },
          mark: { type: "point", filled: true, color: INK.accent, opacity: 1 },
          encoding: {
            ...PLACE,
            size: { field: "rows", type: "quantitative", scale: { range: [20, 180] }, legend: null },
          },
        },
      ],
    }),
  );
}

const PLACE = {
  x: { field: "x", type: "quantitative", scale: UNIT },
  y: { field: "y", type: "quantitative", scale: UNIT },
} as const;

function size(width: number) {
  return { width, height: HEIGHT, autosize: { type: "fit", contains: "padding" } } as const;
}

function curve(points: readonly Point[], color: string): ChartLayer {
  return {
    data: { values: points.map(([x, y], order) => ({ x, y, order })) },
    mark: { type: "line", color, strokeWidth: 2.25, strokeJoin: "round" },
    encoding: { ...PLACE, order: { field: "order", type: "quantitative" } },
  };
}

/** The dashed line to compare with; it is in every chart, and brings the titles of the axes. */
function reference(values: { x: number; y: number }[], x: string, y: string): ChartLayer {
  return {
    data: { values },
    mark: { type: "line", color: INK.third, strokeDash: [4, 4], strokeWidth: 1.25 },
    encoding: { x: { ...PLACE.x, title: x }, y: { ...PLACE.y, title: y } },
  };
}

/** Where a ROC curve is at one false positive rate, in words. */
function at(points: readonly Point[], x: number): string {
  const after = points.findIndex(([px]) => px >= x);
  const [right, left] = [points[after], points[after - 1]];
  if (!right || !left) return "";
  const share = right[0] === left[0] ? 1 : (x - left[0]) / (right[0] - left[0]);
  const y = left[1] + share * (right[1] - left[1]);
  return `At a false positive rate of ${percent(x)} the true positive rate is ${percent(y)}.`;
}
