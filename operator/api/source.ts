/** Where bytes come from: references to Secrets and ConfigMaps, and addresses of data sets. */
import { z } from "zod";
import { DataKey, ObjectName } from "./meta.ts";
import { type Rule, text, withRules } from "./rule.ts";

export const SecretKeyRef = z.strictObject({
  name: ObjectName.describe("Name of a Secret in the same namespace."),
  key: DataKey.describe("Key in its data."),
});
export type SecretKeyRef = z.infer<typeof SecretKeyRef>;

export const ConfigMapKeyRef = z.strictObject({
  name: ObjectName.describe("Name of a ConfigMap in the same namespace."),
  key: DataKey.describe("Key in its data or binaryData that holds the CSV."),
});
export type ConfigMapKeyRef = z.infer<typeof ConfigMapKeyRef>;

export const CredentialsSecretRef = z
  .strictObject({ name: ObjectName.describe("Name of a Secret in the same namespace.") })
  .describe(
    "Secret with accessKeyId and secretAccessKey to read an s3:// address with, and endpoint and region where they are not those of the operator's store.",
  );

/** For what has a uri beside credentials. */
export const CREDENTIALS_RULE: Rule = {
  rule: "!has(self.credentialsSecretRef) || (has(self.uri) && self.uri.startsWith('s3://'))",
  message: "is for an s3:// address: leave it out, or give uri as s3://bucket/key",
  fieldPath: ".credentialsSecretRef",
};

/**
 * Address of a CSV. No credentials in it: it is copied into status, journal and logs.
 * A `file:` address is a path, absolute or relative to the folder of the manifest that names it.
 */
export const DataUri = withRules(
  text(
    1,
    2048,
    /^(s3:\/\/[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]\/[^\s?#]+|https:\/\/[^\s/?#@]+(\/[^\s#]*)?|file:[^\s].*)$/,
    "s3://bucket/key, https://host/path without user or password or, in the embedded run, file:path",
  ),
  {
    rule: "!self.startsWith('file:')",
    message:
      "must be s3://bucket/key or https://host/path: file: is for the embedded run (autoai run), a cluster cannot see your files",
    where: "Cluster",
  },
);
