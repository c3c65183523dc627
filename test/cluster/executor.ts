/** The pod executor on a cluster, as the operator wires it, with the store of minio-pod.ts: for tests and benches. */
import type { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import { KubernetesPods } from "../../operator/cluster/kubernetes/pods.ts";
import { toolPolicies } from "../../operator/cluster/kubernetes/tool-policies.ts";
import type { Execution, Outcome } from "../../operator/sandbox/executor.ts";
import { PodExecutor, type PodExecutorOptions } from "../../operator/sandbox/pods/pod-executor.ts";
import type { PodView } from "../../operator/sandbox/pods/pods.ts";
import { RUNNER_PATH } from "../../operator/sandbox/pods/settings.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import { image } from "./choice.ts";
import { STORE_LABELS, STORE_PORT, type StoreKeys } from "./minio-pod.ts";

export type ExecutorOptions = {
  readonly api: ApiServer;
  readonly namespace: string;
  /** Of the pod `store`, once it is ready: as pods reach it. */
  readonly storeAddress: string;
  /** Where this process reaches it, if not there. */
  readonly storeHere?: string | undefined;
  readonly keys: StoreKeys;
  /** Whether the executor is told of a pod; all of them where absent. */
  readonly isOurs?: (view: PodView) => boolean;
  /** Told of each pod that changes. */
  readonly onChange?: (view: PodView) => void;
} & Pick<PodExecutorOptions, "environmentsClaim">;

export type Bench = {
  readonly store: S3Store;
  readonly endpoint: string;
  readonly pods: KubernetesPods;
  readonly executor: PodExecutor;
  /** One more, which differs by these options. */
  executorWith(more: Partial<PodExecutorOptions>): PodExecutor;
  /** The outcome of an execution, however long that takes. */
  finish(execution: Execution, by?: PodExecutor): Promise<Outcome>;
  /** Resolves when the owner of an execution is woken next. */
  woken(owner: string): Promise<void>;
  close(): Promise<void>;
};

export async function executorOn(options: ExecutorOptions): Promise<Bench> {
  const { api, namespace, storeAddress, storeHere, keys, isOurs = () => true, onChange } = options;
  const endpoint = `http://${storeAddress}:${STORE_PORT}`;
  // A store that has only just begun may be a while before it answers.
  const retryAfterMs = Array<number>(50).fill(200);
  const storeAt = (at: string) =>
    new S3Store({ endpoint: at, bucket: "autoai", region: "us-east-1", ...keys, retryAfterMs });
  const store =
    storeHere === undefined ? storeAt(endpoint) : grantedBy(storeAt(endpoint), storeAt(storeHere));
  await store.ensureBucket();
  const waiting = new Map<string, () => void>();
  const pods = new KubernetesPods({
    api,
    namespaces: [namespace],
    policies: (where) =>
      toolPolicies(where, {
        store: { namespace, podLabels: STORE_LABELS },
        storePort: STORE_PORT,
        index: [{ cidr: "0.0.0.0/0", ports: [443] }],
      }),
    onChange: (view, gone) => {
      onChange?.(view);
      if (isOurs(view)) executor.podChanged(gone ? { ...view, deleting: true } : view);
    },
  });
  const executorWith = (more: Partial<PodExecutorOptions>): PodExecutor =>
    new PodExecutor({
      pods,
      store,
      storeEndpoint: endpoint,
      settings: { image: image("runner"), pullPolicy: "IfNotPresent", runnerPath: RUNNER_PATH },
      environmentsClaim: options.environmentsClaim,
      ownerReference: () => undefined,
      onFinished: (owner) => waiting.get(owner)?.(),
      log: () => undefined,
      ...more,
    });
  const executor = executorWith({});
  const woken = (owner: string) => new Promise<void>((resolve) => waiting.set(owner, resolve));
  const finish = async (execution: Execution, by = executor): Promise<Outcome> => {
    for (;;) {
      const next = woken(execution.owner);
      const outcome = await by.ensure(execution);
      if (outcome !== undefined) return outcome;
      await next;
    }
  };
  const close = async () => {
    await executor.close();
    await pods.stop();
  };
  await pods.start();
  return { store, endpoint, pods, executor, executorWith, finish, woken, close };
}

/** The store as this process reaches it, whose grants name the address at which pods do. */
function grantedBy(there: S3Store, here: S3Store): S3Store {
  return new Proxy(here, {
    get(_, name: keyof S3Store) {
      const by = name.startsWith("grant") ? there : here;
      const found = by[name] as unknown;
      return typeof found === "function" ? found.bind(by) : found;
    },
  });
}
