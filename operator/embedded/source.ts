/** Where the embedded run finds a CSV: a file of this machine, or a ConfigMap of the manifest. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Cluster } from "../cluster/cluster.ts";
import { StalledError } from "../engine/errors.ts";
import { type BringSource, configMapBytes, type Source } from "../reconcilers/dataset-source.ts";
import type { ArtifactStore } from "../storage/artifact-store.ts";

/** 100 MB, as the intake counts them. */
export const MAX_DATASET_BYTES = 104_857_600;

export function bringSource(cluster: Cluster, store: ArtifactStore): BringSource {
  return async (source, namespace, key) => {
    if (source.configMapKeyRef) {
      await store.put(key, await configMapBytes(cluster, namespace, source.configMapKeyRef));
      return;
    }
    const problem = await sourceProblem(source);
    if (problem) throw new StalledError("InvalidSource", problem);
    await store.put(key, await buffer(createReadStream(fileURLToPath(source.uri ?? ""))));
  };
}

/** Why the file cannot be read as a data set, or undefined. */
export async function sourceProblem(source: Source): Promise<string | undefined> {
  if (source.uri === undefined) return undefined;
  if (!source.uri.startsWith("file:")) {
    return `${source.uri}: the embedded run reads data sets from files and ConfigMaps alone; download it and name it with file:`;
  }
  const path = fileURLToPath(source.uri);
  try {
    const facts = await stat(path);
    if (!facts.isFile()) return `${path} is not a file; expected a CSV`;
    if (facts.size > MAX_DATASET_BYTES) {
      return `${path} has ${facts.size} bytes; a data set has at most ${MAX_DATASET_BYTES} (100 MB): take a sample of its rows`;
    }
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return `${path}: there is no such file`;
    return `${path} cannot be read: ${(error as Error).message}`;
  }
}

/** A `file:` URI with its path made absolute: relative ones count from the manifest's folder. */
export function absoluteFileUri(uri: string, folder: string): string {
  if (!uri.startsWith("file:")) return uri;
  const path = decoded(uri.slice("file:".length).replace(/^\/\/(?=\/)/, ""));
  return pathToFileURL(resolve(folder, path)).href;
}

/** People write names as they are: a percent sign that encodes nothing is one. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
