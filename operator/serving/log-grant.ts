/** The leave that a ModelDeployment's servers have to send their prediction log: to write below their own prefix, for a day. */
import { LogGrant, predictionLogPrefix, SEGMENT_OBJECT_BYTES } from "../api/prediction-log.ts";
import type { Grants } from "../storage/grants.ts";

/** Long enough that servers go on sending while the operator is away for half a day, short enough for what is stolen. */
const LOG_GRANT_SECONDS = 24 * 3600;

/**
 * The content of the file that `--log-ship` names. A secret: who holds it can write below the prefix, and overwrite what is there; it
 * can neither read nor list nor delete. It is the same prefix for every pod of the deployment.
 * @param now milliseconds since 1970
 */
export async function logGrant(
  grants: Pick<Grants, "grantPost">,
  deployment: { readonly namespace: string; readonly name: string },
  now: number,
): Promise<LogGrant> {
  const prefix = predictionLogPrefix(deployment.namespace, deployment.name);
  const { url, fields } = await grants.grantPost(prefix, LOG_GRANT_SECONDS, SEGMENT_OBJECT_BYTES);
  // The key is the sender's to add.
  const { key: _, ...rest } = fields;
  return LogGrant.parse({
    url,
    fields: rest,
    prefix,
    expires: new Date(now + LOG_GRANT_SECONDS * 1000).toISOString(),
  });
}
