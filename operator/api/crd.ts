/** Kind → CustomResourceDefinition. */
import type { Kind } from "./kinds.ts";
import { GROUP, NAME_PATTERN, NAME_WORDS, VERSION } from "./meta.ts";
import { matches, RULES, type Rule } from "./rule.ts";
import { mapValues, type Structural, structural } from "./structural.ts";

export function customResourceDefinition(kind: Kind): Record<string, unknown> {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        singular: kind.singular,
        plural: kind.plural,
        shortNames: kind.shortNames,
        categories: ["autoai"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: rootSchema(kind) },
          subresources: { status: {}, ...(kind.scale ? { scale: kind.scale } : {}) },
          additionalPrinterColumns: kind.columns,
        },
      ],
    },
  };
}

/** metadata is the API server's own; of its fields a CRD may restrict the name alone. */
function rootSchema(kind: Kind): Structural {
  const schema = structural(kind.schema);
  const { spec, status } = schema.properties ?? {};
  const name: Rule = {
    rule: matches("self.metadata.name", NAME_PATTERN),
    message: `must be ${NAME_WORDS}`,
    fieldPath: ".metadata.name",
  };
  return forCluster({
    description: kind.description,
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "Version of the API that this resource is written in." },
      kind: { type: "string", description: "Kind of the resource." },
      metadata: { type: "object", properties: { name: { type: "string", maxLength: 63 } } },
      ...(spec ? { spec } : {}),
      ...(status ? { status } : {}),
    },
    [RULES]: [name, ...(schema[RULES] ?? [])],
  });
}

/** All rules hold in a cluster; `where` is ours and means nothing to the API server. */
function forCluster(node: Structural): Structural {
  const { [RULES]: rules, properties, items, ...rest } = node;
  return {
    ...rest,
    ...(properties ? { properties: mapValues(properties, forCluster) } : {}),
    ...(items ? { items: forCluster(items) } : {}),
    ...(rules ? { [RULES]: rules.map(apiServerRule) } : {}),
  };
}

function apiServerRule({ rule, message, fieldPath }: Rule) {
  return { rule, message, ...(fieldPath === undefined ? {} : { fieldPath }) };
}
