/** Charts as SVG text: Vega-Lite in, markup out, with neither a browser nor a DOM. The only place that loads Vega. */
import type { TopLevelSpec } from "vega-lite";
import { Html } from "../html.ts";

/** A chart's specification, without its looks. */
export type ChartSpec = TopLevelSpec;
export type ChartLayer = Extract<TopLevelSpec, { layer: unknown }>["layer"][number];

/** Colours are the page's own properties, so that a chart turns dark with the page. */
export const INK = {
  accent: "var(--accent)",
  second: "var(--second)",
  third: "var(--third)",
  text: "var(--text)",
  muted: "var(--muted)",
  line: "var(--line)",
  ground: "var(--ground)",
} as const;

const LOOKS: NonNullable<TopLevelSpec["config"]> = {
  // The figure around it describes the chart as a whole; a reader of the screen has no use for 300 marks.
  aria: false,
  background: "transparent",
  font: "inherit",
  view: { stroke: null },
  axis: {
    labelColor: INK.muted,
    titleColor: INK.muted,
    domainColor: INK.line,
    tickColor: INK.line,
    gridColor: INK.line,
    gridOpacity: 0.6,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titlePadding: 6,
    tickCount: 5,
  },
  legend: { labelColor: INK.text, titleColor: INK.muted, labelFontSize: 11 },
};

/** Loads what draws charts, which takes a while; done already where it was called before. */
export function loadCharts(): Promise<[typeof import("vega"), typeof import("vega-lite")]> {
  return Promise.all([import("vega"), import("vega-lite")]);
}

/**
 * The chart as SVG. Texts in the data are escaped by Vega; no text of a stranger may be used in the rest of the
 * specification, where Vega would read expressions.
 *
 * Vega is loaded at the first chart: commands that draw none do not wait for it.
 */
export async function renderSvg(spec: ChartSpec): Promise<Html> {
  const [vega, { compile }] = await loadCharts();
  const compiled = compile({ ...spec, config: LOOKS } as TopLevelSpec).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: "none", logLevel: vega.Error });
  try {
    return Html.trusted(await view.toSVG());
  } finally {
    view.finalize();
  }
}
