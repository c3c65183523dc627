/** What the servers of a deployment say of themselves: requests, failures and how long answers took, since each began. */
import { HTTP_PORT, selectorOf } from "../../../operator/serving/names.ts";
import type { Place, Traffic } from "../gateway.ts";
import { asked, type UserApi } from "./user-api.ts";

/** Servers that are asked; what more there are is told. */
const MOST = 20;
/** Health, metrics and the like are no traffic. */
const PREDICTIONS = /predict|infer/;

export async function trafficOf(api: UserApi, { namespace, name }: Place, now: number): Promise<Traffic> {
  type Pods = { readonly items: readonly { metadata: { name: string }; status?: { phase?: string } }[] };
  const labelSelector = Object.entries(selectorOf(name))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const { items } = await asked(api.request<Pods>("GET", pods, { query: { labelSelector } }));
  const running = items.filter(({ status }) => status?.phase === "Running");
  const heard = await Promise.all(
    running.slice(0, MOST).map(async ({ metadata }) => {
      const path = `${pods}/${metadata.name}:${HTTP_PORT}/proxy/metrics`;
      const { text } = await asked(api.send("GET", path, { timeoutSeconds: 5 }));
      return text;
    }),
  );
  return { at: now, servers: running.length, asked: heard.length, ...summed(heard) };
}

type Sums = Pick<Traffic, "requests" | "failures" | "buckets">;

/** Of the text format of Prometheus (0.0.4), the lines of one histogram. */
export function summed(texts: readonly string[]): Sums {
  const buckets = new Map<number, number>();
  let [requests, failures] = [0, 0];
  for (const line of texts.flatMap((text) => text.split("\n"))) {
    const [, part, labels = "", value] =
      /^autoai_inference_request_seconds_(bucket|count)\{(.*)\} (\S+)$/.exec(line) ?? [];
    const label = (name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
    if (part === undefined || !PREDICTIONS.test(label("route"))) continue;
    const count = Number(value);
    if (!Number.isFinite(count)) continue;
    if (part === "count") {
      requests += count;
      if (/^5/.test(label("status"))) failures += count;
    } else {
      const upTo = label("le") === "+Inf" ? Number.POSITIVE_INFINITY : Number(label("le"));
      buckets.set(upTo, (buckets.get(upTo) ?? 0) + count);
    }
  }
  const sorted = [...buckets].filter(([upTo]) => Number.isFinite(upTo)).sort(([one], [other]) => one - other);
  return { requests, failures, buckets: sorted.map(([upTo, count]) => ({ upTo, count })) };
}
