/** What the operator hands out over HTTP of an object, once the API server confirmed that the caller may get it. */
import { Journal } from "./agent/journal.ts";
import type { JournalEntry } from "./api/journal.ts";
import { predictionLogPrefix } from "./api/prediction-log.ts";
import { openArtifact } from "./artifacts.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { mayGet, type Subject } from "./cluster/kubernetes/access.ts";
import type { ApiServer } from "./cluster/kubernetes/api-server.ts";
import { journalPrefix } from "./evaluation/context.ts";
import { DamagedPackageError } from "./evaluation/package-entries.ts";
import type { ArtifactAnswer, ArtifactRequest } from "./observability/artifacts.ts";
import type { Refusal } from "./observability/caller.ts";
import type {
  HttpSources,
  JournalAnswer,
  PredictionsAnswer,
  PredictionsRequest,
} from "./observability/http.ts";
import { segmentFrames } from "./serving/segments.ts";
import { type ArtifactStore, StoreError } from "./storage/artifact-store.ts";
import type { ImmutableCache } from "./storage/immutable-cache.ts";
import type { Pages } from "./storage/pages.ts";
import type { Streams } from "./storage/streams.ts";

export type ReadingOptions = {
  readonly api: Pick<ApiServer, "request">;
  readonly cluster: Pick<Cluster, "get">;
  readonly store: ArtifactStore & Pages & Streams;
  /** Journal entries that were read before: whoever follows a job asks for its journal every few seconds. */
  readonly entries: ImmutableCache<JournalEntry>;
};

const KINDS = { trainingjobs: "TrainingJob", datasets: "Dataset" } as const;

export class Reading {
  readonly #options: ReadingOptions;

  constructor(options: ReadingOptions) {
    this.#options = options;
  }

  /** A job's journal, for who may get the job. */
  async journal({
    token,
    namespace,
    name,
    after,
  }: Parameters<HttpSources["journal"]>[0]): Promise<JournalAnswer> {
    const { cluster, store, entries: known } = this.#options;
    const refusal = await this.#refusal(token, { resource: "trainingjobs", namespace, name });
    if (refusal) return refusal;
    const job = await cluster.get("TrainingJob", `${namespace}/${name}`);
    if (!job) return { outcome: "Missing", message: `there is no TrainingJob ${namespace}/${name}` };
    const { entries } = await Journal.load(store, journalPrefix(job), { now: Date.now }, 0, known);
    return { outcome: "Found", job, entries: entries.filter(({ sequence }) => sequence > after) };
  }

  /** A file of a TrainingJob or a Dataset, for who may get the object. */
  async artifact({ token, resource, namespace, name, artifact }: ArtifactRequest): Promise<ArtifactAnswer> {
    const { cluster, store } = this.#options;
    const refusal = await this.#refusal(token, { resource, namespace, name });
    if (refusal) return refusal;
    const kind = KINDS[resource];
    const object = await cluster.get(kind, `${namespace}/${name}`);
    if (!object) return { outcome: "Missing", message: `there is no ${kind} ${namespace}/${name}` };
    try {
      const file = await openArtifact(store, object, artifact);
      if (file) return { outcome: "Found", file };
      const message = `${kind} ${namespace}/${name} has no ${artifact}, or none yet`;
      return { outcome: "Missing", message };
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof DamagedPackageError)) throw error;
      return { outcome: "Unavailable", message: error.message };
    }
  }

  /** A deployment's prediction log, for who may get the deployment. */
  async predictions(request: PredictionsRequest): Promise<PredictionsAnswer> {
    const { cluster, store } = this.#options;
    const { token, namespace, name, since, after } = request;
    const refusal = await this.#refusal(token, { resource: "modeldeployments", namespace, name });
    if (refusal) return refusal;
    if (!(await cluster.get("ModelDeployment", `${namespace}/${name}`))) {
      return { outcome: "Missing", message: `there is no ModelDeployment ${namespace}/${name}` };
    }
    const prefix = predictionLogPrefix(namespace, name);
    const range = { prefix, since, ...(after === undefined ? {} : { after }) };
    return { outcome: "Found", frames: segmentFrames(store, range) };
  }

  /** Why the owner of the token is not shown the object; undefined where he may get it. */
  async #refusal(token: string, subject: Subject): Promise<Refusal | undefined> {
    const decision = await mayGet(this.#options.api, token, subject);
    switch (decision) {
      case "Allowed":
        return undefined;
      case "Unauthenticated":
        return { outcome: decision, message: "the API server does not know the token" };
      case "Denied":
        return {
          outcome: decision,
          message: `you may not get ${subject.resource} in namespace ${subject.namespace}`,
        };
      case "Unavailable":
        return {
          outcome: decision,
          message: "the operator has no right to review tokens: see docs/cluster.md",
        };
    }
  }
}
