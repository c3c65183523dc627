/** What the console asks of the world, with the rights of who is signed in and no others. */
import type { ModelManifest } from "../../operator/api/model-manifest.ts";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import type { KindName, Resource, ResourceByKind } from "../../operator/cluster/cluster.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import type { Streams } from "../../operator/storage/streams.ts";
import type { ChangeLog } from "./changes.ts";
import type { RowOf } from "./rows.ts";

export type Place = { readonly namespace: string; readonly name: string };

export type About = {
  readonly mode: "Embedded" | "Cluster";
  readonly version: string;
  /** Who writes programs here. */
  readonly providers: readonly ("Offline" | "Gemini")[];
  /** Of what is made here where nothing else is said; in a cluster the user chooses. */
  readonly namespace: string;
};

export type Deployment = { readonly namespace: string; readonly name: string; readonly job: string };

/** Every method throws ConsoleError: Denied where the user may not, Missing where there is none, Unavailable. */
export interface Gateway {
  readonly about: About;
  /** Throws Unauthenticated where what was signed in with is taken no more; absent where it cannot be taken back. */
  confirm?(): Promise<unknown>;
  /** What the user may list now, newest first; of every namespace where none is given. */
  rows<K extends KindName>(kind: K, namespace: string | undefined): Promise<readonly RowOf[K][]>;
  get<K extends KindName>(kind: K, place: Place): Promise<ResourceByKind[K]>;
  /** What changes from now on in that namespace, or everywhere. */
  changes(namespace: string | undefined): ChangeLog;
  create(resource: Resource): Promise<Resource>;
  setSuspended(place: Place, suspend: boolean): Promise<void>;
  remove(kind: KindName, place: Place): Promise<void>;
  /** Serves the model of another job, by a deployment that is there or a new one; absent on one machine. */
  deploy?(deployment: Deployment): Promise<Resource>;
  /** Artifacts. Whoever reads below an object's prefix has got the object through `get` before. */
  readonly store: Pick<ArtifactStore, "get" | "list" | "exists"> & Streams;
  readonly uploads: Uploads;
  /** Absent where models are not asked through the console. */
  readonly models?: Models;
}

/** A CSV on its way to a Dataset with `source.upload`, in pieces, the next one at the byte where the last one ended. */
export interface Uploads {
  /** What is there of it. The digest is of just these bytes, so that a sender can tell whether it is the same file. */
  state(place: Place): Promise<{ readonly received: number; readonly sha256: string }>;
  /** Conflict, with `received`, where the offset is another. */
  append(place: Place, offset: number, piece: Uint8Array): Promise<{ readonly received: number }>;
  /** Hands the file over. Conflict where it has not that size. */
  finish(place: Place, sizeBytes: number): Promise<void>;
}

export type Answer = {
  readonly predictions: readonly (string | number)[];
  readonly probabilities?: readonly Readonly<Record<string, number>>[];
  readonly warnings: readonly unknown[];
};

/** What servers of a deployment counted since each of them began. */
export type Traffic = {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Servers that run, and those of them that were asked. */
  readonly servers: number;
  readonly asked: number;
  readonly requests: number;
  /** Of these, those that failed by no fault of who asked. */
  readonly failures: number;
  /** How many requests took at most so many seconds, ascending; each has those before it in it. */
  readonly buckets: readonly { readonly upTo: number; readonly count: number }[];
};

export interface Models {
  manifest(job: TrainingJob): Promise<ModelManifest>;
  /** Rows that the model was tried on when it was published, as a request would have them. */
  examples(job: TrainingJob): Promise<Readonly<Record<string, unknown>>[]>;
  /** Invalid, with `problems`, where rows do not fit the model's schema. */
  predict(job: TrainingJob, rows: readonly Readonly<Record<string, unknown>>[]): Promise<Answer>;
  /** A CSV with predictions for a CSV of rows. */
  predictCsv(job: TrainingJob, csv: Uint8Array): Promise<Uint8Array>;
  /** Lines of the prediction log since a moment (ms), oldest first. */
  log(job: TrainingJob, since: number): AsyncIterable<string>;
  /** Absent where deployments are no servers of their own. */
  traffic?(deployment: Place): Promise<Traffic>;
}
