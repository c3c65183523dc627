/** What the bench makes in its namespace. */

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
      kind: "ServiceAccount",
      path: `${within}/serviceaccounts`,
      body: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "bench" } },
    },
    {
      kind: "PersistentVolumeClaim",
      path: `${within}/persistentvolumeclaims`,
      body: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: CLAIM },
        spec: { accessModes: ["ReadWriteMany"], resources: { requests: { storage: "5Gi" } } },
      },
    },
    {
      kind: "Pod",
      path: `${within}/pods`,
      body: {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "store", labels: { app: "store" } },
        spec: {
          serviceAccountName: "bench",
          automountServiceAccountToken: false,
          securityContext: hardened,
          containers: [
            {
              name: "minio",
              image: "autoai-minio:dev",
              imagePullPolicy: "IfNotPresent",
              args: ["server", "/data"],
              env: [
                { name: "MINIO_ROOT_USER", value: STORE_KEYS.accessKey },
                { name: "MINIO_ROOT_PASSWORD", value: STORE_KEYS.secretKey },
                { name: "HOME", value: "/data" },
              ],
              securityContext: restricted,
              volumeMounts: [{ name: "data", mountPath: "/data" }],
            },
          ],
          volumes: [{ name: "data", emptyDir: {} }],
        },
      },
    },
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
