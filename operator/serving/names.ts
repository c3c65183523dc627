/** Names, labels and places of what a ModelDeployment is made of. */
import { createHash } from "node:crypto";

export const LABELS = {
  name: "app.kubernetes.io/name",
  instance: "app.kubernetes.io/instance",
  managedBy: "app.kubernetes.io/managed-by",
  role: "autoai.dev/role",
  deployment: "autoai.dev/modeldeployment",
} as const;
export const ANNOTATIONS = {
  digest: "autoai.dev/model-digest",
  trainingJob: "autoai.dev/training-job",
  /** Of the Deployment: who decides how many servers there are. */
  scaledBy: "autoai.dev/scaled-by",
} as const;

const NAME = "autoai-model";
export const ROLE = "serving";
export const HTTP_PORT = 8080;
export const CONTAINERS = { fetch: "fetch", front: "front", model: "model" } as const;
export const SHIP_KEY = "ship.json";

/** By these pods are selected; they must never change. */
export function selectorOf(name: string): Record<string, string> {
  return { [LABELS.name]: NAME, [LABELS.deployment]: name };
}

export function labelsOf(name: string): Record<string, string> {
  return {
    ...selectorOf(name),
    [LABELS.instance]: name,
    [LABELS.managedBy]: "autoai",
    [LABELS.role]: ROLE,
  };
}

export const grantsName = (name: string): string => `${name}-model-grants`;
export const policyName = (name: string): string => `${name}-model`;
/** Of the Secret: the grants for one model. */
export const grantsKey = (digest: string): string => `${digest}.json`;
/** Inside the cluster; by the Service, whose port is 80. */
export const urlOf = (namespace: string, name: string): string => `http://${name}.${namespace}.svc`;

/** A user that no other model's worker has: limits of threads count by user. Far above the users of images. */
export function workerUser(namespace: string, name: string): number {
  const hash = createHash("sha256").update(`${namespace}/${name}`).digest();
  return 1_000_000 + (hash.readUInt32BE(0) % 1_000_000_000);
}
