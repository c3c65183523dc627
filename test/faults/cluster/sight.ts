/** All that a watch saw of a namespace: every version of the resources, and every pod that there was. */
import type { Resource } from "../../../operator/cluster/cluster.ts";
import { type RawPod, Reflector } from "../../../operator/cluster/kubernetes/reflector.ts";
import { LABELS } from "../../../operator/sandbox/pods/pods.ts";
import { apiOf } from "../../cluster/api.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { versionFaults } from "../invariants.ts";

export type SeenPod = {
  readonly name: string;
  readonly uid: string;
  /** When it was seen first. */
  readonly at: number;
  /** The job's name; undefined where it is nobody's. */
  readonly job: string | undefined;
  /** The step that it is of; undefined where it is of none. */
  readonly execution: string | undefined;
  readonly hasCode: boolean;
  isGone: boolean;
};

const KINDS = ["trainingjobs", "datasets", "modeldeployments"] as const;

type Pod = RawPod & { readonly spec?: { readonly containers?: readonly { readonly name: string }[] } };

export class Sight {
  /** What was wrong with a version of a resource. */
  readonly faults: string[] = [];
  /** By uid. */
  readonly pods = new Map<string, SeenPod>();
  /** Called for each pod that is new. */
  onPod: (pod: SeenPod) => void = () => undefined;
  versions = 0;
  readonly #reflectors: { stop(): Promise<void> | void; readonly ready: Promise<void> }[] = [];

  static async of(cluster: Cluster, namespace: string): Promise<Sight> {
    const sight = new Sight();
    const api = apiOf(cluster);
    const timings = { longestBackoffSeconds: 1 };
    for (const kind of KINDS) {
      // After a gap it is not known what was between.
      let hasGap = false;
      const reflector = new Reflector<Resource & { metadata: { name: string } }>({
        api,
        path: `/apis/autoai.dev/v1alpha1/namespaces/${namespace}/${kind}`,
        timings,
        onRestart: () => {
          hasGap = true;
        },
        onChange: (_key, current, previous) => {
          if (!current) return;
          sight.versions++;
          sight.faults.push(...versionFaults(current, previous, hasGap));
        },
      });
      reflector.start();
      sight.#reflectors.push(reflector);
    }
    const pods = new Reflector<Pod>({
      api,
      path: `/api/v1/namespaces/${namespace}/pods`,
      timings,
      onChange: (_key, current, previous) => sight.#sawPod(current, previous),
    });
    pods.start();
    sight.#reflectors.push(pods);
    await Promise.all(sight.#reflectors.map(({ ready }) => ready));
    return sight;
  }

  /** Those that are there, of the name or the labels' value. */
  present(is: (pod: SeenPod) => boolean): SeenPod[] {
    return [...this.pods.values()].filter((pod) => !pod.isGone && is(pod));
  }

  async close(): Promise<void> {
    await Promise.all(this.#reflectors.map((one) => one.stop()));
  }

  #sawPod(current: Pod | undefined, previous: Pod | undefined): void {
    const before = this.pods.get(previous?.metadata.uid ?? "");
    if (before && current?.metadata.uid !== before.uid) before.isGone = true;
    if (!current || this.pods.has(current.metadata.uid ?? "")) return;
    const { name, uid = "", labels = {}, annotations = {} } = current.metadata;
    const pod: SeenPod = {
      name,
      uid,
      at: Date.now(),
      job: annotations[LABELS.owner]?.split("/")[1],
      execution: labels[LABELS.execution],
      hasCode: current.spec?.containers?.some((one) => one.name === "code") ?? false,
      isGone: false,
    };
    this.pods.set(uid, pod);
    this.onPod(pod);
  }
}
