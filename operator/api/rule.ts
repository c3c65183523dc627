/**
 * CEL rules, carried by the zod schemas they belong to.
 *
 * A rule is written once: the generator puts its text into the CRD (`x-kubernetes-validations`), and `autoai validate`
 * evaluates the same text offline. Bounds, enums and required fields stay in zod; a rule is for what relates fields,
 * and for what zod can say but a person would not understand from the API server (a bare regular expression).
 */
import { z } from "zod";

export type Rule = {
  /** CEL over `self`, and `oldSelf` where it is about a change. */
  readonly rule: string;
  /** What was expected and what to do, for a person. */
  readonly message: string;
  /** The field that a person should look at, below the ruled one, such as ".metric"; absent: the ruled one. */
  readonly fieldPath?: string;
  /** Cluster: not a rule of the embedded run. */
  readonly where?: "Cluster";
};

/** Where the rules stand in a JSON schema; the name is Kubernetes'. */
export const RULES = "x-kubernetes-validations";

/** The schema with these rules added to those that it has. */
export function withRules<S extends z.ZodType>(schema: S, ...rules: readonly Rule[]): S {
  return schema.meta({ ...schema.meta(), [RULES]: [...rulesOf(schema), ...rules] }) as S;
}

export function rulesOf(schema: z.ZodType): readonly Rule[] {
  const rules = schema.meta()?.[RULES];
  return Array.isArray(rules) ? (rules as readonly Rule[]) : [];
}

/**
 * A bounded text. With a pattern, `expected` says in words what it has to look like; both zod and the CRD report it so.
 * The pattern has to mean the same in JavaScript and RE2, and holds no quote.
 */
export function text(min: number, max: number, pattern?: RegExp, expected?: string): z.ZodString {
  const bounded = z.string().min(min).max(max);
  if (pattern === undefined) return bounded;
  const message = `must be ${expected ?? `text that matches ${pattern.source}`}`;
  return withRules(bounded.regex(pattern, { error: message }), { rule: matches("self", pattern), message });
}

/** CEL: whether the expression, a string, matches the pattern. */
export function matches(expression: string, pattern: RegExp): string {
  return `${expression}.matches(r'${pattern.source.replaceAll("\\/", "/")}')`;
}

/** CEL: whether exactly one of these holds. */
export function exactlyOne(...conditions: readonly string[]): string {
  return `[${conditions.join(", ")}].exists_one(given, given)`;
}

/** One rule a field, for every field of the object but those named: it stays as it was created. */
export function immutableExcept(
  shape: Readonly<Record<string, unknown>>,
  mutable: readonly string[],
  instead: string,
): Rule[] {
  return Object.entries(shape)
    .filter(([field]) => !mutable.includes(field))
    .map(([field, schema]) => ({
      rule:
        schema instanceof z.ZodOptional
          ? `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`
          : `self.${field} == oldSelf.${field}`,
      message: `is immutable; ${instead}`,
      fieldPath: `.${field}`,
    }));
}
