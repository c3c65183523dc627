/** ConfigMap and Secret, as far as a manifest for the embedded run may bring them along. */
import { z } from "zod";
import { DataKey, ObjectMeta, ObjectName } from "./meta.ts";

const CoreMeta = ObjectMeta.extend({ name: ObjectName });
const Base64 = z.string().regex(/^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/, {
  error: "must be base64; plain text belongs into data of a ConfigMap, or stringData of a Secret",
});

export const ConfigMap = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("ConfigMap"),
  metadata: CoreMeta,
  data: z.record(DataKey, z.string()).optional().describe("Texts by key."),
  binaryData: z.record(DataKey, Base64).optional().describe("Bytes by key, in base64."),
  immutable: z.boolean().optional(),
});
export type ConfigMap = z.infer<typeof ConfigMap>;

export const Secret = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("Secret"),
  metadata: CoreMeta,
  type: z.string().max(253).optional(),
  data: z.record(DataKey, Base64).optional().describe("Values by key, in base64."),
  stringData: z.record(DataKey, z.string()).optional().describe("Values by key, in plain text."),
  immutable: z.boolean().optional(),
});
export type Secret = z.infer<typeof Secret>;
