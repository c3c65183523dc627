/** What is the same for every tool pod of an operator, and what follows from it. */

export type PodSettings = {
  /** Image with the runner: both containers run it. */
  readonly image: string;
  readonly pullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Where the image has autoai_runner and environment.txt. */
  readonly runnerPath: string;
  /** PersistentVolumeClaim in the namespace of each job that holds environments; absent: they travel through the store. */
  readonly environmentsClaim?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Readonly<Record<string, unknown>>[];
  readonly imagePullSecrets?: readonly string[];
  /** Package index of install pods; absent: uv's own default. */
  readonly indexUrl?: string;
};

export const RUNNER_PATH = "/opt/autoai/runner";

/** Seconds that a pod may take beyond its execution's own time: image, volumes, inputs, packing and sending. */
export const OVERHEAD_SECONDS = 300;
/** Seconds that a pod may wait until it is on a node; then it is made anew, since its grants end. */
export const PENDING_SECONDS = 600;

/** Seconds after which the kubelet ends the pod whatever it does. */
export function deadlineSeconds(limitSeconds: number): number {
  return Math.ceil(limitSeconds + OVERHEAD_SECONDS);
}

/** Seconds for which a pod's grants are good: as long as it may exist. */
export function grantSeconds(limitSeconds: number): number {
  return deadlineSeconds(limitSeconds) + PENDING_SECONDS + 60;
}
