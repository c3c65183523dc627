/** A cluster as one user sees it: every question goes to the API server with that user's own token. */
import { API_VERSION } from "../../../operator/api/meta.ts";
import type { KindName, Resource, ResourceByKind } from "../../../operator/cluster/cluster.ts";
import type { ArtifactStore } from "../../../operator/storage/artifact-store.ts";
import type { Pages } from "../../../operator/storage/pages.ts";
import type { Streams } from "../../../operator/storage/streams.ts";
import type { ChangeLog } from "../changes.ts";
import { ConsoleError } from "../errors.ts";
import type { About, Deployment, Gateway, Models, Place } from "../gateway.ts";
import { newestFirst } from "../row-index.ts";
import { type RowOf, rowOf } from "../rows.ts";
import { clusterModels } from "./models.ts";
import { ClusterUploads } from "./uploads.ts";
import { asked, may, type UserApi, userOf } from "./user-api.ts";
import { collection, type Watches } from "./watches.ts";

export type ClusterGatewayOptions = {
  readonly api: UserApi;
  readonly token: string;
  readonly store: ArtifactStore & Pages & Streams;
  readonly watches: Watches;
  readonly version: string;
};

type List<T> = { readonly metadata?: { readonly continue?: string }; readonly items: readonly T[] };

const PAGE = 500;
const MOST = 20_000;

export class ClusterGateway implements Gateway {
  readonly #options: ClusterGatewayOptions;
  readonly uploads: ClusterUploads;
  readonly models: Models;

  constructor(options: ClusterGatewayOptions) {
    this.#options = options;
    this.uploads = new ClusterUploads({
      store: options.store,
      writable: async (place) => {
        const dataset = await this.get("Dataset", place);
        if (await may(options.api, "update", "datasets", place)) return dataset;
        throw new ConsoleError("Denied", `you may not change the data set ${place.namespace}/${place.name}`);
      },
    });
    this.models = clusterModels(options.api, options.store, (namespace) =>
      this.list("ModelDeployment", namespace),
    );
  }

  get about(): About {
    const { version } = this.#options;
    return {
      mode: "Cluster",
      version,
      providers: ["Offline", "Gemini"],
      namespace: "default",
    };
  }

  confirm(): Promise<string> {
    return userOf(this.#options.api);
  }

  get store(): ArtifactStore & Streams {
    return this.#options.store;
  }

  /** Asked of the API server each time: what is kept here is shown to who may list it at this moment. */
  async rows<K extends KindName>(kind: K, namespace: string | undefined): Promise<readonly RowOf[K][]> {
    const { api, token, watches } = this.#options;
    const place = chosen(namespace);
    await asked(api.request("GET", collection(kind, place), { query: { limit: 1 } }));
    const kept = await watches.of(api, token, place).rows(kind);
    return kept ?? newestFirst((await this.list(kind, place)).map((one) => rowOf(one) as RowOf[K]));
  }

  async list<K extends KindName>(kind: K, namespace: string | undefined): Promise<ResourceByKind[K][]> {
    const path = collection(kind, chosen(namespace));
    const items: ResourceByKind[K][] = [];
    let next: string | undefined;
    do {
      const query = { limit: PAGE, ...(next ? { continue: next } : {}) };
      const page = await asked(this.#options.api.request<List<ResourceByKind[K]>>("GET", path, { query }));
      for (const item of page.items) items.push({ ...item, apiVersion: API_VERSION, kind });
      next = page.metadata?.continue;
    } while (next && items.length < MOST);
    return items;
  }

  async get<K extends KindName>(kind: K, { namespace, name }: Place): Promise<ResourceByKind[K]> {
    return asked(
      this.#options.api.request<ResourceByKind[K]>("GET", `${collection(kind, namespace)}/${name}`),
    );
  }

  changes(namespace: string | undefined): ChangeLog {
    const { watches, api, token } = this.#options;
    return watches.of(api, token, chosen(namespace)).log;
  }

  async create(resource: Resource): Promise<Resource> {
    const path = collection(resource.kind, chosen(resource.metadata.namespace));
    return asked(this.#options.api.request<Resource>("POST", path, { body: resource }));
  }

  async setSuspended(place: Place, suspend: boolean): Promise<void> {
    await this.#patch("TrainingJob", place, { spec: { suspend } });
  }

  async remove(kind: KindName, { namespace, name }: Place): Promise<void> {
    await asked(this.#options.api.request("DELETE", `${collection(kind, namespace)}/${name}`));
  }

  /** Changes whose model a deployment serves, or makes the deployment. */
  async deploy({ namespace, name, job }: Deployment): Promise<Resource> {
    try {
      return await this.#patch(
        "ModelDeployment",
        { namespace, name },
        { spec: { modelRef: { trainingJob: job } } },
      );
    } catch (error) {
      if (!(error instanceof ConsoleError) || error.refusal !== "Missing") throw error;
    }
    // Its defaults are the API server's to fill in.
    return this.create({
      apiVersion: API_VERSION,
      kind: "ModelDeployment",
      metadata: { name, namespace },
      spec: { modelRef: { trainingJob: job } },
    } as Resource);
  }

  async #patch(kind: KindName, { namespace, name }: Place, body: object): Promise<Resource> {
    return asked(
      this.#options.api.request<Resource>("PATCH", `${collection(kind, namespace)}/${name}`, {
        body,
        contentType: "application/merge-patch+json",
      }),
    );
  }
}

function chosen(namespace: string | undefined): string {
  if (namespace === undefined) throw new ConsoleError("Invalid", "choose a namespace");
  return namespace;
}
