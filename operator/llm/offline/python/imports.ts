/** Import lines of generated modules: what a module mentions, and nothing else. */

/** Module → names; "" stands for `import module as alias`. */
export type Importable = readonly { readonly line: string; readonly name: string; readonly group: number }[];

const from = (module: string, name: string, group = 1) => ({
  line: `from ${module} import ${name}`,
  name,
  group,
});

export const FEATURE_IMPORTS: Importable = [
  { line: "import re", name: "re.", group: 0 },
  { line: "import numpy as np", name: "np.", group: 1 },
  { line: "import pandas as pd", name: "pd.", group: 1 },
  { line: "import scipy.sparse as sp", name: "sp.", group: 1 },
  from("sklearn.base", "BaseEstimator"),
  from("sklearn.base", "TransformerMixin"),
  from("sklearn.compose", "ColumnTransformer"),
  from("sklearn.decomposition", "TruncatedSVD"),
  from("sklearn.feature_extraction.text", "TfidfVectorizer"),
  from("sklearn.feature_selection", "SelectKBest"),
  from("sklearn.feature_selection", "f_classif"),
  from("sklearn.feature_selection", "f_regression"),
  from("sklearn.impute", "SimpleImputer"),
  from("sklearn.pipeline", "FeatureUnion"),
  from("sklearn.pipeline", "make_pipeline"),
  from("sklearn.preprocessing", "FunctionTransformer"),
  from("sklearn.preprocessing", "KBinsDiscretizer"),
  from("sklearn.preprocessing", "OneHotEncoder"),
  from("sklearn.preprocessing", "OrdinalEncoder"),
  from("sklearn.preprocessing", "StandardScaler"),
  from("sklearn.preprocessing", "TargetEncoder"),
];

/** The import block for a module with this body. */
export function importsFor(body: string, importable: Importable): string {
  const used = importable.filter(({ name }) =>
    new RegExp(`(?<![\\w.])${name.replace(".", "\\.")}${name.endsWith(".") ? "" : "\\b"}`).test(body),
  );
  const groups = [0, 1].map((group) => merged(used.filter((entry) => entry.group === group)));
  return ["from __future__ import annotations", ...groups.filter((lines) => lines !== "")].join("\n\n");
}

/** `from a import b` and `from a import c` on one line. */
function merged(entries: Importable): string {
  const lines = new Map<string, string[]>();
  for (const { line, name } of entries) {
    const [head] = line.split(" import ");
    if (!line.startsWith("from ") || head === undefined) lines.set(line, []);
    else lines.set(head, [...(lines.get(head) ?? []), name]);
  }
  return [...lines].map(([head, names]) => (names.length === 0 ? head : imported(head, names))).join("\n");
}

function imported(head: string, names: readonly string[]): string {
  const line = `${head} import ${names.join(", ")}`;
  return line.length <= 100 ? line : `${head} import (\n${names.map((name) => `    ${name},\n`).join("")})`;
}
