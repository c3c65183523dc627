/** A chart in the page: its heading, what it shows in words for those who do not see it, and how to read it. */
import { type Content, type Html, html } from "../html.ts";
import { type ChartSpec, renderSvg } from "./svg.ts";

export type Figure = {
  readonly title: string;
  /** What a reader of the chart would learn from it; read out instead of it. */
  readonly description: string;
  /** How to read it, for everybody. */
  readonly caption: Content;
};

/** @param draw makes the specification for a width in pixels; wide charts are drawn a second time for phones */
export async function figure(
  { title, description, caption }: Figure,
  draw: (width: number) => ChartSpec,
  size: "Half" | "Full" = "Half",
): Promise<Html> {
  const picture = async (width: number, kind: string) =>
    html`<div role="img" aria-label="${description}" class="${kind}">${await renderSvg(draw(width))}</div>
`;
  const pictures =
    size === "Half" ? [await picture(340, "")] : [await picture(900, "wide"), await picture(360, "narrow")];
  return html`<figure>
<h3>${title}</h3>
${pictures}<figcaption>${caption}</figcaption>
</figure>
`;
}

/** Several figures side by side where there is room. */
export function charts(figures: readonly Html[]): Html | undefined {
  return figures.length === 0 ? undefined : html`<div class="charts">${figures}</div>`;
}
