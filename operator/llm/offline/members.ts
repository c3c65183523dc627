/** Members of a blend: which view of the rows, which model, with which settings. */
import type { PythonValue } from "./python/literals.ts";
import { pythonLiteral } from "./python/literals.ts";

export const KINDS = ["boosting", "lightgbm", "forest", "linear"] as const;
export type Kind = (typeof KINDS)[number];
export const VIEWS = ["tree", "tree_crossed", "ordered", "linear", "linear_bins"] as const;
export type View = (typeof VIEWS)[number];

export type Setup = {
  readonly kind: Kind;
  readonly view: View;
  readonly settings: Readonly<Record<string, PythonValue>>;
};

export type Member = Setup & { readonly weight: number };

/** Settings that scikit-learn reads as a share when they are 1.0, and as a count, or not at all, when they are 1. */
const SHARES = new Set(["max_features", "colsample_bytree", "subsample"]);

function settingsLiteral(settings: Setup["settings"]): string {
  const entries = Object.entries(settings).map(([name, value]) => {
    const literal = SHARES.has(name) && value === 1 ? "1.0" : pythonLiteral(value);
    return `${pythonLiteral(name)}: ${literal}`;
  });
  return `{${entries.join(", ")}}`;
}

export function setupLiteral({ kind, view, settings }: Setup): string {
  return `{"model": ${pythonLiteral(kind)}, "view": ${pythonLiteral(view)}, "settings": ${settingsLiteral(settings)}}`;
}

export function memberLiteral(member: Member): string {
  return `{"weight": ${pythonLiteral(member.weight)}, ${setupLiteral(member).slice(1)}`;
}

/** scikit-learn's gradient boosting as it comes: what every candidate is measured against. */
export const PLAIN_BOOSTING: Setup = { kind: "boosting", view: "ordered", settings: {} };

export function isPlain({ kind, settings }: Setup): boolean {
  return kind === "boosting" && Object.keys(settings).length === 0;
}
