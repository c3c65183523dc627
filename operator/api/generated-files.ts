/** Every generated file of the repository, by path, with its text. */
import { customResourceDefinition } from "./crd.ts";
import { KINDS } from "./kinds.ts";
import { GROUP } from "./meta.ts";
import { indexPage, journalPage, kindPage, modelManifestPage } from "./reference.ts";
import { toYaml } from "./yaml.ts";

/** Folders in which nothing else may lie. */
export const OWNED_FOLDERS = ["crds", "charts/autoai/templates/crds", "docs/reference"] as const;

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
    ...Object.fromEntries(
      KINDS.map((kind) => [
        `charts/autoai/templates/crds/${GROUP}_${kind.plural}.yaml`,
        chartTemplate(toYaml(customResourceDefinition(kind))),
      ]),
    ),
    ...Object.fromEntries(pages.map(({ file, text }) => [`docs/reference/${file}`, text])),
    "docs/reference/README.md": indexPage(pages),
  };
}

/**
 * A CRD as a template of the Helm chart. Templates are upgraded, which files of a chart's crds/ folder are not; what keeps
 * helm from deleting it, and every resource of its kind with it, is the annotation.
 */
function chartTemplate(crd: string): string {
  const lines = crd.replaceAll("{{", '{{ "{{" }}').split("\n");
  const name = lines.findIndex((line) => line.startsWith("  name: "));
  const metadata = [
    "  annotations:",
    "    helm.sh/resource-policy: keep",
    "  labels:",
    '    {{- include "autoai.labels" (list . "crds") | nindent 4 }}',
  ];
  const body = [...lines.slice(0, name + 1), ...metadata, ...lines.slice(name + 1)].join("\n");
  return `${YAML_NOTICE}{{- if .Values.crds.install }}\n${body}{{- end }}\n`;
}
