/** What every kind shares: group, version, metadata, conditions. */
import { z } from "zod";

export const GROUP = "autoai.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}` as const;

/** RFC 1123 label: what Kubernetes accepts as a resource's name, kept to 63 so that it fits a label value. */
export const ResourceName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "lower case letters, digits and '-', starting and ending with a letter or digit");

export const ObjectMeta = z.strictObject({
  name: ResourceName,
  namespace: ResourceName.optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  // Below: set by the API server, accepted so that `kubectl get -o yaml` output can be applied again.
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(z.looseObject({})).optional(),
  managedFields: z.array(z.looseObject({})).optional(),
  generateName: z.string().optional(),
  selfLink: z.string().optional(),
  deletionGracePeriodSeconds: z.int().optional(),
});
export type ObjectMeta = z.infer<typeof ObjectMeta>;

export const Condition = z.strictObject({
  type: z.string().max(316),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().min(1).max(1024),
  message: z.string().max(32768),
  lastTransitionTime: z.string(),
  observedGeneration: z.int().optional(),
});
export type Condition = z.infer<typeof Condition>;
