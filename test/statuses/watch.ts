/**
 * Looks at every version of every Dataset, TrainingJob and ModelDeployment that an API server has from now on, in all namespaces:
 * what kstatus and people could not read is kept as a fault. A server that restarts is watched again from the version seen last.
 */
import { isDeepStrictEqual } from "node:util";
import { API_VERSION } from "../../operator/api/meta.ts";
import type { KindName, Resource } from "../../operator/cluster/cluster.ts";
import type { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import { PLURALS } from "../../operator/cluster/kubernetes/cluster.ts";
import { type Raw, Reflector } from "../../operator/cluster/kubernetes/reflector.ts";
import { kstatusFaults } from "../kstatus.ts";

export type StatusWatch = {
  /** Objects, versions and what is wrong with them. */
  readonly faults: readonly string[];
  /** Statuses that were looked at. */
  readonly seen: number;
  stop(): Promise<void>;
};

/** Kinds that the server does not know yet are asked for again and again, and so is a server that does not answer. */
export function watchStatuses(api: Pick<ApiServer, "request" | "watch">): StatusWatch {
  const faults: string[] = [];
  let seen = 0;
  const reflectors = (Object.keys(PLURALS) as KindName[]).map((kind) =>
    watchKind(api, kind, (found) => {
      seen++;
      faults.push(...found);
    }),
  );
  return {
    faults,
    get seen() {
      return seen;
    },
    async stop() {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
  };
}

/**
 * A spec that changed while a status was on its way has one of the spec before it, and so has a version before which a broken watch missed
 * some: kstatus takes both for in progress. Whatever else it says has to be right.
 */
function ofItsGeneration(version: Resource): Resource {
  const { observedGeneration = 0 } = (version.status ?? {}) as { observedGeneration?: number };
  const { generation = 0 } = version.metadata;
  if (observedGeneration === 0 || observedGeneration >= generation) return version;
  return { ...version, metadata: { ...version.metadata, generation: observedGeneration } };
}

function watchKind(
  api: Pick<ApiServer, "request" | "watch">,
  kind: KindName,
  onStatus: (faults: readonly string[]) => void,
): Reflector<Raw> {
  /** By uid. */
  const before = new Map<string, Resource>();
  const reflector = new Reflector<Raw>({
    api,
    path: `/apis/${API_VERSION}/${PLURALS[kind]}`,
    onChange: (key, current, previous) => {
      if (current === undefined) {
        before.delete(previous?.metadata.uid ?? "");
        return;
      }
      // Items of a list carry neither kind nor apiVersion.
      const version = { ...current, apiVersion: API_VERSION, kind } as unknown as Resource;
      const { uid = "", resourceVersion } = current.metadata;
      const earlier = before.get(uid);
      before.set(uid, version);
      // A new spec is seen with the old status, until the next reconcile.
      if (isDeepStrictEqual(version.status, earlier?.status)) return;
      const name = `${kind} ${key}, version ${resourceVersion}`;
      onStatus(kstatusFaults(ofItsGeneration(version), earlier).map((fault) => `${name}: ${fault}`));
    },
    // What comes next is a list: of the versions between that and the last one nobody knows.
    onRestart: (reason) => {
      if (reason === "Expired") before.clear();
    },
    timings: {
      relistSeconds: Number.POSITIVE_INFINITY,
      firstBackoffSeconds: 0.2,
      longestBackoffSeconds: 0.2,
    },
  });
  reflector.start();
  return reflector;
}
