/** Watches with users' own tokens, kept as long as somebody follows them. */
import { KINDS } from "../../../operator/api/kinds.ts";
import { API_VERSION } from "../../../operator/api/meta.ts";
import type { KindName, Resource } from "../../../operator/cluster/cluster.ts";
import { type Raw, Reflector } from "../../../operator/cluster/kubernetes/reflector.ts";
import { ChangeLog } from "../changes.ts";
import { ConsoleError } from "../errors.ts";
import { nameOf, type UserApi } from "./user-api.ts";

/** Path of the resources of a kind in a namespace. */
export function collection(kind: KindName, namespace: string): string {
  const plural = KINDS.find((one) => one.kind === kind)?.plural ?? "";
  return `/apis/${API_VERSION}/namespaces/${namespace}/${plural}`;
}

type Watched = { readonly log: ChangeLog; readonly stop: () => Promise<void>; idleSince: number | undefined };

const IDLE_MS = 60_000;
const SWEEP_MS = 15_000;
/** Each is three connections to the API server. */
const MOST = 200;

export class Watches {
  readonly #watched = new Map<string, Watched>();
  readonly #now: () => number;
  readonly #sweep: NodeJS.Timeout;

  constructor(now: () => number) {
    this.#now = now;
    this.#sweep = setInterval(() => void this.sweep(), SWEEP_MS).unref();
  }

  of(api: UserApi, token: string, namespace: string): ChangeLog {
    const id = `${nameOf(token)}/${namespace}`;
    const present = this.#watched.get(id);
    if (present) return present.log;
    if (this.#watched.size >= MOST) {
      throw new ConsoleError("TooMany", "too many people watch at once: try again in a minute");
    }
    const log = new ChangeLog();
    const reflectors = KINDS.map(({ kind }) => {
      const reflector = new Reflector<Raw>({
        api,
        path: collection(kind, namespace),
        onChange(key, current) {
          log.push(
            current
              ? { type: "Changed", resource: { ...current, kind } as unknown as Resource }
              : { type: "Gone", kind, key },
          );
        },
      });
      reflector.start();
      return reflector;
    });
    const stop = async (): Promise<void> => {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    };
    this.#watched.set(id, { log, stop, idleSince: undefined });
    return log;
  }

  /** Ends what nobody has followed for a while. */
  async sweep(): Promise<void> {
    for (const [id, watched] of this.#watched) {
      if (watched.log.readers > 0) watched.idleSince = undefined;
      else watched.idleSince ??= this.#now();
      if (watched.idleSince === undefined || this.#now() - watched.idleSince < IDLE_MS) continue;
      this.#watched.delete(id);
      await watched.stop();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#watched.values()].map(({ stop }) => stop()));
    this.#watched.clear();
  }
}
