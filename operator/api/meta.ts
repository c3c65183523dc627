/** What every kind shares: group, version, names, metadata, conditions. */
import { z } from "zod";
import { text } from "./rule.ts";

export const GROUP = "autoai.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}` as const;

export const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
export const NAME_WORDS =
  "lower case letters, digits and '-', starting and ending with a letter or digit, at most 63 characters";

/** RFC 1123 label: what Kubernetes accepts as a resource's name, kept to 63 so that it fits a label value. */
export const ResourceName = text(1, 63, NAME_PATTERN, NAME_WORDS);

/** RFC 1123 subdomain: the name of a ConfigMap or Secret, which others made. */
export const ObjectName = text(
  1,
  253,
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  "lower case letters, digits, '-' and '.', each part starting and ending with a letter or digit",
);

/** A key in the data of a ConfigMap or Secret. */
export const DataKey = text(1, 253, /^[-._a-zA-Z0-9]+$/, "letters, digits, '-', '_' and '.'");

/** RFC 3339, as Kubernetes writes times. */
export const Timestamp = z.iso.datetime({ offset: true });

const LabelKey = z
  .string()
  .max(317)
  .regex(/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$/, {
    error: "must be a Kubernetes label name such as team or example.org/team",
  });
const LabelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$/, {
    error: "must be at most 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit",
  });

export const ObjectMeta = z
  .strictObject({
    name: ResourceName.describe("Name, unique in its namespace among resources of this kind."),
    namespace: ResourceName.optional().describe("Namespace; the one of the client's context where absent."),
    labels: z.record(LabelKey, LabelValue).optional().describe("Labels, to select by."),
    annotations: z.record(LabelKey, z.string()).optional().describe("Annotations, for other programs."),
    // Below: set by the API server, accepted so that `kubectl get -o yaml` output can be applied again.
    uid: z.string().optional(),
    resourceVersion: z.string().optional(),
    generation: z.int().optional(),
    creationTimestamp: z.string().nullable().optional(),
    deletionTimestamp: z.string().optional(),
    finalizers: z.array(z.string()).optional(),
    ownerReferences: z.array(z.looseObject({})).optional(),
    managedFields: z.array(z.looseObject({})).optional(),
    generateName: z.string().optional(),
    selfLink: z.string().optional(),
    deletionGracePeriodSeconds: z.int().optional(),
  })
  .describe("Standard Kubernetes metadata.");
export type ObjectMeta = z.infer<typeof ObjectMeta>;

export const Condition = z.strictObject({
  type: z.string().min(1).max(316).describe("Kind of the condition, such as Ready."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  reason: z.string().min(1).max(1024).describe("One word for programs: why it holds or does not."),
  message: z.string().max(32768).describe("One or more sentences for people."),
  lastTransitionTime: Timestamp.describe("When the status last changed."),
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .describe("The metadata.generation of the spec that the condition is about."),
});
export type Condition = z.infer<typeof Condition>;

/** One condition a type: server-side apply merges them by it. */
export const Conditions = z
  .array(Condition)
  .max(16)
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] });

export const ObservedGeneration = z
  .int()
  .min(0)
  .describe("The metadata.generation of the spec that this status is about.");
