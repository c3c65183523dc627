/** Nodes for the API server in memory: each tool pod runs at once, and its courier is instant-courier.ts. */
import { deliver } from "./instant-courier.ts";
import type { Json, KubernetesApi } from "./kubernetes-api.ts";

export const PODS = "/api/v1/pods";

export type NodesOptions = {
  /** Called when a pod is there, before anything of it runs, and waited for. */
  readonly before?: (pod: Json) => Promise<void> | void;
  readonly onFailure: (error: unknown) => void;
};

/** Runs the pods that come from now on. */
export function runPods(api: KubernetesApi, { before, onFailure }: NodesOptions): void {
  const setStatus = ({ metadata, spec }: Json, phase: string, state: Json) =>
    api.setStatus(PODS, metadata.namespace, metadata.name, {
      phase,
      containerStatuses: spec.containers.map(({ name }: Json) => ({ name, state })),
    });
  const busy = new Set<string>();
  api.holds = (collection, { metadata }) => collection === PODS && busy.has(metadata.uid);
  const live = async (pod: Json): Promise<void> => {
    const { namespace, name, uid } = pod.metadata;
    busy.add(uid);
    try {
      await run(pod);
    } finally {
      busy.delete(uid);
      api.release(PODS, namespace, name);
    }
  };
  const run = async (pod: Json): Promise<void> => {
    await before?.(pod);
    setStatus(pod, "Running", { running: {} });
    await deliver(pod);
    setStatus(pod, "Succeeded", { terminated: { exitCode: 0, reason: "Completed" } });
  };
  api.onChange(({ type, collection, object }) => {
    if (type === "ADDED" && collection === PODS) live(object).catch(onFailure);
  });
}
