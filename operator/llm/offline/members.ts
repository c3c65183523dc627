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

export function setupLiteral(setup: Setup): string {
  return `{"model": ${pythonLiteral(setup.kind)}, "view": ${pythonLiteral(setup.view)}, "settings": ${pythonLiteral(setup.settings)}}`;
}

export function memberLiteral(member: Member): string {
  return `{"weight": ${pythonLiteral(member.weight)}, ${setupLiteral(member).slice(1)}`;
}

/** scikit-learn's gradient boosting as it comes: what every candidate is measured against. */
export const PLAIN_BOOSTING: Setup = { kind: "boosting", view: "ordered", settings: {} };
