/** The Grafana dashboard asks for what the operator and the servers of models tell. */
import { expect, test } from "vitest";
import { metrics } from "../../inference-server/metrics.ts";
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
const served = metrics({ name: "model", digest: "0".repeat(64) });
served.drift(() => ({ rows: 0, columns: new Map() }));
type Declared = { readonly name: string; readonly type: string; readonly labelNames: readonly string[] };
/** Labels of each metric, as it is declared; what a histogram is asked by has names of its own. */
const declaredIn = (found: { getMetricsAsArray(): unknown }, labels: readonly string[]) =>
  (found.getMetricsAsArray() as Declared[]).flatMap(({ name, type, labelNames }) =>
    (type === "histogram" ? [`${name}_bucket`, `${name}_count`] : [name]).map(
      (asked) => [asked, [...labelNames, ...labels]] as const,
    ),
  );
const declared = new Map([
  // Its processes are told of as the operator's are.
  ...declaredIn(served.registry, ["model", "digest"]),
  ...declaredIn(registry, []),
]);
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

test("each metric of our own is on a panel", () => {
  const asked = expressions.map(({ expr }) => expr).join("\n");
  const own = [...declared.keys()].filter((name) => /^autoai_(?!.*_count$)/.test(name));
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
