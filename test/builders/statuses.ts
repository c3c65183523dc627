/** Statuses as an operator writes them, where what they tell does not matter. */
import type { TrainingJobStatus } from "../../operator/api/trainingjob.ts";
import { conditions, type Situation, summary } from "../../operator/reconcilers/conditions.ts";

const AT = "2026-01-01T00:00:00Z";

const of = (situation: Situation, state: "TRAINING" | "READY", more: object): TrainingJobStatus => ({
  state,
  observedGeneration: 1,
  conditions: conditions(undefined, summary(situation), 1, AT),
  ...more,
});

/** Of a job of the first generation that is at work, with whatever more it has. */
export const training = (more: object = {}): TrainingJobStatus =>
  of({ type: "InProgress", reason: "Prepare", message: "" }, "TRAINING", more);

/** Of a job of the first generation that is done. */
export const ready = (more: object = {}): TrainingJobStatus =>
  of({ type: "Ready", reason: "Ready", message: "" }, "READY", more);
