/** The Grafana dashboard asks for what the operator tells. */
import { expect, test } from "vitest";
import { Metrics } from "../../operator/observability/metrics.ts";
import { only, render } from "./helm.ts";

type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
};

const values = { crds: { install: false }, metrics: { dashboard: { enabled: true } } };
const dashboard = JSON.parse(only(render(values), "ConfigMap").data["autoai.json"]);
const panels: readonly Panel[] = dashboard.panels;
const expressions = panels.flatMap((panel) => panel.targets ?? []);

const { registry } = new Metrics({
  queueDepths: () => ({}),
  jobs: () => ({ TRAINING: 0, READY: 0, ERROR: 0, Suspended: 0 }),
  leads: () => false,
});
/** Labels of each metric, as the operator declares it; what a histogram is asked by has a name of its own. */
const declared = new Map(
  (registry.getMetricsAsArray() as unknown as { name: string; type: string; labelNames: string[] }[]).map(
    (metric) => [metric.type === "histogram" ? `${metric.name}_bucket` : metric.name, metric.labelNames],
  ),
);
/** Labels that Prometheus adds to what it scrapes. */
const SCRAPED = ["namespace", "pod", "job", "le"];

test("each panel asks for metrics that the operator has, by labels that they have", () => {
  expect(expressions.length).toBeGreaterThan(10);
  for (const { expr, legendFormat } of expressions) {
    const names = [...expr.matchAll(/\b(autoai_\w+|process_\w+)\b/g)].map(([name]) => name);
    expect(names.length, expr).toBeGreaterThan(0);
    for (const name of names) {
      expect([...declared.keys()], expr).toContain(name);
      const labels = [
        ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/)),
        ...[...expr.matchAll(/[{,]\s*(\w+)\s*[=!]/g)].map(([, label = ""]) => label),
        ...[...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label),
      ];
      expect([...(declared.get(name) ?? []), ...SCRAPED], expr).toEqual(expect.arrayContaining(labels));
    }
  }
});

test("each metric of the operator's own is on a panel", () => {
  const asked = expressions.map(({ expr }) => expr).join("\n");
  const own = [...declared.keys()].filter((name) => name.startsWith("autoai_"));
  expect(own.filter((name) => !asked.includes(name))).toEqual([]);
});

test("panels have ids of their own, say what they show and do not overlap", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = new Set<string>();
  for (const { type, title, description, gridPos } of panels) {
    if (type !== "row") expect(description, title).toMatch(/\.$/);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(x, title).toBeLessThan(24);
        expect(cells.has(`${x},${y}`), title).toBe(false);
        cells.add(`${x},${y}`);
      }
    }
  }
});
