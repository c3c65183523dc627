/** What each column is treated as, and why. A pure function of the briefing. */
import type { ColumnProfile } from "../../api/profile.ts";
import type { Briefing } from "../language-model.ts";

export type Role = "Number" | "Category" | "Code" | "Date" | "Text" | "Dropped";

export type ColumnPlan = {
  readonly name: string;
  readonly role: Role;
  readonly why: string;
  readonly distinct: number;
};

/** One-hot encoding is readable and cheap up to here; beyond, a column is a code. */
const MANY_VALUES = 40;
/** Integers with this few values may be labels in disguise: linear models get them both ways. */
export const FEW_NUMBERS = 12;

export function planColumns(briefing: Briefing): ColumnPlan[] {
  const features = briefing.profile.columns.filter((column) => column.name !== briefing.target);
  const planned = features.map((column) => plan(column, briefing));
  if (planned.some((column) => column.role !== "Dropped")) return planned;
  // Nothing but identifiers: better a weak model of them than none.
  return features.map((column, index) => {
    const before = planned[index] as ColumnPlan;
    if (column.type === "Empty" || column.distinct <= 1) return before;
    return { ...before, role: idRole(column), why: "the only columns there are look like identifiers" };
  });
}

function plan(column: ColumnProfile, briefing: Briefing): ColumnPlan {
  const of = (role: Role, why: string): ColumnPlan => ({
    name: column.name,
    role,
    why,
    distinct: column.distinct,
  });
  if (column.type === "Empty") return of("Dropped", "empty");
  if (column.distinct <= 1 && column.missing === 0) return of("Dropped", "one value only");
  if (briefing.splitBy.kind === "Group" && briefing.splitBy.column === column.name) {
    return of("Dropped", "names the group, and groups to come are new ones");
  }
  switch (column.type) {
    case "Identifier":
      return looksLikeProse(column) ? of("Text", "free text") : of("Dropped", "an identifier");
    case "Integer":
    case "Number":
      return of("Number", `${column.distinct} distinct values${missing(column, briefing)}`);
    case "Boolean":
      return of("Category", `yes or no${missing(column, briefing)}`);
    case "Date":
      return of("Date", `a date${missing(column, briefing)}`);
    case "Text":
      return looksLikeProse(column)
        ? of("Text", "free text")
        : of("Code", `${column.distinct} distinct short texts${missing(column, briefing)}`);
    case "Category":
      if (column.distinct <= MANY_VALUES) {
        return of("Category", `${column.distinct} values${missing(column, briefing)}`);
      }
      return looksLikeProse(column)
        ? of("Text", "free text")
        : of("Code", `${column.distinct} values${missing(column, briefing)}`);
  }
}

function missing(column: ColumnProfile, briefing: Briefing): string {
  if (column.missing === 0) return "";
  return `, ${Math.max(1, Math.round((100 * column.missing) / Math.max(1, briefing.profile.rows)))} % missing`;
}

/** Several words in a cell, as far as the most frequent values and the mean length tell. */
function looksLikeProse(column: ColumnProfile): boolean {
  const words = column.top.map(({ value }) => value.trim().split(/\s+/).length);
  const mean = words.length === 0 ? 1 : words.reduce((sum, count) => sum + count, 0) / words.length;
  return column.meanLength >= 30 || (column.meanLength >= 12 && mean >= 2);
}

function idRole(column: ColumnProfile): Role {
  const numeric = column.top.every(({ value }) => value !== "" && Number.isFinite(Number(value)));
  return numeric ? "Number" : "Code";
}

export function named(columns: readonly ColumnPlan[], role: Role): ColumnPlan[] {
  return columns.filter((column) => column.role === role);
}
