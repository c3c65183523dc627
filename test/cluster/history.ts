/** What a watch saw: every version of the objects of a kind in a namespace. */
import { spawn } from "node:child_process";
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

/** An event a line, of which the last may not be whole. */
function objects(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { object: Record<string, unknown> }).object);
}
