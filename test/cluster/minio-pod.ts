/** A MinIO of a test's or a bench's own: a pod under Pod Security restricted, whose files go with it. */
import { accessMode, minioImage } from "./choice.ts";

export type StoreKeys = { readonly accessKey: string; readonly secretKey: string };

/** Labels by which policies let tool pods reach it, and its port. */
export const STORE_LABELS = { app: "store" } as const;
export const STORE_PORT = 9000;

/**
 * The pod `store` of the namespace.
 * @param claim where its files outlive it
 */
export function storePod(namespace: string, { accessKey, secretKey }: StoreKeys, claim?: string) {
  const data = claim === undefined ? { emptyDir: {} } : { persistentVolumeClaim: { claimName: claim } };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "store", namespace, labels: STORE_LABELS },
    spec: {
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        fsGroup: 65532,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "minio",
          image: minioImage(),
          imagePullPolicy: "IfNotPresent",
          args: ["server", "/data", "--address", `:${STORE_PORT}`],
          env: [
            { name: "MINIO_ROOT_USER", value: accessKey },
            { name: "MINIO_ROOT_PASSWORD", value: secretKey },
            { name: "HOME", value: "/data" },
          ],
          // A forwarded port ends at the first connection that is refused.
          readinessProbe: { tcpSocket: { port: STORE_PORT }, periodSeconds: 1 },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          volumeMounts: [{ name: "data", mountPath: "/data" }],
        },
      ],
      volumes: [{ name: "data", ...data }],
    },
  } as const;
}

/** The Service `store`, whose address stays where the pod is made anew. */
export function storeService(namespace: string) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "store", namespace },
    spec: { selector: STORE_LABELS, ports: [{ port: STORE_PORT }] },
  } as const;
}

/** Claim for environments, or for the store's files; by default the one that the installed operator looks for. */
export function environmentsClaim(namespace: string, name = "autoai-environments") {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace },
    spec: { accessModes: [accessMode()], resources: { requests: { storage: "5Gi" } } },
  } as const;
}
