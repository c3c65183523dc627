/** Every generated file of the repository, by path, with its text. */
import { customResourceDefinition } from "./crd.ts";
import { KINDS } from "./kinds.ts";
import { GROUP } from "./meta.ts";
import { indexPage, journalPage, kindPage, modelManifestPage } from "./reference.ts";
import { toYaml } from "./yaml.ts";

/** Folders in which nothing else may lie. */
export const OWNED_FOLDERS = ["crds", "docs/reference"] as const;

const YAML_NOTICE = "# Generated from operator/api by `npm run generate`; do not edit.\n";

export function generatedFiles(): Record<string, string> {
  const pages = [
    ...KINDS.map((kind) => ({ title: kind.kind, file: `${kind.singular}.md`, text: kindPage(kind) })),
    { title: "model.json", file: "model-manifest.md", text: modelManifestPage() },
    { title: "Journal entry", file: "journal.md", text: journalPage() },
  ];
  return {
    ...Object.fromEntries(
      KINDS.map((kind) => [
        `crds/${GROUP}_${kind.plural}.yaml`,
        YAML_NOTICE + toYaml(customResourceDefinition(kind)),
      ]),
    ),
    ...Object.fromEntries(pages.map(({ file, text }) => [`docs/reference/${file}`, text])),
    "docs/reference/README.md": indexPage(pages),
  };
}
