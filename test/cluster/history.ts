/** What a watch saw: every version of the objects of a kind in a namespace. */
import { spawn } from "node:child_process";
import { isDeepStrictEqual } from "node:util";
import type { Resource } from "../../operator/cluster/cluster.ts";
import { kstatusFaults } from "../kstatus.ts";
import type { Cluster } from "./cluster.ts";

export type Watched = {
  /** Each version as it was written, in order. */
  versions(): readonly Record<string, unknown>[];
  stop(): void;
};

/** Watches from now on, by kubectl. */
export async function watched(cluster: Cluster, namespace: string, kind: string): Promise<Watched> {
  const child = spawn(cluster.program, [
    ...cluster.flags,
    ...["get", kind, "-n", namespace, "--watch", "--output-watch-events", "-o", "json"],
  ]);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  child.stderr.resume();
  return {
    versions: () => objects(text),
    stop: () => child.kill(),
  };
}

/** What is wrong with the statuses that were written, by kstatus; a version in which somebody else changed the spec has the status before it. */
export function statusFaults({ versions }: Pick<Watched, "versions">): string[] {
  const before = new Map<string, Resource>();
  return (versions() as unknown as Resource[]).flatMap((version) => {
    const { name, uid } = version.metadata;
    const earlier = before.get(uid ?? name);
    before.set(uid ?? name, version);
    if (isDeepStrictEqual(version.status, earlier?.status)) return [];
    return kstatusFaults(version, earlier).map((fault) => `${name}: ${fault}`);
  });
}

/** An event a line, of which the last may not be whole. */
function objects(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { object: Record<string, unknown> }).object);
}
