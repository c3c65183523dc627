/** A console's gateway over a cluster and a store in memory, and what a page of its own sends along. */
import { ChangeLog } from "../../console/server/changes.ts";
import { ConsoleError } from "../../console/server/errors.ts";
import type { Gateway } from "../../console/server/gateway.ts";
import { MemoryCluster } from "../../operator/cluster/memory.ts";
import { MemoryStore } from "../../operator/storage/memory-store.ts";

export const ORIGIN = "http://127.0.0.1:8790";
export const PAGE = {
  host: "127.0.0.1:8790",
  origin: ORIGIN,
  "x-autoai-console": "1",
  "sec-fetch-site": "same-origin",
};

export function memoryGateway(): Gateway {
  const cluster = new MemoryCluster();
  return {
    about: { mode: "Embedded", version: "1.0.0", providers: ["Offline"], namespace: "default" },
    rows: async () => [],
    async get(kind, { namespace, name }) {
      const found = await cluster.get(kind, `${namespace}/${name}`);
      if (!found) throw new ConsoleError("Missing", `there is no ${kind} ${namespace}/${name}`);
      return found;
    },
    changes: () => new ChangeLog(),
    create: async (resource) => cluster.apply(resource),
    setSuspended: async () => undefined,
    remove: async () => undefined,
    store: new MemoryStore(),
    uploads: {
      state: async () => ({ received: 0, sha256: "" }),
      append: async (_place, _offset, piece) => ({ received: piece.length }),
      finish: async () => undefined,
    },
  };
}
