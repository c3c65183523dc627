/** What the bench makes in its namespace. */
import { environmentsClaim, storePod } from "../../test/cluster/minio-pod.ts";

export const CLAIM = "environments";
export const STORE_KEYS = { accessKey: "bench-access-key", secretKey: "bench-secret-key" } as const;

const hardened = {
  runAsNonRoot: true,
  runAsUser: 65532,
  fsGroup: 65532,
  seccompProfile: { type: "RuntimeDefault" },
} as const;
const restricted = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
} as const;

/** Namespace, claim and a store of its own, in the order in which they are made. */
export function surroundings(namespace: string): { kind: string; path: string; body: unknown }[] {
  const within = `/api/v1/namespaces/${namespace}`;
  return [
    {
      kind: "Namespace",
      path: "/api/v1/namespaces",
      body: {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
      },
    },
    {
      kind: "PersistentVolumeClaim",
      path: `${within}/persistentvolumeclaims`,
      body: environmentsClaim(namespace, CLAIM),
    },
    { kind: "Pod", path: `${within}/pods`, body: storePod(namespace, STORE_KEYS) },
  ];
}

/** The bare pod, hardened as a tool pod is; labelled as one, so that the same watch tells of it. */
export function echoPod(namespace: string, name: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: { "app.kubernetes.io/managed-by": "autoai", "autoai.dev/role": "execution" },
    },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      securityContext: hardened,
      containers: [
        {
          name: "echo",
          image: "autoai-runner:dev",
          imagePullPolicy: "IfNotPresent",
          command: ["echo", "done"],
          resources: { requests: { cpu: "250m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } },
          securityContext: restricted,
        },
      ],
    },
  };
}
