/** References between resources of one manifest: what is named and is there has to hold what is asked of it. */
import type { ConfigMap, Secret } from "./core.ts";
import type { Resource } from "./validate.ts";
import type { Path } from "./yaml.ts";

export type BrokenReference = {
  readonly resource: Resource;
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
};

/**
 * Keys that a ConfigMap or Secret of the same manifest does not have. What is not in the manifest may be in the
 * cluster, and is the reconciler's to look for.
 */
export function brokenReferences(resources: readonly Resource[]): BrokenReference[] {
  return resources.flatMap((resource) =>
    referencesOf(resource).flatMap(({ kind, name, key, path }) => {
      const target = resources.find(
        (other): other is ConfigMap | Secret =>
          other.kind === kind &&
          other.metadata.name === name &&
          (other.metadata.namespace ?? "") === (resource.metadata.namespace ?? ""),
      );
      if (!target) return [];
      const keys = keysOf(target);
      if (keys.includes(key)) return [];
      const expected = `must be a key of ${kind} ${name}, which has ${keys.length === 0 ? "none" : keys.join(", ")}`;
      return [{ resource, path, expected, found: JSON.stringify(key) }];
    }),
  );
}

type Reference = { kind: "ConfigMap" | "Secret"; name: string; key: string; path: Path };

function referencesOf(resource: Resource): Reference[] {
  if (resource.kind === "Dataset") {
    const rows = resource.spec.source.configMapKeyRef;
    return rows ? [{ kind: "ConfigMap", ...rows, path: ["spec", "source", "configMapKeyRef", "key"] }] : [];
  }
  if (resource.kind !== "TrainingJob") return [];
  const rows = resource.spec.dataset.configMapKeyRef;
  const apiKey = resource.spec.llm.apiKeySecretRef;
  return [
    ...(rows
      ? [{ kind: "ConfigMap" as const, ...rows, path: ["spec", "dataset", "configMapKeyRef", "key"] }]
      : []),
    ...(apiKey
      ? [{ kind: "Secret" as const, ...apiKey, path: ["spec", "llm", "apiKeySecretRef", "key"] }]
      : []),
  ];
}

function keysOf(target: ConfigMap | Secret): string[] {
  const more = target.kind === "ConfigMap" ? target.binaryData : target.stringData;
  return [...Object.keys(target.data ?? {}), ...Object.keys(more ?? {})];
}
