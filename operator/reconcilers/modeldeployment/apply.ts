/** Applies what a ModelDeployment is made of: its Secret first, so that no pod waits for it. */

import { ResourceName } from "../../api/meta.ts";
import { type ModelManifest, Sha256 } from "../../api/model-manifest.ts";
import type { ModelDeployment, ModelDeploymentStatus } from "../../api/modeldeployment.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { StalledError } from "../../engine/errors.ts";
import { servedArchiveKey } from "../../sandbox/environment-keys.ts";
import {
  belongsTo,
  type ChildKind,
  type Children,
  type LiveDeployment,
  removeOwn,
} from "../../serving/children.ts";
import { type Fetchable, grantSecondsLeft, grantsSecret } from "../../serving/grants.ts";
import { handover, type ManifestSettings, manifestsOf } from "../../serving/manifests.ts";
import { ANNOTATIONS, grantsName } from "../../serving/names.ts";
import { logs } from "../../serving/pod.ts";
import type { ArtifactStore } from "../../storage/artifact-store.ts";
import type { Grants } from "../../storage/grants.ts";
import type { Pages } from "../../storage/pages.ts";
import { type Resolved, readManifest } from "./resolve.ts";

export type Serving = {
  readonly cluster: Pick<Cluster, "secret">;
  readonly children: Children;
  readonly store: ArtifactStore & Grants & Pages;
  readonly settings: ManifestSettings;
  /** Claim for environments in the namespace, where there is one; environments are fetched from the store elsewhere. */
  readonly environmentsClaim: (namespace: string) => Promise<string | undefined>;
  /** Content of the file by which a front ships its prediction log. */
  readonly shipping: (namespace: string, name: string, now: number) => Promise<string>;
  /** What computes predictions at this address of a pod; undefined where it does not say. */
  readonly engineOf: (ip: string) => Promise<ModelDeploymentStatus["runtime"]>;
};

export type Applied = {
  readonly live: LiveDeployment;
  /** Until grants have to be made anew. */
  readonly secondsLeft: number;
};

/** Throws StalledError where somebody has to mend something, RefusedChildError where the API server would not have it. */
export async function applyModel(
  serving: Serving,
  deployment: ModelDeployment,
  { model, manifest }: Resolved,
  now: number,
): Promise<Applied> {
  const { children, settings, store } = serving;
  const { name, namespace = "default" } = deployment.metadata;
  const environmentsClaim = await serving.environmentsClaim(namespace);
  if (environmentsClaim === undefined && (await environmentKeyOf(store, namespace, model)) === undefined) {
    throw new StalledError(
      "EnvironmentMissing",
      `the store has no environment ${model.environment.slice(0, 12)}, which the model of TrainingJob ${model.trainingJob} needs: train it again, by recipeFrom`,
    );
  }
  const manifests = manifestsOf({ deployment, model, environmentsClaim }, settings);
  await refuseForeign(children, deployment, manifests);
  const wanted = { ...model, files: Object.keys(manifest.files) };
  const secondsLeft = await withGrants(serving, deployment, [wanted], now);
  const before = children.deployment(namespace, name);
  const given = handover(deployment, before);
  if (given) await children.apply(given, "autoai-handover");
  let live: LiveDeployment | undefined;
  for (const child of manifests) {
    const written = await children.apply(child);
    if (child.kind === "Deployment") live = written;
  }
  // Only where it was: most never had one.
  if (
    deployment.spec.autoscaling === undefined &&
    before?.metadata.annotations?.[ANNOTATIONS.scaledBy] === "HorizontalPodAutoscaler"
  )
    await removeOwn(children, deployment, "HorizontalPodAutoscaler");
  if (!live) throw new Error("a ModelDeployment without a Deployment was applied");
  return { live, secondsLeft };
}

/** Sees to it that the Secret has good grants for these models and for those of pods that are there. */
export async function withGrants(
  serving: Serving,
  deployment: ModelDeployment,
  wanted: readonly (Pick<Fetchable, "trainingJob" | "digest" | "files"> & InEnvironment)[],
  now: number,
): Promise<number> {
  const { cluster, children, store } = serving;
  const { name, namespace = "default" } = deployment.metadata;
  // Neither read nor written over where it is another's.
  await refuseForeign(children, deployment, [{ kind: "Secret", metadata: { name: grantsName(name) } }]);
  const claim = await serving.environmentsClaim(namespace);
  const models = new Map(wanted.map((one) => [one.digest, one]));
  for (const { digest, trainingJob } of children.pods(namespace, name)) {
    if (models.has(digest)) continue;
    const manifest = await manifestOf(store, namespace, trainingJob, digest);
    if (!manifest) continue;
    const { environment, environmentArchive } = manifest.provenance;
    const files = Object.keys(manifest.files);
    models.set(digest, { trainingJob, digest, files, environment, environmentArchive });
  }
  const facts = {
    deployment,
    now,
    models: [...models.values()],
    ...(logs(deployment.spec) ? { shipping: () => serving.shipping(namespace, name, now) } : {}),
  };
  const left = grantSecondsLeft(await cluster.secret(namespace, grantsName(name)), facts);
  if (left > 0) return left;
  const found = facts.models.map(async ({ environment, environmentArchive, ...model }) => ({
    ...model,
    environmentKey:
      claim === undefined
        ? await environmentKeyOf(store, namespace, { environment, environmentArchive })
        : undefined,
  }));
  const secret = await grantsSecret(store, { ...facts, models: await Promise.all(found) });
  await children.apply(secret);
  return grantSecondsLeft(decoded(secret.data), facts);
}

type InEnvironment = {
  readonly environment: string;
  readonly environmentArchive?: string | undefined;
};

const environmentKeyOf = (
  store: ArtifactStore,
  namespace: string,
  { environment, environmentArchive }: InEnvironment,
) => servedArchiveKey(store, namespace, environment, environmentArchive);

const decoded = (data: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries((data ?? {}) as Record<string, string>).map(([key, value]) => [
      key,
      Buffer.from(value, "base64").toString(),
    ]),
  );

/** Of a pod's model, whose annotations anybody who may make pods here can write: only what they can be in this namespace. */
async function manifestOf(
  store: ArtifactStore,
  namespace: string,
  trainingJob: string,
  digest: string,
): Promise<ModelManifest | undefined> {
  if (!Sha256.safeParse(digest).success || !ResourceName.safeParse(trainingJob).success) return undefined;
  try {
    return await readManifest(store, namespace, trainingJob, digest);
  } catch (error) {
    if (error instanceof StalledError) return undefined;
    throw error;
  }
}

/** What is there under the name of a child and is somebody else's is not taken over. Throws StalledError. */
async function refuseForeign(
  children: Children,
  deployment: ModelDeployment,
  wanted: readonly { readonly kind: ChildKind; readonly metadata: { readonly name: string } }[],
): Promise<void> {
  const { namespace = "default" } = deployment.metadata;
  const look = async ({ kind, metadata: { name } }: (typeof wanted)[number]): Promise<void> => {
    const present = await children.get(kind, namespace, name);
    if (!present || belongsTo(present, deployment)) return;
    throw new StalledError(
      "NameTaken",
      `there is a ${kind} ${name} in this namespace that is not this ModelDeployment's: remove it, or choose another name`,
    );
  };
  await Promise.all(wanted.map(look));
}
