/**
 * Stands for the courier of a pod that no node runs: it reads the pod's errand and leaves in the store what a courier would leave there, by
 * the same grants and in the same order, with results that are made up. A pod of KWOK runs no code, and yet its step ends.
 */
import { sha256 } from "../../operator/evaluation/context.ts";
import type { Errand } from "../../operator/sandbox/pods/errand.ts";
import type { PostGrant } from "../../operator/storage/grants.ts";
import { OUTCOME, trustedResult } from "./made-up-results.ts";

type Pod = {
  readonly metadata: { readonly name: string };
  readonly spec?: {
    readonly containers: readonly {
      readonly env?: readonly { readonly name: string; readonly value?: string }[];
    }[];
  };
};

/** Where the errand of a tool pod is; undefined where it has none. */
export function errandUrl({ spec }: Pod): string | undefined {
  const variables = spec?.containers.flatMap(({ env }) => env ?? []);
  return variables?.find(({ name }) => name === "AUTOAI_ERRAND")?.value;
}

/** How a courier reaches the store, by what it was granted. Each throws where the store refuses. */
export type Wire = {
  /** undefined where nothing is there. */
  get(url: string): Promise<string | undefined>;
  /** @param once only where nothing stands */
  put(url: string, body: string, once: boolean): Promise<void>;
  post(grant: PostGrant, rest: string, body: string): Promise<void>;
};

/** Leaves the outcome of the pod's execution in the store, unless there is one. Throws where the store refuses something. */
export async function deliver(pod: Pod, wire: Wire = HTTP): Promise<"Delivered" | "WasThere"> {
  const url = errandUrl(pod);
  const text = url === undefined ? undefined : await wire.get(url);
  if (text === undefined) throw new Error(`pod ${pod.metadata.name} has no errand`);
  const errand = JSON.parse(text) as Errand;
  const { outcome, outputs } = errand;
  if ((await wire.get(outcome.get)) !== undefined) return "WasThere";
  const { name } = pod.metadata;
  // As of a split without folds: what is missing is simply not stored.
  const made = outputs.filter(({ path }) => !path.includes("/fold-"));
  await Promise.all(made.map((one) => wire.put(one.url, `${one.path} of ${name}\n`, false)));
  const result = { ...OUTCOME, ...(await resultOf(errand, name, wire)) };
  await wire.put(outcome.put, JSON.stringify(result), true);
  return "Delivered";
}

async function resultOf(errand: Errand, name: string, { post }: Wire): Promise<object> {
  switch (errand.kind) {
    case "Trusted":
      return { result: trustedResult(errand.verb, name) };
    case "Install": {
      const environment = sha256(errand.packages.join(" "));
      await post(errand.keep, `${environment}/lock.txt`, "");
      // Of no bytes, and named by them.
      await post(errand.keep, `${environment}/${sha256("")}.tar`, "");
      return { environment, packages: errand.packages.map((one) => ({ name: one, version: "1" })) };
    }
    case "Sandboxed": {
      if (errand.snapshot === undefined) return {};
      const workspace = sha256(name);
      await post(errand.snapshot, `${workspace}.tar`, "");
      return { workspace, output: { head: "accuracy 0.8\n", tail: "", truncated: 0 } };
    }
  }
}

const HTTP: Wire = {
  async get(url) {
    const response = await asked(url, {}, [404]);
    const text = await response.text();
    return response.ok ? text : undefined;
  },
  async put(url, body, once) {
    await asked(
      url,
      { method: "PUT", body, headers: once ? { "if-none-match": "*" } : {} },
      once ? [412] : [],
    );
  },
  async post({ url, fields }, rest, body) {
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...fields, key: `${fields.key}${rest}` }))
      form.set(name, value);
    form.set("file", new Blob([body]));
    await asked(url, { method: "POST", body: form });
  },
};

async function asked(
  url: string,
  request: RequestInit = {},
  fine: readonly number[] = [],
): Promise<Response> {
  const response = await fetch(url, request);
  if (response.ok || fine.includes(response.status)) {
    if (request.method !== undefined) await response.arrayBuffer();
    return response;
  }
  // Without the query, which is a grant.
  throw new Error(`${new URL(url).pathname} was answered with ${response.status}: ${await response.text()}`);
}
