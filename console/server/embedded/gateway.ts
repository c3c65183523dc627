/** The home as the console sees it. Who may sign in may do everything that the command line can. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dataset } from "../../../operator/api/dataset.ts";
import type { TrainingJob } from "../../../operator/api/trainingjob.ts";
import { check } from "../../../operator/cli/check.ts";
import { UsageError } from "../../../operator/cli/exit.ts";
import { asksAnLlm } from "../../../operator/cli/run.ts";
import type { KindName, Resource, ResourceByKind } from "../../../operator/cluster/cluster.ts";
import type { Home } from "../../../operator/embedded/home.ts";
import { ownerKey } from "../../../operator/evaluation/context.ts";
import { ChangeLog } from "../changes.ts";
import { ConsoleError } from "../errors.ts";
import type { About, Gateway, Models, Place } from "../gateway.ts";
import { RowIndex } from "../row-index.ts";
import { type RowOf, rowOf } from "../rows.ts";
import { EmbeddedUploads } from "./uploads.ts";
import { type EmbeddedWork, MADE_HERE } from "./work.ts";

/** How often the home is looked at for what other commands wrote. */
const RELOAD_MS = 1500;

export type EmbeddedGatewayOptions = {
  readonly home: Home;
  readonly work: EmbeddedWork;
  readonly models: Models;
  readonly about: About;
  readonly env: NodeJS.ProcessEnv;
  readonly uploadFolder: string;
  /** Why an LLM's code cannot run here, or undefined where it can. */
  readonly unsandboxed: string | undefined;
  readonly onFault: (what: string, error: unknown) => void;
};

export class EmbeddedGateway implements Gateway {
  readonly #options: EmbeddedGatewayOptions;
  readonly #changes = new ChangeLog();
  readonly #rows = new RowIndex();
  readonly #stop = new AbortController();
  readonly uploads: EmbeddedUploads;

  constructor(options: EmbeddedGatewayOptions) {
    this.#options = options;
    const { home, work } = options;
    for (const kind of ["Dataset", "TrainingJob", "ModelDeployment"] as const) {
      for (const resource of home.cluster.list(kind)) this.#rows.set(rowOf(resource));
    }
    home.cluster.watch((resource) => {
      const row = rowOf(resource);
      this.#rows.set(row);
      this.#changes.push({ type: "Changed", row });
    });
    home.cluster.watchDeletions((kind, key) => {
      this.#rows.delete(kind, key);
      this.#changes.push({ type: "Gone", kind, key });
      work.gone(kind, key);
    });
    this.uploads = new EmbeddedUploads({
      folder: options.uploadFolder,
      store: home.store,
      dataset: (place) => this.get("Dataset", place),
      onWhole: (dataset) => work.take("Dataset", ownerKey(dataset)),
    });
    void this.#reload();
  }

  get about(): About {
    return this.#options.about;
  }

  get models(): Models {
    return this.#options.models;
  }

  get store(): Home["store"] {
    return this.#options.home.store;
  }

  async rows<K extends KindName>(kind: K, namespace: string | undefined): Promise<readonly RowOf[K][]> {
    const rows = this.#rows.of(kind);
    return namespace === undefined ? rows : rows.filter((row) => row.namespace === namespace);
  }

  async get<K extends KindName>(kind: K, { namespace, name }: Place): Promise<ResourceByKind[K]> {
    const found = await this.#options.home.cluster.get(kind, `${namespace}/${name}`);
    if (!found) throw new ConsoleError("Missing", `there is no ${kind} ${namespace}/${name}`);
    return found;
  }

  changes(): ChangeLog {
    return this.#changes;
  }

  async create(resource: Resource): Promise<Resource> {
    const { home, work, env, unsandboxed } = this.#options;
    const key = ownerKey(resource);
    if (await home.cluster.get(resource.kind, key)) {
      throw new ConsoleError("Conflict", `there is a ${resource.kind} ${key} already: choose another name`);
    }
    if (resource.kind === "ModelDeployment") {
      throw new ConsoleError("Unavailable", "on one machine, autoai serve serves a model");
    }
    try {
      await check(resource, [resource], home, env);
    } catch (error) {
      if (error instanceof UsageError) throw new ConsoleError("Invalid", error.message);
      throw error;
    }
    const isJob = resource.kind === "TrainingJob";
    if (isJob && unsandboxed !== undefined && (await asksAnLlm(home, resource, env))) {
      throw new ConsoleError("Unavailable", `code written by an LLM does not run here: ${unsandboxed}`);
    }
    const annotations = { ...resource.metadata.annotations, [MADE_HERE]: "made" };
    const applied = home.cluster.apply({ ...resource, metadata: { ...resource.metadata, annotations } });
    work.take(resource.kind, key);
    return applied;
  }

  async setSuspended(place: Place, suspend: boolean): Promise<void> {
    const { home, work } = this.#options;
    const job = await this.get("TrainingJob", place);
    if (job.status?.state === "READY" || job.status?.state === "ERROR") {
      throw new ConsoleError("Conflict", `the job ${place.name} is over`);
    }
    // Before it is changed: a job that another process works on is that one's.
    work.take("TrainingJob", ownerKey(job));
    const fresh: TrainingJob = await this.get("TrainingJob", place);
    home.cluster.apply({ ...fresh, spec: { ...fresh.spec, suspend } });
    work.take("TrainingJob", ownerKey(job));
  }

  async remove(kind: KindName, place: Place): Promise<void> {
    const { work } = this.#options;
    const resource = await this.get(kind, place);
    if (resource.kind === "ModelDeployment")
      throw new ConsoleError("Unavailable", "there are none on one machine");
    if (resource.kind === "Dataset") await this.#refuseWhileUsed(resource);
    work.remove(resource);
    if (resource.kind === "Dataset") await this.uploads.discard(resource);
  }

  close(): void {
    this.#stop.abort();
  }

  async #refuseWhileUsed(dataset: Dataset): Promise<void> {
    const user = this.#options.home.cluster
      .list("TrainingJob")
      .find(
        ({ metadata, spec, status }) =>
          metadata.namespace === dataset.metadata.namespace &&
          spec.dataset.datasetRef?.name === dataset.metadata.name &&
          (status?.state ?? "TRAINING") === "TRAINING",
      );
    if (user) throw new ConsoleError("Conflict", `the job ${user.metadata.name} is being trained on it`);
  }

  async #reload(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#options.home.cluster.reload();
      } catch (error) {
        this.#options.onFault("reading the home", error);
      }
      await sleep(RELOAD_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
