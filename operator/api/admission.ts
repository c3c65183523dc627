/** What the API server does when a resource is written, for a cluster that is in memory: defaults and rules. */
import { createRuleEvaluator, type Violation } from "./cel.ts";
import { KINDS } from "./kinds.ts";
import { formatPath } from "./problem.ts";
import { structural } from "./structural.ts";

export type Admission = {
  /**
   * The resource with its defaults filled in. `before` is what it replaces, where it does.
   * Throws AdmissionError where the API server would refuse it.
   */
  admit<R extends { readonly kind: string }>(resource: R, before?: R): R;
};

export class AdmissionError extends Error {
  override readonly name = "AdmissionError";
  readonly violations: readonly Violation[];
  constructor(violations: readonly Violation[]) {
    super(violations.map(({ path, message }) => `${formatPath(path)}: ${message}`).join("\n"));
    this.violations = violations;
  }
}

/** @param options embedded: rules that hold in a cluster alone are left out */
export function createAdmission(options: { readonly embedded: boolean }): Admission {
  const evaluate = createRuleEvaluator();
  const kinds = new Map<string, ReturnType<typeof prepare>>(KINDS.map((kind) => [kind.kind, prepare(kind)]));
  return {
    admit(resource, before) {
      const kind = kinds.get(resource.kind);
      if (!kind) return resource;
      const parsed = kind.schema.safeParse(resource);
      if (!parsed.success) {
        throw new AdmissionError(
          parsed.error.issues.map(({ path, message }) => ({
            path: path.filter((segment) => typeof segment !== "symbol"),
            message,
          })),
        );
      }
      const old = before === undefined ? {} : { old: before };
      const violations = evaluate(kind.structure, parsed.data, { embedded: options.embedded, ...old });
      if (violations.length > 0) throw new AdmissionError(violations);
      return parsed.data as typeof resource;
    },
  };
}

function prepare(kind: (typeof KINDS)[number]) {
  return { schema: kind.schema, structure: structural(kind.schema) };
}
