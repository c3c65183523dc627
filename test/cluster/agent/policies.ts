/**
 * NetworkPolicies as an nftables table. Packets are judged where they are forwarded, after kube-proxy has put a pod's
 * address in place of a Service's; replies to what was let through pass. https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */

export type Labels = Readonly<Record<string, string>>;
export type Selector = {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
};
export type Peer = {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
};
export type PolicyPort = {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
};
export type Policy = {
  readonly namespace: string;
  readonly podSelector: Selector;
  readonly policyTypes?: readonly string[];
  readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly PolicyPort[] }[];
  readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly PolicyPort[] }[];
};
/** A pod that has an address of its own on the pods' network. */
export type Endpoint = {
  readonly namespace: string;
  readonly ip: string;
  readonly labels: Labels;
  readonly ports: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol?: string;
  }[];
};
export type Known = {
  readonly pods: readonly Endpoint[];
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly policies: readonly Policy[];
};

type Direction = "ingress" | "egress";
type Rule = { readonly peers: readonly Peer[]; readonly ports: readonly PolicyPort[] };

/** The whole table, to be loaded in one transaction by `nft -f -`. */
export function ruleset(table: string, known: Known): string {
  const chains: string[] = [];
  const jumps: Record<Direction, string[]> = { ingress: [], egress: [] };
  for (const pod of known.pods) {
    for (const direction of ["ingress", "egress"] as const) {
      const rules = rulesOf(pod, direction, known.policies);
      if (rules === undefined) continue;
      const chain = `${direction}_${pod.ip.replaceAll(".", "_")}`;
      const lines = new Set(rules.flatMap((rule) => statements(rule, pod, direction, known)));
      // A pod is never kept from itself, through a Service either.
      const itself = `ip ${direction === "egress" ? "daddr" : "saddr"} ${pod.ip} return`;
      chains.push(`  chain ${chain} {\n    ${[itself, ...lines, "counter drop"].join("\n    ")}\n  }`);
      jumps[direction].push(`${pod.ip} : jump ${chain}`);
    }
  }
  const dispatch = (direction: Direction) =>
    jumps[direction].length === 0
      ? []
      : [`ip ${direction === "egress" ? "saddr" : "daddr"} vmap { ${jumps[direction].join(", ")} }`];
  const base = (hook: string, rules: readonly string[]) =>
    `  chain ${hook} {\n    ${[
      `type filter hook ${hook} priority 10; policy accept;`,
      "ct state established,related accept",
      ...rules,
    ].join("\n    ")}\n  }`;
  return [
    `table inet ${table}`, // so that there is one to delete
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...chains,
    base("forward", [...dispatch("egress"), ...dispatch("ingress")]),
    base("input", dispatch("egress")), // from a pod to the node itself: the API server
    "}",
    "",
  ].join("\n");
}

/** What the policies let through; undefined where no policy selects the pod in this direction: then all may pass. */
function rulesOf(pod: Endpoint, direction: Direction, policies: readonly Policy[]): Rule[] | undefined {
  const selecting = policies.filter(
    (policy) =>
      policy.namespace === pod.namespace &&
      directionsOf(policy).includes(direction) &&
      matches(policy.podSelector, pod.labels),
  );
  if (selecting.length === 0) return undefined;
  return selecting.flatMap((policy) =>
    direction === "ingress"
      ? (policy.ingress ?? []).map((rule) => ({
          peers: inNamespace(rule.from, policy),
          ports: rule.ports ?? [],
        }))
      : (policy.egress ?? []).map((rule) => ({
          peers: inNamespace(rule.to, policy),
          ports: rule.ports ?? [],
        })),
  );
}

function directionsOf(policy: Policy): Direction[] {
  const types = policy.policyTypes ?? ["Ingress", ...(policy.egress === undefined ? [] : ["Egress"])];
  return types.map((type) => type.toLowerCase() as Direction);
}

/** A pod selector without a namespace selector means the policy's own namespace: said by the label that every namespace has. */
function inNamespace(peers: readonly Peer[] | undefined, policy: Policy): Peer[] {
  return (peers ?? []).map((peer) =>
    peer.ipBlock !== undefined || peer.namespaceSelector !== undefined
      ? peer
      : { ...peer, namespaceSelector: { matchLabels: { [NAMESPACE_NAME]: policy.namespace } } },
  );
}
const NAMESPACE_NAME = "kubernetes.io/metadata.name";

function statements(rule: Rule, pod: Endpoint, direction: Direction, known: Known): string[] {
  const field = direction === "egress" ? "daddr" : "saddr";
  const named = rule.ports.filter((port) => typeof port.port === "string");
  const numbered = rule.ports.filter((port) => typeof port.port !== "string");
  const anyPort = rule.ports.length === 0;

  const addresses: string[] = rule.peers.length === 0 ? [""] : [];
  const peers = known.pods.filter((candidate) =>
    rule.peers.some((peer) => peer.ipBlock === undefined && selects(peer, candidate, known.namespaces)),
  );
  if (peers.length > 0) addresses.push(`ip ${field} { ${peers.map((peer) => peer.ip).join(", ")} } `);
  for (const { ipBlock } of rule.peers) {
    if (ipBlock === undefined || ipBlock.cidr.includes(":")) continue; // the pods' network has no IPv6
    const except = (ipBlock.except ?? []).filter((cidr) => !cidr.includes(":"));
    addresses.push(
      `ip ${field} ${ipBlock.cidr} ${except.length === 0 ? "" : `ip ${field} != { ${except.join(", ")} } `}`,
    );
  }
  const lines = addresses.flatMap((address) =>
    anyPort ? [`${address}return`] : numbered.map((port) => `${address}${portMatch(port)} return`),
  );
  // A named port is a number of the pod that is spoken to.
  const spokenTo = direction === "ingress" ? [pod] : rule.peers.length === 0 ? known.pods : peers;
  for (const port of named) {
    for (const target of spokenTo) {
      const found = target.ports.find(
        (one) => one.name === port.port && protocolOf(one) === protocolOf(port),
      );
      if (found === undefined) continue;
      const match = portMatch({ ...port, port: found.containerPort });
      if (direction === "egress") lines.push(`ip daddr ${target.ip} ${match} return`);
      else lines.push(...addresses.map((address) => `${address}${match} return`));
    }
  }
  return lines;
}

function selects(peer: Peer, pod: Endpoint, namespaces: ReadonlyMap<string, Labels>): boolean {
  return (
    matches(peer.namespaceSelector ?? {}, namespaces.get(pod.namespace) ?? {}) &&
    matches(peer.podSelector ?? {}, pod.labels)
  );
}

function portMatch(port: PolicyPort): string {
  const protocol = protocolOf(port);
  if (port.port === undefined) return `meta l4proto ${protocol}`;
  return `${protocol} dport ${port.endPort === undefined ? port.port : `${port.port}-${port.endPort}`}`;
}

function protocolOf(port: { readonly protocol?: string }): string {
  return (port.protocol ?? "TCP").toLowerCase();
}

/** Whether labels fit a selector: an empty one fits all. */
export function matches(selector: Selector, labels: Labels): boolean {
  const pairs = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    pairs &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          throw new Error(
            `expected a selector's operator (In, NotIn, Exists, DoesNotExist), found ${operator}`,
          );
      }
    })
  );
}
