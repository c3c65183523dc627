/** Kubernetes quantities (`500m`, `2`, `4Gi`) as they stand in a container's resources. */
import { z } from "zod";
import { type Rule, withRules } from "./rule.ts";

const PATTERN = /^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;

const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** The number that a quantity stands for: cores, or bytes. Throws RangeError on anything else than a quantity. */
export function parseQuantity(text: string): number {
  const suffix = PATTERN.exec(text)?.[2] ?? "";
  const factor = FACTORS[suffix];
  if (!PATTERN.test(text) || factor === undefined) {
    throw new RangeError(
      `expected a Kubernetes quantity such as 500m, 2 or 4Gi, found ${JSON.stringify(text)}`,
    );
  }
  return Number(text.slice(0, text.length - suffix.length)) * factor;
}

/** A quantity between two others. Written as a string or, as Kubernetes allows, a whole number; read as a string. */
export function quantity(least: string, most: string) {
  const written = z.union([z.string().min(1).max(32), z.int().min(0)], {
    error: `must be a Kubernetes quantity, such as ${least}`,
  });
  const bounds: Rule = {
    // The pattern comes first: quantity() of another text is an error, and its message would be CEL's.
    rule:
      `string(self).matches(r'${PATTERN.source}') && quantity(string(self)).compareTo(quantity('${least}')) >= 0` +
      ` && quantity(string(self)).compareTo(quantity('${most}')) <= 0`,
    message: `must be a Kubernetes quantity from ${least} to ${most}`,
  };
  return withRules(written.transform(String).meta({ "x-kubernetes-int-or-string": true }), bounds);
}
