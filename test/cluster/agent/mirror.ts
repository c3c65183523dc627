/** A copy of a kind's objects, kept by list and watch. Each watch lasts a minute at most and is followed by a list: nothing is missed for longer. */
import { setTimeout as sleep } from "node:timers/promises";
import { type KubeConfig, Watch } from "@kubernetes/client-node";

export type Stored = {
  readonly metadata: {
    readonly uid: string;
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
  };
};
type List = { readonly metadata: { readonly resourceVersion: string }; readonly items: readonly Stored[] };

/**
 * The objects at an API path by uid, from when the first list was read until the process ends.
 * @param read a path's JSON as the API server writes it. The client's typed lists will not do: they rename fields (`from` to
 *   `_from`), which a watch does not.
 * @param changed called after every change
 * @param isOurs whether an object is kept; all of them where absent
 */
export async function mirror<T extends Stored>(
  kubeconfig: KubeConfig,
  read: (path: string) => Promise<string>,
  path: string,
  changed: () => void,
  isOurs: (object: T) => boolean = () => true,
): Promise<ReadonlyMap<string, T>> {
  const objects = new Map<string, T>();
  const relist = async () => {
    const found = JSON.parse(await read(path)) as List;
    objects.clear();
    for (const item of found.items as T[]) if (isOurs(item)) objects.set(item.metadata.uid, item);
    changed();
    return found.metadata.resourceVersion;
  };
  const follow = (resourceVersion: string) =>
    new Promise<void>((resolve, reject) => {
      const take = (type: string, object: T) => {
        if (type !== "BOOKMARK" && !isOurs(object)) return;
        if (type === "DELETED") objects.delete(object.metadata.uid);
        else if (type === "ADDED" || type === "MODIFIED") objects.set(object.metadata.uid, object);
        changed();
      };
      new Watch(kubeconfig)
        .watch(path, { resourceVersion, timeoutSeconds: 60 }, take, () => resolve())
        .catch(reject);
    });
  let version = await relist();
  const forever = async () => {
    while (true) {
      try {
        await follow(version);
        version = await relist();
      } catch (error) {
        console.error(`watching ${path}: ${error}; again in a second`);
        await sleep(1_000);
      }
    }
  };
  void forever();
  return objects;
}
