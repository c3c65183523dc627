/** The Lease object behind a leader election (engine/lease.ts). */
import { ApiError, type ApiServer } from "./api-server.ts";

type LeaseObject = {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
};

type LeaseFacts = {
  readonly holder: string;
  readonly durationSeconds: number;
  readonly acquiredAt: number;
  readonly renewedAt: number;
  readonly transitions: number;
};

type Stored = { readonly record: LeaseFacts; readonly version: string };

/** Requests are given up soon: a renewal that takes longer is of no use. */
const SOON = { timeoutSeconds: 5, urgent: true } as const;

export class KubernetesLease {
  readonly #api: Pick<ApiServer, "request">;
  readonly #namespace: string;
  readonly #name: string;

  constructor(api: Pick<ApiServer, "request">, namespace: string, name: string) {
    this.#api = api;
    this.#namespace = namespace;
    this.#name = name;
  }

  async get(): Promise<Stored | undefined> {
    try {
      return storedOf(await this.#api.request<LeaseObject>("GET", this.#path(), SOON));
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    }
  }

  async write(record: LeaseFacts, version: string | undefined): Promise<Stored | undefined> {
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name: this.#name,
        namespace: this.#namespace,
        ...(version === undefined ? {} : { resourceVersion: version }),
      },
      spec: {
        holderIdentity: record.holder,
        leaseDurationSeconds: record.durationSeconds,
        acquireTime: microTime(record.acquiredAt),
        renewTime: microTime(record.renewedAt),
        leaseTransitions: record.transitions,
      },
    };
    try {
      const written =
        version === undefined
          ? await this.#api.request<LeaseObject>("POST", this.#path(""), { ...SOON, body })
          : // A patch: labels and annotations are those of whoever installed the operator.
            await this.#api.request<LeaseObject>("PATCH", this.#path(), {
              contentType: "application/merge-patch+json",
              body,
              ...SOON,
            });
      return storedOf(written);
    } catch (error) {
      // 404: it was deleted since; whoever is first makes a new one.
      if (error instanceof ApiError && (error.code === 409 || error.code === 404)) return undefined;
      throw error;
    }
  }

  #path(name = this.#name): string {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${this.#namespace}/leases`;
    return name === "" ? leases : `${leases}/${name}`;
  }
}

function storedOf({ metadata, spec }: LeaseObject): Stored {
  return {
    version: metadata.resourceVersion ?? "",
    record: {
      holder: spec?.holderIdentity ?? "",
      durationSeconds: spec?.leaseDurationSeconds ?? 0,
      acquiredAt: Date.parse(spec?.acquireTime ?? "") || 0,
      renewedAt: Date.parse(spec?.renewTime ?? "") || 0,
      transitions: spec?.leaseTransitions ?? 0,
    },
  };
}

/** RFC 3339 with six digits, as MicroTime is written. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("Z", "000Z");
}
