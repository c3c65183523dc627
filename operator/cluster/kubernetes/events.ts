/**
 * Events (core v1, which `kubectl describe` shows with their count), folded: the same thing said again raises a count, and
 * at most once a minute; a reason with many messages becomes one event. What is remembered is bounded.
 */
import { createHash } from "node:crypto";
import { ApiError, type ApiServer } from "./api-server.ts";

export type EventSubject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
  };
};

export type EventRecorderOptions = {
  readonly api: Pick<ApiServer, "request">;
  readonly component: string;
  /** Of the pod, or host. */
  readonly instance: string;
  readonly now: () => number;
  /** Told of each event that is written, which is not each one that is recorded. */
  readonly onWritten?: (about: EventSubject, type: string, reason: string, message: string) => void;
};

/** Between two writes of the same event. */
const REPEAT_SECONDS = 60;
/** Different messages of one reason about one object, before they are folded. */
const MAX_MESSAGES = 10;
/** Of both tables. */
const REMEMBERED = 4096;

type Seen = { count: number; written: number; readonly first: string };

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #seen = new Map<string, Seen>();
  readonly #messages = new Map<string, number>();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Throws what the API server said; an event is never worth failing for, so that the caller decides. */
  async record(
    about: EventSubject,
    type: "Normal" | "Warning",
    reason: string,
    message: string,
  ): Promise<void> {
    const { uid = "" } = about.metadata;
    const text = this.#folded(`${uid} ${reason}`, message, `${uid} ${type} ${reason}`);
    const key = `${uid} ${type} ${reason} ${text}`;
    const now = this.#options.now();
    const at = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
    const seen = this.#seen.get(key) ?? { count: 0, written: Number.NEGATIVE_INFINITY, first: at };
    seen.count++;
    remember(this.#seen, key, seen);
    if (now - seen.written < REPEAT_SECONDS * 1000) return;
    seen.written = now;
    this.#options.onWritten?.(about, type, reason, text);
    await this.#write(about, type, reason, text, key, seen, at);
  }

  #folded(group: string, message: string, key: string): string {
    const text = message.slice(0, 1024);
    if (this.#seen.has(`${key} ${text}`)) return text;
    const count = (this.#messages.get(group) ?? 0) + 1;
    remember(this.#messages, group, count);
    return count > MAX_MESSAGES ? "(many different messages; the operator's log has them)" : text;
  }

  async #write(
    about: EventSubject,
    type: string,
    reason: string,
    message: string,
    key: string,
    seen: Seen,
    at: string,
  ): Promise<void> {
    const { api, component, instance } = this.#options;
    const namespace = about.metadata.namespace ?? "default";
    // The same in every operator, so that the next leader goes on counting where this one stopped.
    const name = `${about.metadata.name.slice(0, 200)}.${createHash("sha256").update(key).digest("hex").slice(0, 16)}`;
    const path = `/api/v1/namespaces/${namespace}/events`;
    if (seen.count === 1) {
      try {
        await api.request("POST", path, {
          body: {
            apiVersion: "v1",
            kind: "Event",
            metadata: { name, namespace },
            involvedObject: {
              apiVersion: about.apiVersion,
              kind: about.kind,
              name: about.metadata.name,
              namespace,
              uid: about.metadata.uid,
              resourceVersion: about.metadata.resourceVersion,
            },
            type,
            reason,
            message,
            count: 1,
            firstTimestamp: at,
            lastTimestamp: at,
            source: { component, host: instance },
            reportingComponent: component,
            reportingInstance: instance,
          },
        });
        return;
      } catch (error) {
        if (!(error instanceof ApiError && error.reason === "AlreadyExists")) throw error;
        const written = await api.request<{ count?: number }>("GET", `${path}/${name}`);
        seen.count = (written.count ?? 1) + 1;
      }
    }
    try {
      await api.request("PATCH", `${path}/${name}`, {
        contentType: "application/merge-patch+json",
        body: { count: seen.count, lastTimestamp: at },
      });
    } catch (error) {
      // The API server keeps events for an hour.
      if (!(error instanceof ApiError && error.code === 404)) throw error;
      seen.count = 0;
      seen.written = Number.NEGATIVE_INFINITY;
    }
  }
}

function remember<V>(table: Map<string, V>, key: string, value: V): void {
  table.delete(key);
  table.set(key, value);
  const oldest = table.keys().next();
  if (table.size > REMEMBERED && !oldest.done) table.delete(oldest.value);
}
