/** NetworkPolicies of tool pods: a pure function. Nothing may reach them; what they may reach depends on their role. */

export type StoreSelector =
  | { readonly namespace: string; readonly podLabels: Readonly<Record<string, string>> }
  | { readonly cidr: string };

export type IndexEgress = {
  readonly cidr: string;
  readonly except?: readonly string[] | undefined;
  readonly ports?: readonly number[] | undefined;
};

export type ToolPolicySettings = {
  readonly store: StoreSelector;
  /** Of the store's pods: policies see a destination after the Service's address is translated. */
  readonly storePort: number;
  /** What install pods may reach beside the store and DNS. */
  readonly index: readonly IndexEgress[];
};

/** The internet over TLS, and nothing that routers keep inside. */
export const PUBLIC_INDEX: readonly IndexEgress[] = [
  {
    cidr: "0.0.0.0/0",
    except: ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"],
    ports: [443],
  },
  { cidr: "::/0", except: ["fc00::/7", "fe80::/10"], ports: [443] },
];

type Policy = {
  readonly metadata: { readonly name: string; readonly namespace: string } & Readonly<
    Record<string, unknown>
  >;
} & Readonly<Record<string, unknown>>;

export function toolPolicies(namespace: string, settings: ToolPolicySettings): Policy[] {
  const store = {
    to: [storePeer(settings.store)],
    ports: [{ protocol: "TCP", port: settings.storePort }],
  };
  const dns = {
    ports: [
      { protocol: "UDP", port: 53 },
      { protocol: "TCP", port: 53 },
    ],
  };
  const index = settings.index.map(({ cidr, except, ports }) => ({
    to: [{ ipBlock: { cidr, ...(except?.length ? { except } : {}) } }],
    ...(ports?.length ? { ports: ports.map((port) => ({ protocol: "TCP", port })) } : {}),
  }));
  return [
    policy(namespace, "execution", [store]),
    // Installing resolves names; an execution is told the store's address.
    policy(namespace, "install", [store, dns, ...index]),
  ];
}

function policy(namespace: string, role: "execution" | "install", egress: readonly unknown[]): Policy {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: `autoai-${role}`,
      namespace,
      labels: { "app.kubernetes.io/managed-by": "autoai" },
    },
    spec: {
      podSelector: {
        matchLabels: { "app.kubernetes.io/managed-by": "autoai", "autoai.dev/role": role },
      },
      policyTypes: ["Ingress", "Egress"],
      ingress: [],
      egress,
    },
  };
}

export function storePeer(store: StoreSelector): unknown {
  if ("cidr" in store) return { ipBlock: { cidr: store.cidr } };
  return {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": store.namespace } },
    podSelector: { matchLabels: store.podLabels },
  };
}
