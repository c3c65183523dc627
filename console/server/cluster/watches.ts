/** Watches with users' own tokens, kept as long as somebody looks at what they tell. */
import { setTimeout as sleep } from "node:timers/promises";
import { KINDS } from "../../../operator/api/kinds.ts";
import { API_VERSION } from "../../../operator/api/meta.ts";
import type { KindName, Resource } from "../../../operator/cluster/cluster.ts";
import { type Raw, Reflector } from "../../../operator/cluster/kubernetes/reflector.ts";
import { ChangeLog } from "../changes.ts";
import { ConsoleError } from "../errors.ts";
import { RowIndex } from "../row-index.ts";
import { type Row, type RowOf, rowOf } from "../rows.ts";
import { nameOf, type UserApi } from "./user-api.ts";

/** Path of the resources of a kind in a namespace. */
export function collection(kind: KindName, namespace: string): string {
  const plural = KINDS.find((one) => one.kind === kind)?.plural ?? "";
  return `/apis/${API_VERSION}/namespaces/${namespace}/${plural}`;
}

export type Watched = {
  readonly log: ChangeLog;
  /** Newest first; undefined where the first list is not in after a moment. */
  rows<K extends KindName>(kind: K): Promise<readonly RowOf[K][] | undefined>;
};

type Kept = Watched & { readonly stop: () => Promise<void>; idleSince: number | undefined };

const IDLE_MS = 60_000;
const SWEEP_MS = 15_000;
/** For the first list, which others ask for at the same moment. */
const FIRST_MS = 2000;
/** Each is three connections to the API server. */
const MOST = 200;

export class Watches {
  readonly #watched = new Map<string, Kept>();
  readonly #now: () => number;
  readonly #sweep: NodeJS.Timeout;

  constructor(now: () => number) {
    this.#now = now;
    this.#sweep = setInterval(() => void this.sweep(), SWEEP_MS).unref();
  }

  of(api: UserApi, token: string, namespace: string): Watched {
    const id = `${nameOf(token)}/${namespace}`;
    const present = this.#watched.get(id);
    if (present) {
      present.idleSince = undefined;
      return present;
    }
    if (this.#watched.size >= MOST) {
      throw new ConsoleError("TooMany", "too many people watch at once: try again in a minute");
    }
    const made = watched(api, namespace);
    this.#watched.set(id, made);
    return made;
  }

  /** Ends what nobody has looked at for a while. */
  async sweep(): Promise<void> {
    for (const [id, kept] of this.#watched) {
      if (kept.log.readers > 0) kept.idleSince = undefined;
      else kept.idleSince ??= this.#now();
      if (kept.idleSince === undefined || this.#now() - kept.idleSince < IDLE_MS) continue;
      this.#watched.delete(id);
      await kept.stop();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#watched.values()].map(({ stop }) => stop()));
    this.#watched.clear();
  }
}

/** Of an object the row alone is kept, and what a watch needs. */
type WithRow = Raw & { readonly row?: Row };

function watched(api: UserApi, namespace: string): Kept {
  const log = new ChangeLog();
  const index = new RowIndex();
  const reflectors = new Map(
    KINDS.map(({ kind }) => {
      const reflector: Reflector<WithRow> = new Reflector<WithRow>({
        api,
        path: collection(kind, namespace),
        trim({ metadata, ...rest }) {
          const { name, uid, resourceVersion } = metadata;
          const row = rowOf({ ...rest, metadata, kind } as unknown as Resource);
          return { metadata: { name, namespace, uid, resourceVersion }, row };
        },
        onChange(key, current) {
          if (current?.row) index.set(current.row);
          else index.delete(kind, key);
          // Whoever asks before the first list is in waits for it: it is no change.
          if (!reflector.synced) return;
          log.push(current?.row ? { type: "Changed", row: current.row } : { type: "Gone", kind, key });
        },
      });
      reflector.start();
      return [kind, reflector] as const;
    }),
  );
  return {
    log,
    async rows(kind) {
      const reflector = reflectors.get(kind);
      await Promise.race([reflector?.ready, sleep(FIRST_MS, undefined, { ref: false })]);
      return reflector?.synced ? index.of(kind) : undefined;
    },
    async stop() {
      await Promise.all([...reflectors.values()].map((reflector) => reflector.stop()));
    },
    idleSince: undefined,
  };
}
