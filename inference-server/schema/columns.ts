/** The model's schema as requests are checked against it and as the worker is told it. */
import type { Feature, ModelManifest } from "../../operator/api/model-manifest.ts";

/** integer, number, boolean travel as doubles; text, codes (numbers written as text) and empty as text. */
export type ColumnKind = "integer" | "number" | "boolean" | "text" | "codes" | "empty";

/** Kinds that travel as doubles. */
const NUMERIC: ReadonlySet<string> = new Set<ColumnKind>(["integer", "number", "boolean"]);

/** Whether a column travels as doubles; else it does as text. */
export const isNumericKind = (kind: string): boolean => NUMERIC.has(kind);

export type Column = {
  readonly feature: Feature;
  readonly name: string;
  readonly kind: ColumnKind;
  /** Position among the numeric columns, or among the others. */
  readonly position: number;
  /** Whether a request may leave it out: columns that identify rows, and such as never had a value. */
  readonly optional: boolean;
  /** All values that training saw, where the package lists them all. */
  readonly known: ReadonlySet<string> | undefined;
};

export type ModelSchema = {
  readonly columns: readonly Column[];
  readonly byName: ReadonlyMap<string, Column>;
  readonly numbers: readonly Column[];
  readonly texts: readonly Column[];
  /** Empty for regression. */
  readonly classes: readonly string[];
};

/** How many values of a column a profile lists at most: with that many, there may be others. */
const LISTED = 10;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

export function schemaOf(manifest: ModelManifest): ModelSchema {
  const counts = { numbers: 0, texts: 0 };
  const columns = manifest.features.map((feature): Column => {
    const kind = kindOf(feature);
    return {
      feature,
      name: feature.name,
      kind,
      position: isNumericKind(kind) ? counts.numbers++ : counts.texts++,
      optional: feature.type === "Identifier" || feature.type === "Empty",
      known:
        feature.type === "Category" && feature.categories && feature.categories.length < LISTED
          ? new Set(feature.categories)
          : undefined,
    };
  });
  return {
    columns,
    byName: new Map(columns.map((column) => [column.name, column])),
    numbers: columns.filter(({ kind }) => isNumericKind(kind)),
    texts: columns.filter(({ kind }) => !isNumericKind(kind)),
    classes: manifest.classes,
  };
}

/** What pandas made of the column when the model was trained. */
function kindOf(feature: Feature): ColumnKind {
  switch (feature.type) {
    case "Integer":
      return "integer";
    case "Number":
      return "number";
    case "Boolean":
      return "boolean";
    case "Empty":
      return "empty";
    case "Date":
      return "text";
    default: {
      const values = feature.categories?.length ? feature.categories : [feature.example];
      return values.every((value) => typeof value !== "boolean" && NUMBER.test(String(value)))
        ? "codes"
        : "text";
    }
  }
}

/** Whether text is a number, as pandas reads one. */
export const isNumeric = (text: string): boolean => NUMBER.test(text);

/** The schema as the worker is told it: runner/autoai_runner/serve/rows.py. */
export function wireSchema({ columns, classes }: ModelSchema): Record<string, unknown> {
  return {
    kind: "load",
    columns: columns.map(({ name, kind, feature }) => ({ name, kind, nullable: feature.nullable })),
    classes,
  };
}
