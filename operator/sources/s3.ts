/**
 * CSVs in S3. Without credentials of the namespace's own, the operator lends its own for what belongs to that namespace and
 * nothing else: through s3:// nobody reads another team's rows.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { StalledError } from "../engine/errors.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";
import { InvalidKeyError } from "../storage/key.ts";
import { S3Store } from "../storage/minio.ts";
import { type FetchOptions, fetchBytes } from "./https.ts";

export type OwnStore = { readonly endpoint: string; readonly bucket: string; readonly region: string };

export type S3Options = {
  readonly cluster: Pick<Cluster, "secret">;
  readonly store: ArtifactStore & { grantGet(key: string, seconds: number): Promise<string> };
  readonly own: OwnStore;
  readonly fetch: FetchOptions;
};

export type S3Request = {
  /** s3://bucket/key */
  readonly uri: string;
  /** Name of a Secret with accessKeyId, secretAccessKey, and endpoint and region where they are not the operator's. */
  readonly credentials: string | undefined;
  readonly namespace: string;
};

const GRANT_SECONDS = 300;
/** Folders of the operator's bucket whose next segment is the namespace that they belong to. */
const FOLDERS = ["sources", "datasets", "jobs"] as const;

/** Throws FetchError, or StalledError where the request itself cannot be. */
export async function readS3(request: S3Request, options: S3Options): Promise<Uint8Array> {
  const [, bucket = "", key = ""] = /^s3:\/\/([^/]+)\/(.+)$/.exec(request.uri) ?? [];
  try {
    if (request.credentials === undefined) return await readOwn(bucket, key, request, options);
    return await readWith(request.credentials, bucket, key, request, options);
  } catch (error) {
    if (error instanceof InvalidKeyError) throw new StalledError("InvalidSource", error.message);
    throw error;
  }
}

/** Whether the operator may read a key of its own bucket for this namespace. */
export function belongsTo(namespace: string, key: string): boolean {
  return FOLDERS.some((folder) => key.startsWith(`${folder}/${namespace}/`));
}

async function readOwn(
  bucket: string,
  key: string,
  { namespace }: S3Request,
  { store, own, fetch }: S3Options,
): Promise<Uint8Array> {
  if (bucket !== own.bucket || !belongsTo(namespace, key)) {
    throw new StalledError(
      "SourceForbidden",
      `s3://${bucket}/${key} is read with credentials of your own: name a Secret by credentialsSecretRef (accessKeyId, secretAccessKey, endpoint). Without one, only s3://${own.bucket}/sources/${namespace}/ is open to this namespace`,
    );
  }
  return fetchBytes(await store.grantGet(key, GRANT_SECONDS), { ...fetch, trusted: true });
}

async function readWith(
  name: string,
  bucket: string,
  key: string,
  { namespace }: S3Request,
  { cluster, own, fetch }: S3Options,
): Promise<Uint8Array> {
  const secret = await cluster.secret(namespace, name);
  if (!secret) {
    throw new StalledError(
      "SecretNotFound",
      `credentialsSecretRef names Secret ${name}, which does not exist in namespace ${namespace}`,
    );
  }
  const value = (field: string): string | undefined => secret[field]?.trim() || undefined;
  const [accessKey, secretKey] = [value("accessKeyId"), value("secretAccessKey")];
  if (accessKey === undefined || secretKey === undefined) {
    throw new StalledError("MissingKey", `Secret ${name} needs accessKeyId and secretAccessKey`);
  }
  const endpoint = value("endpoint") ?? own.endpoint;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new StalledError(
      "MissingKey",
      `endpoint of Secret ${name} has to be an address such as https://host`,
    );
  }
  // Only the store that the operator was given may be inside; anything else is as public as any other address.
  const trusted = new URL(endpoint).origin === new URL(own.endpoint).origin;
  const store = new S3Store({
    endpoint,
    bucket,
    region: value("region") ?? own.region,
    accessKey,
    secretKey,
  });
  return fetchBytes(await store.grantGet(key, GRANT_SECONDS), { ...fetch, trusted });
}
