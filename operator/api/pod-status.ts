/** What is read of a pod's status as the kubelet and the scheduler write it: their words, nothing of ours. */
import { z } from "zod";

/** Milliseconds in which one failure to pull an image, or to make a container, may be a passing one. */
const PULLING_MS = 20_000;

/** Reasons of waiting containers that no waiting mends, by the milliseconds for which they may be passing. */
export const WAITING: Readonly<Record<string, number>> = {
  ErrImagePull: PULLING_MS,
  ImagePullBackOff: 0,
  InvalidImageName: 0,
  ErrImageNeverPull: 0,
  RegistryUnavailable: PULLING_MS,
  ImageInspectError: PULLING_MS,
  CreateContainerConfigError: PULLING_MS,
  CreateContainerError: PULLING_MS,
  RunContainerError: PULLING_MS,
};

const State = z
  .object({
    waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
    running: z.unknown().optional(),
    terminated: z
      .object({
        exitCode: z.number(),
        reason: z.string().optional(),
        message: z.string().optional(),
      })
      .optional(),
  })
  .optional();
const ContainerStatus = z.object({ name: z.string(), state: State, lastState: State });
export type ContainerStatus = z.infer<typeof ContainerStatus>;

const PodStatus = z.object({
  phase: z.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  conditions: z
    .array(
      z.object({
        type: z.string(),
        status: z.string(),
        reason: z.string().optional(),
        message: z.string().optional(),
        lastTransitionTime: z.coerce.date().nullish(),
      }),
    )
    .nullish(),
  initContainerStatuses: z.array(ContainerStatus).nullish(),
  containerStatuses: z.array(ContainerStatus).nullish(),
});
export type PodStatus = z.infer<typeof PodStatus>;

/** Nothing where it is no status: the next one that the watch brings will be. */
export function podStatus(status: unknown): PodStatus {
  return PodStatus.safeParse(status ?? {}).data ?? {};
}
