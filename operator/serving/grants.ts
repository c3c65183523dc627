/**
 * The Secret of a ModelDeployment: leave to read the model packages and environments that its pods fetch, and to ship their
 * prediction log. Grants end, and are made anew long before: a pod may be made on another node at any time, with nobody asked.
 */
import { packagePrefix } from "../api/model-manifest.ts";
import type { ModelDeployment } from "../api/modeldeployment.ts";
import type { Grants } from "../storage/grants.ts";
import type { Child } from "./children.ts";
import { child } from "./manifests.ts";
import { grantsKey, grantsName, SHIP_KEY } from "./names.ts";

/** Long enough that pods can be made while no operator runs for some hours, short enough for what is stolen. */
export const GRANT_SECONDS = 6 * 3600;
/** Grants that last for less are made anew. */
const RENEW_SECONDS = GRANT_SECONDS / 2;
/** Key of the Secret: when each grant in it ends. */
const UNTIL_KEY = "until.json";

/** A model that pods may have to fetch. */
export type Fetchable = {
  readonly trainingJob: string;
  readonly digest: string;
  /** Paths in its package but for model.json. */
  readonly files: readonly string[];
  /** Key of the environment's tar; absent where a claim has the environment. */
  readonly environmentKey?: string | undefined;
};

export type GrantFacts = {
  readonly deployment: ModelDeployment;
  readonly models: readonly Fetchable[];
  /** Content of the file with which the front ships its log; absent: it ships nothing. */
  readonly shipping?: (() => Promise<string>) | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
};

/** What the Secret holds, by key; undefined where there is none. */
export type SecretData = Readonly<Record<string, string>> | undefined;

/** Seconds until the grants have to be made anew; 0 where one is missing or is about to end. */
export function grantSecondsLeft(data: SecretData, facts: GrantFacts): number {
  const until = untilOf(data);
  const keys = keysOf(facts);
  const left = keys.map((key) =>
    data?.[key] === undefined ? 0 : ((until[key] ?? 0) - facts.now) / 1000 - RENEW_SECONDS,
  );
  return Math.max(0, Math.min(GRANT_SECONDS - RENEW_SECONDS, ...left));
}

/** The Secret with all grants anew. */
export async function grantsSecret(grants: Grants, facts: GrantFacts): Promise<Child> {
  const { deployment, models, now } = facts;
  const namespace = deployment.metadata.namespace ?? "default";
  const contents: Record<string, string> = {};
  for (const model of models) {
    const prefix = packagePrefix(`${namespace}/${model.trainingJob}`, model.digest);
    const files = await Promise.all(
      ["model.json", ...model.files].map(
        async (path) => [path, await grants.grantGet(`${prefix}/${path}`, GRANT_SECONDS)] as const,
      ),
    );
    contents[grantsKey(model.digest)] = JSON.stringify({
      files: Object.fromEntries(files),
      ...(model.environmentKey === undefined
        ? {}
        : { environment: await grants.grantGet(model.environmentKey, GRANT_SECONDS) }),
    });
  }
  if (facts.shipping) contents[SHIP_KEY] = await facts.shipping();
  const until = Object.fromEntries(keysOf(facts).map((key) => [key, now + GRANT_SECONDS * 1000]));
  const data = Object.fromEntries(
    Object.entries({ ...contents, [UNTIL_KEY]: JSON.stringify(until) }).map(([key, text]) => [
      key,
      Buffer.from(text).toString("base64"),
    ]),
  );
  return child(deployment, "Secret", grantsName(deployment.metadata.name), { type: "Opaque", data });
}

function keysOf({ models, shipping }: GrantFacts): string[] {
  return [...models.map(({ digest }) => grantsKey(digest)), ...(shipping ? [SHIP_KEY] : [])];
}

function untilOf(data: SecretData): Readonly<Record<string, number>> {
  try {
    const parsed: unknown = JSON.parse(data?.[UNTIL_KEY] ?? "{}");
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, number>) : {};
  } catch {
    return {};
  }
}
