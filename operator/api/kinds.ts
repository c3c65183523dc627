/** The kinds of the API, and how `kubectl` names and shows them. */
import type { z } from "zod";
import { Dataset } from "./dataset.ts";
import { ModelDeployment } from "./modeldeployment.ts";
import { TrainingJob } from "./trainingjob.ts";

export type Column = {
  readonly name: string;
  readonly type: "string" | "integer" | "date" | "boolean";
  readonly jsonPath: string;
  readonly description: string;
  /** 1: shown by `-o wide` alone. */
  readonly priority?: 1;
};

export type Kind = {
  readonly kind: "Dataset" | "TrainingJob" | "ModelDeployment";
  readonly schema: z.ZodType;
  readonly singular: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  /** One paragraph for `kubectl explain` and the reference. */
  readonly description: string;
  readonly columns: readonly Column[];
  readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string };
};

const READY = `.status.conditions[?(@.type=="Ready")]`;
const AGE: Column = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "When it was created.",
};
const REASON: Column = {
  name: "Reason",
  type: "string",
  jsonPath: `${READY}.reason`,
  description: "Why it is ready, or not.",
  priority: 1,
};

/**
 * Short names: `ds` is DaemonSet's and `md` Cluster API's MachineDeployment; `dset`, `tj` and `mdep` are free.
 */
export const KINDS: readonly Kind[] = [
  {
    kind: "Dataset",
    schema: Dataset,
    singular: "dataset",
    plural: "datasets",
    shortNames: ["dset"],
    description:
      "A CSV of at most 100 MB, taken in once: validated, hashed and profiled, to be named by any number of TrainingJobs.",
    columns: [
      {
        name: "Ready",
        type: "string",
        jsonPath: `${READY}.status`,
        description: "Whether it can be trained on.",
      },
      {
        name: "Rows",
        type: "integer",
        jsonPath: ".status.rows",
        description: "Rows, the header not counted.",
      },
      { name: "Columns", type: "integer", jsonPath: ".status.columns", description: "Columns." },
      {
        name: "Bytes",
        type: "integer",
        jsonPath: ".status.sizeBytes",
        description: "Size as it came.",
        priority: 1,
      },
      { name: "SHA256", type: "string", jsonPath: ".status.sha256", description: "Digest.", priority: 1 },
      REASON,
      AGE,
    ],
  },
  {
    kind: "TrainingJob",
    schema: TrainingJob,
    singular: "trainingjob",
    plural: "trainingjobs",
    shortNames: ["tj"],
    description:
      "The wish for a model that predicts one column of a data set, and the record of how it was trained, verified and published.",
    columns: [
      { name: "State", type: "string", jsonPath: ".status.state", description: "TRAINING, READY or ERROR." },
      {
        name: "Score",
        type: "string",
        jsonPath: ".status.model.finalScore",
        description: "Score of the published model on the final rows.",
      },
      {
        name: "Baseline",
        type: "string",
        jsonPath: ".status.baselineScore",
        description: "Score of the better baseline on the same rows.",
      },
      { name: "Step", type: "integer", jsonPath: ".status.progress.step", description: "The agent's step." },
      {
        name: "Verified",
        type: "string",
        jsonPath: ".status.bestCandidate.verifiedScore",
        description: "Verified score of the best candidate so far, on the selection rows.",
        priority: 1,
      },
      {
        name: "Activity",
        type: "string",
        jsonPath: ".status.progress.activity",
        description: "What is being done.",
        priority: 1,
      },
      REASON,
      AGE,
    ],
  },
  {
    kind: "ModelDeployment",
    schema: ModelDeployment,
    singular: "modeldeployment",
    plural: "modeldeployments",
    shortNames: ["mdep"],
    description: "The model of a READY TrainingJob, served at a cluster-internal URL.",
    columns: [
      { name: "Ready", type: "string", jsonPath: `${READY}.status`, description: "Whether it answers." },
      {
        name: "Model",
        type: "string",
        jsonPath: ".spec.modelRef.trainingJob",
        description: "Whose model it serves.",
      },
      {
        name: "Replicas",
        type: "integer",
        jsonPath: ".status.replicas",
        description: "Servers that are ready.",
      },
      { name: "Url", type: "string", jsonPath: ".status.url", description: "Where it answers." },
      {
        name: "Runtime",
        type: "string",
        jsonPath: ".status.runtime",
        description: "What predicts.",
        priority: 1,
      },
      {
        name: "Digest",
        type: "string",
        jsonPath: ".status.modelDigest",
        description: "SHA-256 of the model.json that is served.",
        priority: 1,
      },
      REASON,
      AGE,
    ],
    scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
  },
];
