/** Every generated file of the repository, by path, with its text. */
import { customResourceDefinition } from "./crd.ts";
import { KINDS } from "./kinds.ts";
import { GROUP } from "./meta.ts";
import { toYaml } from "./yaml.ts";

/** Folders in which nothing else may lie. */
export const OWNED_FOLDERS = ["crds", "docs/reference"] as const;

export function generatedFiles(): Record<string, string> {
  const files: Record<string, string> = {};
  for (const kind of KINDS) {
    const notice = "# Generated from operator/api by `npm run generate`; do not edit.\n";
    files[`crds/${GROUP}_${kind.plural}.yaml`] = notice + toYaml(customResourceDefinition(kind));
  }
  return files;
}
