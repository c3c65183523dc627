/** YAML, read as kubectl reads it, with the place of every field; and written. */
import { stringify } from "yaml";

/** One document, in a form that does not depend on how its value was built. */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 110, aliasDuplicateObjects: false });
}
