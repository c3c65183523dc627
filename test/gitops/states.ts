/** Resources in every state that the operator leaves one in, with the conditions that it writes. */
import { conditions, type Situation, summary } from "../../operator/reconcilers/conditions.ts";

export type State = {
  readonly name: string;
  /** What GitOps tools should make of it. */
  readonly argo: "Healthy" | "Progressing" | "Degraded" | "Suspended";
  readonly flux: "Current" | "InProgress" | "Failed" | "Unknown";
  /** Part of the message that a person gets to see. */
  readonly says?: string;
  readonly resource: Readonly<Record<string, unknown>>;
};

const KINDS = ["Dataset", "TrainingJob", "ModelDeployment"] as const;

type Options = {
  readonly generation?: number;
  readonly observed?: number;
  readonly suspend?: boolean;
  readonly deleting?: boolean;
};

function resource(kind: string, situation: Situation | undefined, options: Options = {}) {
  const { generation = 2, observed = generation, suspend, deleting } = options;
  return {
    apiVersion: "autoai.dev/v1alpha1",
    kind,
    metadata: {
      name: "churn",
      generation,
      ...(deleting
        ? { deletionTimestamp: "2026-11-25T12:00:00Z", finalizers: ["autoai.dev/artifacts"] }
        : {}),
    },
    spec: suspend === undefined ? {} : { suspend },
    ...(situation === undefined
      ? {}
      : {
          status: {
            observedGeneration: observed,
            conditions: conditions([], summary(situation), observed, "2026-11-25T12:00:00Z"),
          },
        }),
  };
}

const working: Situation = { type: "InProgress", reason: "Training", message: "step 3 of 30" };
const ready: Situation = { type: "Ready", reason: "ModelPublished", message: "verified score 0.84" };
const stalled: Situation = {
  type: "Stalled",
  reason: "SecretNotFound",
  message: "Secret gemini is not there",
};

export const STATES: readonly State[] = KINDS.flatMap((kind): State[] => [
  { name: `${kind} just made`, argo: "Progressing", flux: "Unknown", resource: resource(kind, undefined) },
  {
    name: `${kind} at work`,
    argo: "Progressing",
    flux: "InProgress",
    says: "step 3 of 30",
    resource: resource(kind, working),
  },
  {
    name: `${kind} ready`,
    argo: "Healthy",
    flux: "Current",
    says: "verified score 0.84",
    resource: resource(kind, ready),
  },
  {
    name: `${kind} stalled`,
    argo: "Degraded",
    flux: "Failed",
    says: "Secret gemini is not there",
    resource: resource(kind, stalled),
  },
  {
    name: `${kind} ready by an older spec`,
    argo: "Progressing",
    flux: "InProgress",
    resource: resource(kind, ready, { generation: 3, observed: 2 }),
  },
  {
    name: `${kind} stalled by an older spec`,
    argo: "Progressing",
    flux: "InProgress",
    resource: resource(kind, stalled, { generation: 3, observed: 2 }),
  },
  {
    name: `${kind} at work and not suspended`,
    argo: "Progressing",
    flux: "InProgress",
    resource: resource(kind, working, { suspend: false }),
  },
]).concat([
  {
    name: "TrainingJob suspended at work",
    argo: "Suspended",
    flux: "Current",
    resource: resource("TrainingJob", working, { suspend: true }),
  },
  {
    name: "TrainingJob suspended after it was ready",
    argo: "Healthy",
    flux: "Current",
    resource: resource("TrainingJob", ready, { suspend: true }),
  },
  {
    name: "TrainingJob suspended after it had stalled",
    argo: "Degraded",
    flux: "Failed",
    resource: resource("TrainingJob", stalled, { suspend: true }),
  },
]);

/** Argo CD alone asks a script about what is being deleted. */
export const DELETING: readonly State[] = KINDS.map((kind) => ({
  name: `${kind} being deleted`,
  argo: "Progressing",
  flux: "Current",
  says: "being deleted",
  resource: resource(kind, ready, { deleting: true }),
}));
