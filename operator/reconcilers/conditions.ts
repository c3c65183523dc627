/** Conditions by Kubernetes conventions and kstatus: in progress, stalled or ready, never two of them. */
import type { Condition } from "../api/meta.ts";

/** What a reconcile came to, as far as conditions go. */
export type Situation =
  | { readonly type: "InProgress"; readonly reason: string; readonly message: string }
  | { readonly type: "Stalled"; readonly reason: string; readonly message: string }
  | { readonly type: "Ready"; readonly reason: string; readonly message: string };

export type Facts = readonly (readonly [
  type: string,
  status: Condition["status"],
  reason: string,
  message: string,
])[];

/** Ready, Reconciling and Stalled for a situation. */
export function summary({ type, reason, message }: Situation): Facts {
  const by = {
    InProgress: ["Unknown", "True", "False"],
    Stalled: ["False", "False", "True"],
    Ready: ["True", "False", "False"],
  } as const;
  const [ready, reconciling, stalled] = by[type];
  return [
    ["Ready", ready, reason, message],
    ["Reconciling", reconciling, reason, reconciling === "True" ? message : ""],
    ["Stalled", stalled, reason, stalled === "True" ? message : ""],
  ];
}

/** The conditions for these facts; the time of a transition is kept where the status did not change. */
export function conditions(
  present: readonly Condition[] | undefined,
  facts: Facts,
  generation: number | undefined,
  now: string,
): Condition[] {
  return facts.map(([type, status, reason, message]) => {
    const before = present?.find((condition) => condition.type === type);
    return {
      type,
      status,
      reason: reason.slice(0, 1024),
      message: message.slice(0, 32_768),
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
}
