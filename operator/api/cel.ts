/** Evaluates the CEL rules of a schema, as the API server does: the same text, in the embedded run and offline. */
import { Environment } from "@marcbachmann/cel-js";
import { parseQuantity } from "./quantity.ts";
import { RULES, type Rule } from "./rule.ts";
import type { Structural } from "./structural.ts";
import type { Path } from "./yaml.ts";

export type Violation = { readonly path: Path; readonly message: string };

export type RuleOptions = {
  /** The object before the change; absent: it is being created, and rules about changes do not apply. */
  readonly old?: unknown;
  /** Whether rules that hold in a cluster alone are left out. */
  readonly embedded: boolean;
  /**
   * Fields that are at fault already and were taken out of the value. A rule that speaks of one is not evaluated:
   * what it would say is a consequence.
   */
  readonly without?: readonly Path[];
};

/** Every broken rule of the schema. The value holds its defaults and fits the schema in all else. */
export type RuleEvaluator = (schema: Structural, value: unknown, options: RuleOptions) => Violation[];

class Quantity {
  readonly amount: number;
  constructor(amount: number) {
    this.amount = amount;
  }
}

export function createRuleEvaluator(): RuleEvaluator {
  const environment = new Environment({ unlistedVariablesAreDyn: true })
    .registerType("Quantity", { ctor: Quantity, fields: {} })
    .registerFunction("quantity(string): Quantity", (text: string) => new Quantity(parseQuantity(text)))
    .registerFunction("Quantity.compareTo(Quantity): int", (a: Quantity, b: Quantity) =>
      BigInt(Math.sign(a.amount - b.amount)),
    );
  const programs = new Map<string, ReturnType<Environment["parse"]>>();
  const program = (rule: string) => {
    const known = programs.get(rule) ?? environment.parse(rule);
    programs.set(rule, known);
    return known;
  };

  function visit(
    schema: Structural,
    value: unknown,
    old: unknown,
    path: Path,
    options: RuleOptions,
  ): Violation[] {
    if (value === undefined || value === null) return [];
    const own = (schema[RULES] ?? [])
      .filter((rule) => applies(rule, old, path, options))
      .flatMap((rule) => judge(rule, value, old, path, options));
    return [...own, ...children(schema, value, old, path).flatMap((child) => visit(...child, options))];
  }

  function judge(rule: Rule, self: unknown, oldSelf: unknown, path: Path, options: RuleOptions): Violation[] {
    const place = [...path, ...(rule.fieldPath ?? "").split(".").filter((segment) => segment !== "")];
    try {
      const context = { self: toCel(self), ...(oldSelf === undefined ? {} : { oldSelf: toCel(oldSelf) }) };
      return program(rule.rule)(context) === true ? [] : [{ path: place, message: rule.message }];
    } catch (error) {
      // Fields that were taken out may be the reason; what is wrong with them is told already.
      if (options.without?.length) return [];
      const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
      return [{ path: place, message: `${rule.message} (the rule cannot be evaluated: ${reason})` }];
    }
  }

  return (schema, value, options) => visit(schema, value, options.old, [], options);
}

function applies(rule: Rule, old: unknown, path: Path, options: RuleOptions): boolean {
  if (rule.where === "Cluster" && options.embedded) return false;
  if (old === undefined && /\boldSelf\b/.test(rule.rule)) return false;
  return !(options.without ?? []).some((absent) => {
    const below = path.every((segment, index) => absent[index] === segment);
    return (
      below && new RegExp(`\\b${String(absent.at(-1) ?? "self").replaceAll(/\W/g, "")}\\b`).test(rule.rule)
    );
  });
}

type Child = [schema: Structural, value: unknown, old: unknown, path: Path];

function children(schema: Structural, value: unknown, old: unknown, path: Path): Child[] {
  const { items, properties } = schema;
  if (Array.isArray(value)) {
    return items ? value.map((item, index): Child => [items, item, undefined, [...path, index]]) : [];
  }
  if (typeof value !== "object" || value === null || !properties) return [];
  const fields = value as Record<string, unknown>;
  const before = (typeof old === "object" && old !== null ? old : {}) as Record<string, unknown>;
  return Object.entries(properties).map(
    ([name, field]): Child => [
      field,
      Object.hasOwn(fields, name) ? fields[name] : undefined,
      before[name],
      [...path, name],
    ],
  );
}

/** CEL tells int from double; a whole number of JSON is an int, and the API has no doubles. */
function toCel(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.fromEntries(fields.map(([name, field]) => [name, toCel(field)]));
  }
  return value;
}
